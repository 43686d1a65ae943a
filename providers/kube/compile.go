package kube

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Compile declares what the API shall know of every node, and the inventory. The edges are those of domain.md §9.1: a node
// registers after its service has started, is labelled and tainted after it registered, and the control plane is emptied
// when there is a worker to take its pods.
func (p *Provider) Compile(bp *blueprint.Blueprint) ([]providers.Resource, hcl.Diagnostics) {
	var rs []providers.Resource
	var diags hcl.Diagnostics
	for _, n := range bp.Nodes() {
		diags = append(diags, checkLabels(n)...)
		diags = append(diags, checkTaints(n)...)
		rs = append(rs,
			resource(n.Addr, typeNode, nodeValue(n.Name, n.Address.String(), cty.True, cty.False), n.Source.Block, on(n.Addr, "rke2.service", n.Source.Block)),
			resource(n.Addr, typeLabels, labelsValue(n.Name, desiredLabels(bp, n)), n.Source.Attr("labels"), on(n.Addr, typeNode, n.Source.Block)),
			resource(n.Addr, typeTaints, taintsValue(n.Name, desiredTaints(n)), n.Source.Attr("taints"), on(n.Addr, typeNode, n.Source.Block)),
		)
	}
	cp := bp.ControlPlane
	if cp.Role == blueprint.ControlPlane && !cp.Schedulable {
		after := []providers.Edge{on(cp.Addr, typeTaints, cp.Source.Attr("schedulable"))}
		for _, w := range bp.Workers {
			after = append(after, on(w.Addr, typeNode, w.Source.Block))
		}
		rs = append(rs, resource(cp.Addr, typeIsolation, isolationValue(cp.Name, false, nil, nil), cp.Source.Attr("schedulable"), after...))
	}
	rs = append(rs, resource(bp.Cluster.Addr, typeInventory, inventoryValue(inventoryOf(bp)), bp.Cluster.Source.Block, on(cp.Addr, typeNode, bp.Cluster.Source.Block)))
	objects, more := compileObjects(bp)
	return append(rs, objects...), append(diags, more...)
}

func resource(block schema.BlockAddr, typ string, desired cty.Value, rng hcl.Range, after ...providers.Edge) providers.Resource {
	return providers.Resource{Addr: schema.Addr{Block: block, Type: typ}, Desired: desired, After: after, Range: rng}
}

func on(block schema.BlockAddr, typ string, rng hcl.Range) providers.Edge {
	return providers.Edge{To: schema.Addr{Block: block, Type: typ}, Range: rng}
}

// ownedElsewhere are label keys that kubelet or RKE2 sets back at its next start: written here, they would never come to rest.
var ownedElsewhere = map[string]string{
	"kubernetes.io/hostname":                "kubelet sets it to the host's name",
	"kubernetes.io/os":                      "kubelet sets it",
	"kubernetes.io/arch":                    "kubelet sets it",
	"node-role.kubernetes.io/control-plane": "RKE2 sets it on servers",
	"node-role.kubernetes.io/etcd":          "RKE2 sets it on servers",
	"node-role.kubernetes.io/master":        "RKE2 sets it on servers",
	workerRoleLabel:                         "cxha sets it on workers",
	ClusterLabel:                            "it is cxha's own mark",
}

func checkLabels(n blueprint.Node) hcl.Diagnostics {
	var diags hcl.Diagnostics
	report := func(summary, format string, args ...any) {
		diags = append(diags, problem(n.Source.Attr("labels"), summary, fmt.Sprintf(format, args...)))
	}
	for _, key := range keys(n.Labels) {
		value := n.Labels[key]
		if why, ok := ownedElsewhere[key]; ok {
			report("Label that cannot be set", "Node %s has the label %q, which a blueprint cannot set: %s. Remove it from the node's labels.", n.Name, key, why)
			continue
		}
		if key == zoneLabel && n.Site != "" && value != n.Site {
			report("Label contradicts the site", "Node %s has the label %q with the value %q, and cxha sets that label to the node's site, %q. Remove the label or the site.", n.Name, key, value, n.Site)
		}
		if errs := validation.IsQualifiedName(key); len(errs) > 0 {
			report("Invalid label key", "Kubernetes does not accept the key %q of a label of node %s: %s.", key, n.Name, strings.Join(errs, "; "))
		}
		if errs := validation.IsValidLabelValue(value); len(errs) > 0 {
			report("Invalid label value", "Kubernetes does not accept the value %q of label %q of node %s: %s.", value, key, n.Name, strings.Join(errs, "; "))
		}
	}
	return diags
}

func checkTaints(n blueprint.Node) hcl.Diagnostics {
	var diags hcl.Diagnostics
	report := func(summary, format string, args ...any) {
		diags = append(diags, problem(n.Source.Attr("taints"), summary, fmt.Sprintf(format, args...)))
	}
	seen := map[string]bool{}
	for _, t := range n.Taints {
		id := t.Key + ":" + t.Effect
		switch {
		case seen[id]:
			report("Taint given twice", "Node %s has more than one taint with the key %q and the effect %q; Kubernetes keeps one value for each such pair.", n.Name, t.Key, t.Effect)
		case strings.HasPrefix(t.Key, "node.kubernetes.io/"):
			report("Taint that cannot be set", "Node %s has the taint %q. Taints under node.kubernetes.io/ tell the state of a node and are set and removed by the cluster or during a repair, so a blueprint cannot have them.", n.Name, t.Key)
		}
		seen[id] = true
		if errs := validation.IsQualifiedName(t.Key); len(errs) > 0 {
			report("Invalid taint key", "Kubernetes does not accept the key %q of a taint of node %s: %s.", t.Key, n.Name, strings.Join(errs, "; "))
		}
		if errs := validation.IsValidLabelValue(t.Value); len(errs) > 0 {
			report("Invalid taint value", "Kubernetes does not accept the value %q of taint %q of node %s: %s.", t.Value, t.Key, n.Name, strings.Join(errs, "; "))
		}
	}
	return diags
}

func problem(rng hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: rng.Ptr()}
}
