package kube

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

var _ providers.Guard = (*Provider)(nil)

// Guard refuses a blueprint that calls the cluster by another name than the one with which its nodes are marked: objects and
// releases carry that name too, and all of them would be somebody else's from then on.
func (p *Provider) Guard(bp *blueprint.Blueprint, live func(schema.Addr) (cty.Value, bool)) hcl.Diagnostics {
	var other []string // names of clusters
	var nodes []string
	for _, n := range bp.Nodes() {
		v, seen := live(schema.Addr{Block: n.Addr, Type: typeLabels})
		if !seen || v.IsNull() {
			continue
		}
		if mark := textMap(v.GetAttr("labels"))[ClusterLabel]; mark != "" && mark != bp.Cluster.Name {
			other, nodes = append(other, mark), append(nodes, n.Name)
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	slices.Sort(other)
	other = slices.Compact(other)
	at := bp.Cluster.Source.Block
	return hcl.Diagnostics{problem(at, "Cluster has another name", fmt.Sprintf(
		"The blueprint is of the cluster %q, and %s %s marked as %s of the cluster %q. What cxha made in the cluster carries that name: under another one it would be somebody else's, and removed by nobody. "+
			"If the name is a mistake, put %q back. If the address leads to the wrong cluster, correct the address. If the cluster was cxha's under that name and is to be renamed all the same, take the mark off with `kubectl label node %s %s-` and apply.",
		bp.Cluster.Name, strings.Join(nodes, ", "), plural(len(nodes), "is", "are"), plural(len(nodes), "a node", "nodes"), strings.Join(other, ", "), other[0], strings.Join(nodes, " "), ClusterLabel))}
}
