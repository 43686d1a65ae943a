package addons

import (
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

const (
	metallbGroup = "metallb.io"
	workerLabel  = "node-role.kubernetes.io/worker"
)

// metallbRelease installs MetalLB. Without BGP it needs no FRR, which its chart brings by default since 0.16 (domain.md §4.1).
func metallbRelease(bp *blueprint.Blueprint, lb blueprint.LoadBalancer) blueprint.Release {
	bgp := len(lb.BGP)+len(lb.Peers) > 0
	base := values(map[string]any{
		"frrk8s":  map[string]any{"enabled": bgp},
		"speaker": map[string]any{"frr": map[string]any{"enabled": false}, "tolerateMaster": announcesFromControlPlane(bp, lb)},
	})
	c := lb.Common
	c.After = append(slices.Clone(c.After), objectAddr(lb.Addr, "Namespace/"+lb.Namespace))
	return blueprint.Release{Common: c, Name: "metallb", Chart: lb.Chart, Values: merged(base, lb.Values)}
}

// announcer is an advertisement and the nodes that it is limited to, by a label that cxha owns.
type announcer struct {
	label string
	nodes []string
}

func announcers(bp *blueprint.Blueprint, lb blueprint.LoadBalancer) []announcer {
	var as []announcer
	for _, l2 := range lb.L2 {
		as = append(as, announcer{label: "l2.cxha.io/" + l2.Name, nodes: orWorkers(bp, l2.Nodes)})
	}
	for _, b := range lb.BGP {
		as = append(as, announcer{label: "bgp.cxha.io/" + b.Name, nodes: orWorkers(bp, b.Nodes)})
	}
	return as
}

func orWorkers(bp *blueprint.Blueprint, nodes []string) []string {
	if len(nodes) > 0 {
		return nodes
	}
	for _, w := range bp.Workers {
		nodes = append(nodes, w.Name)
	}
	return nodes
}

func announcesFromControlPlane(bp *blueprint.Blueprint, lb blueprint.LoadBalancer) bool {
	return slices.ContainsFunc(announcers(bp, lb), func(a announcer) bool { return slices.Contains(a.nodes, bp.ControlPlane.Name) })
}

// metallbManifests are the namespace, which MetalLB's speaker needs to be privileged, and what the release's definitions
// define. That waits for the release, for the addresses to be found free, and for the labels of the announcing nodes.
func metallbManifests(bp *blueprint.Blueprint, lb blueprint.LoadBalancer) []blueprint.Manifest {
	labels := map[string]any{}
	for _, mode := range []string{"enforce", "audit", "warn"} {
		labels["pod-security.kubernetes.io/"+mode] = "privileged"
	}
	namespace := manifest(lb.Common, "namespace", map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": lb.Namespace, "labels": labels},
	})
	rest := lb.Common
	rest.After = append(slices.Clone(rest.After), releaseAddr(lb.Addr))
	for _, c := range ARPChecks(bp) {
		rest.After = append(rest.After, c.Addr)
	}
	for _, n := range bp.Nodes() {
		if len(NodeLabels(bp, n)) > 0 {
			rest.After = append(rest.After, schema.Addr{Block: n.Addr, Type: "kube.labels"})
		}
	}
	var objects []map[string]any
	for _, p := range lb.Pools {
		objects = append(objects, pool(lb, p))
	}
	for _, a := range lb.L2 {
		objects = append(objects, l2(lb, a))
	}
	for _, p := range lb.Peers {
		objects = append(objects, peer(bp, lb, p))
	}
	for _, a := range lb.BGP {
		objects = append(objects, bgp(lb, a))
	}
	m := manifest(rest, "load balancer", objects...)
	for _, p := range lb.Peers {
		if secret, ok := peerSecret(lb, p); ok {
			m.Texts = append(m.Texts, secret)
		}
	}
	return []blueprint.Manifest{namespace, m}
}

