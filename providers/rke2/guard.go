package rke2

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers/host"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Guard refuses what would make another cluster of the one that runs: a control plane without the cluster that the workers belong
// to, hosts of other clusters, and a control plane whose node has another name. What was not seen is not judged: changes of workers
// depend on the control plane, and wait until it is seen.
func (p *provider) Guard(bp *blueprint.Blueprint, live func(schema.Addr) (cty.Value, bool)) hcl.Diagnostics {
	g := guard{bp: bp, live: live}
	cp, seen := g.membership(bp.ControlPlane)
	if !seen {
		return nil
	}
	g.controlPlane(cp)
	g.workers(cp)
	return g.diags
}

type guard struct {
	bp    *blueprint.Blueprint
	live  func(schema.Addr) (cty.Value, bool)
	diags hcl.Diagnostics
}

// belongs is what a host was seen to belong to.
type belongs struct {
	serves, member []string // key identifiers
	node           string
}

func (g *guard) membership(n blueprint.Node) (b belongs, seen bool) {
	v, seen := g.live(schema.Addr{Block: n.Addr, Type: membershipType})
	if !seen || v.IsNull() {
		return b, false
	}
	return belongs{serves: texts(v.GetAttr("serves")), member: texts(v.GetAttr("member")), node: word(v, "node")}, true
}

func (g *guard) refuse(at hcl.Range, summary, format string, args ...any) {
	g.diags = append(g.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(format, args...), Subject: at.Ptr()})
}

// controlPlane judges the control plane's host by itself.
func (g *guard) controlPlane(cp belongs) {
	n := g.bp.ControlPlane
	if len(cp.serves) == 0 {
		if len(cp.member) > 0 {
			g.refuse(n.Source.Attr("address"), "Host belongs to a cluster",
				"The host of %s, %s, is a worker of a running cluster (its node is %s), and has no cluster of its own: an apply would make a second, empty one. "+
					"If the address is a mistake, correct it. If this machine is to become the control plane, restore a snapshot of the cluster on it first.", n.Addr, n.Address, cp.node)
		}
		return
	}
	if cp.node != "" && cp.node != n.Name {
		g.refuse(n.Source.Block, "Control plane has another name",
			"The control plane's node is called %s, and the blueprint calls it %s. RKE2 would register a second node beside the first, whose pods and etcd member would stay. "+
				"Put the name back: the block's, or the attribute name = %q. Only a restore on a new machine gives a control plane another name.", cp.node, n.Name, cp.node)
	}
	g.identity()
}

// identity compares what config.yaml says where no record tells with what the cluster was made; the service's Explain does where one does.
func (g *guard) identity() {
	n := g.bp.ControlPlane
	service, seen := g.live(schema.Addr{Block: n.Addr, Type: serviceType})
	if !seen || (!service.IsNull() && word(service, "ranges") != "") {
		return
	}
	config, seen := g.live(schema.Addr{Block: n.Addr, Type: configType})
	if !seen || config.IsNull() || word(config, "syntax") != syntaxValid {
		return
	}
	o, err := serverOptions(g.bp)
	if err != nil {
		return // Compile reported it
	}
	wanted, _ := withOwn(o, n)
	is, will := identityOf(config.GetAttr("options").AsValueMap()), identityOf(wanted)
	for _, attr := range identity {
		if is[attr] != will[attr] {
			g.refuse(n.Source.Block, "Change refused", "%s: %s.", schema.Addr{Block: n.Addr, Type: serviceType}, identityRefusal(n.Name, attr, is[attr], will[attr]))
		}
	}
}

// workers judges the workers' hosts beside the control plane's.
func (g *guard) workers(cp belongs) {
	var orphans, strangers []blueprint.Node
	for _, n := range g.bp.Workers {
		w, seen := g.membership(n)
		switch {
		case !seen:
		case len(w.serves) > 0:
			g.refuse(n.Source.Attr("address"), "Host is a control plane",
				"The host of %s, %s, is the control plane of a cluster (its node is %s). As a worker it would lose that cluster's data. "+
					"If the address is a mistake, correct it. If that cluster is to be given up, run rke2-uninstall.sh on the host, then apply.", n.Addr, n.Address, w.node)
		case len(w.member) == 0:
		case len(cp.serves) == 0:
			orphans = append(orphans, n)
		case !slices.ContainsFunc(w.member, func(key string) bool { return slices.Contains(cp.serves, key) }):
			strangers = append(strangers, n)
		}
	}
	g.orphans(orphans, cp)
	g.strangers(strangers)
}

// orphans are workers of a cluster that the control plane's host does not have.
func (g *guard) orphans(workers []blueprint.Node, cp belongs) {
	if len(workers) == 0 || len(cp.member) > 0 { // the control plane's host was refused already
		return
	}
	n := g.bp.ControlPlane
	g.refuse(n.Source.Attr("address"), "Workers of a running cluster",
		"%s to a running cluster whose control plane is %s, and the host of %s, %s, has no cluster: an apply would make a second, empty one there, and move the workers to it. "+
			"If the address is a mistake, put the old one back. If the control plane moves, or was lost, restore a snapshot on the new machine first. "+
			"If the old cluster is to be given up, run rke2-uninstall.sh on its workers, then apply.",
		belong(workers), g.formerControlPlane(workers[0]), n.Addr, n.Address)
}

// strangers are workers of another cluster than the control plane's.
func (g *guard) strangers(workers []blueprint.Node) {
	if len(workers) == 0 {
		return
	}
	n := g.bp.ControlPlane
	at := workers[0].Source.Attr("address")
	if len(workers) == len(g.bp.Workers) {
		at = n.Source.Attr("address")
	}
	g.refuse(at, "Workers of another cluster",
		"%s to another cluster, whose control plane is %s, than the one of %s at %s. "+
			"If an address is a mistake, correct it. If they shall move here, take them out of the other cluster's blueprint and apply that, which drains and cleans them; "+
			"or, if that cluster is gone, run rke2-uninstall.sh on them.",
		belong(workers), g.formerControlPlane(workers[0]), n.Addr, n.Address)
}

// belong begins a sentence about workers.
func belong(workers []blueprint.Node) string {
	const most = 5
	var names []string
	for _, n := range workers {
		names = append(names, n.Name)
	}
	if rest := len(names) - most; rest > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", rest))
	}
	if len(names) == 1 {
		return "Worker " + names[0] + " belongs"
	}
	last := len(names) - 1
	return "Workers " + strings.Join(names[:last], ", ") + " and " + names[last] + " belong"
}

// formerControlPlane tells where a worker's control plane is, as the worker knows it.
func (g *guard) formerControlPlane(n blueprint.Node) string {
	where := "elsewhere"
	if v, seen := g.live(host.EndpointAddr(n)); seen {
		if address := word(v, "address"); address != "" {
			where = "at " + address
		}
	}
	if v, seen := g.live(schema.Addr{Block: n.Addr, Type: configType}); seen && !v.IsNull() {
		if server := optionOr(v.GetAttr("options").AsValueMap(), "server", ""); server != "" {
			where += " (" + server + ")"
		}
	}
	return where
}

func texts(v cty.Value) []string {
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	var ss []string
	for _, e := range v.AsValueSlice() {
		ss = append(ss, e.AsString())
	}
	return ss
}