func metallbObject(lb blueprint.LoadBalancer, version, kind, name string, spec map[string]any) map[string]any {
	return map[string]any{
		"apiVersion": metallbGroup + "/" + version, "kind": kind,
		"metadata": map[string]any{"name": name, "namespace": lb.Namespace}, "spec": spec,
	}
}

func pool(lb blueprint.LoadBalancer, p blueprint.Pool) map[string]any {
	var ranges []string
	for _, r := range p.Addresses {
		ranges = append(ranges, r.Text)
	}
	return metallbObject(lb, "v1beta1", "IPAddressPool", p.Name, map[string]any{"addresses": ranges, "autoAssign": p.AutoAssign})
}

func l2(lb blueprint.LoadBalancer, a blueprint.L2) map[string]any {
	spec := map[string]any{"ipAddressPools": poolsOf(lb, a.Pools), "nodeSelectors": selectors("l2.cxha.io/" + a.Name)}
	if len(a.Interfaces) > 0 {
		spec["interfaces"] = a.Interfaces
	}
	return metallbObject(lb, "v1beta1", "L2Advertisement", a.Name, spec)
}

func bgp(lb blueprint.LoadBalancer, a blueprint.BGP) map[string]any {
	spec := map[string]any{"ipAddressPools": poolsOf(lb, a.Pools), "nodeSelectors": selectors("bgp.cxha.io/" + a.Name), "aggregationLength": a.AggregationLength}
	if len(a.Peers) > 0 {
		spec["peers"] = a.Peers
	}
	if len(a.Communities) > 0 {
		spec["communities"] = a.Communities
	}
	if a.LocalPref > 0 {
		spec["localPref"] = a.LocalPref
	}
	return metallbObject(lb, "v1beta1", "BGPAdvertisement", a.Name, spec)
}

// poolsOf names the pools: an advertisement without pools would announce those of others too.
func poolsOf(lb blueprint.LoadBalancer, names []string) []string {
	if len(names) > 0 {
		return names
	}
	for _, p := range lb.Pools {
		names = append(names, p.Name)
	}
	return names
}

func selectors(label string) []any {
	return []any{map[string]any{"matchLabels": map[string]any{label: "true"}}}
}

func peer(bp *blueprint.Blueprint, lb blueprint.LoadBalancer, p blueprint.Peer) map[string]any {
	spec := map[string]any{"myASN": p.MyASN, "peerASN": p.ASN, "peerAddress": p.Address.String(), "peerPort": p.Port}
	if p.HoldTime != "" {
		spec["holdTime"] = p.HoldTime
	}
	spec["nodeSelectors"] = selectors(workerLabel)
	if len(p.Nodes) > 0 {
		spec["nodeSelectors"] = []any{map[string]any{"matchExpressions": []any{
			map[string]any{"key": "kubernetes.io/hostname", "operator": "In", "values": orWorkers(bp, p.Nodes)},
		}}}
	}
	if hasPassword(p) {
		spec["passwordSecret"] = map[string]any{"name": secretName(p), "namespace": lb.Namespace}
	}
	return metallbObject(lb, "v1beta2", "BGPPeer", p.Name, spec)
}

func hasPassword(p blueprint.Peer) bool { return p.Password != cty.NilVal && !p.Password.IsNull() }

func secretName(p blueprint.Peer) string { return "peer-" + p.Name }

// peerSecret holds a peer's password, so that the peer itself can be shown.
func peerSecret(lb blueprint.LoadBalancer, p blueprint.Peer) (blueprint.Text, bool) {
	if !hasPassword(p) {
		return blueprint.Text{}, false
	}
	secret := text(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/basic-auth",
		"metadata":   map[string]any{"name": secretName(p), "namespace": lb.Namespace},
		"stringData": map[string]any{"password": schema.Plain(p.Password).AsString()},
	})
	return blueprint.Text{Name: fmt.Sprintf("password of peer %s", p.Name), Content: schema.Secret(secret)}, true
}
