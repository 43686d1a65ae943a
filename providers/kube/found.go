package kube

import (
	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// typeInstall is the rke2 provider's kind whose removal uninstalls RKE2 from a host.
const typeInstall = "rke2.install"

// removedNodes are the nodes with cxha's mark that the blueprint does not have, by name. The mark is the label; a node
// without it counts when the inventory has its name and its address, such as one that registered again while it was removed.
func removedNodes(w *world, bp *blueprint.Blueprint) []*corev1.Node {
	wanted := inventoryOf(bp)
	var removed []*corev1.Node
	for _, name := range keys(w.nodes) {
		n := w.nodes[name]
		if _, ok := wanted[name]; ok {
			continue
		}
		e, listed := w.inventory[name]
		if n.Labels[ClusterLabel] == bp.Cluster.Name || listed && e.Address == internalIP(n) {
			removed = append(removed, n)
		}
	}
	return removed
}

// found are the resources of nodes that left the blueprint, in the order of their removal: drain the node, delete it,
// uninstall its host, and only then forget how the host was reached.
func found(w *world, bp *blueprint.Blueprint) providers.Observation {
	obs := providers.Observation{Live: map[schema.Addr]providers.Live{}}
	var ready []providers.Edge // a drained node's pods need the blueprint's nodes to go to
	for _, n := range bp.Nodes() {
		ready = append(ready, on(n.Addr, typeNode, n.Source.Block))
	}
	leaving := map[string]entry{}
	for name, e := range w.inventory {
		leaving[name] = e
	}
	for _, n := range bp.Nodes() {
		delete(leaving, n.Name)
	}
	for _, n := range removedNodes(w, bp) {
		if _, listed := leaving[n.Name]; !listed {
			leaving[n.Name] = entry{Block: blockOf(n), Address: internalIP(n), User: bp.Cluster.SSH.User, Port: bp.Cluster.SSH.Port}
		}
	}
	for _, name := range keys(leaving) {
		removal{bp: bp, w: w, name: name, entry: leaving[name]}.add(&obs, ready)
	}
	return obs
}

// removal is one node that left the blueprint.
type removal struct {
	bp    *blueprint.Blueprint
	w     *world
	name  string
	entry entry
}

func (r removal) add(obs *providers.Observation, ready []providers.Edge) {
	put := func(typ string, live cty.Value, after ...providers.Edge) []providers.Edge {
		res := resource(r.entry.Block, typ, cty.NullVal(live.Type()), r.bp.Cluster.Source.Block, after...)
		obs.Found = append(obs.Found, res)
		obs.Live[res.Addr] = providers.Live{Value: live}
		return []providers.Edge{on(r.entry.Block, typ, r.bp.Cluster.Source.Block)}
	}
	var after []providers.Edge
	if n := r.w.nodes[r.name]; n != nil && r.ours(n) {
		after = put(typeDrain, drainValue(n, r.w.pods[r.name]), ready...)
		after = put(typeNode, nodeValue(r.name, isReady(n)), after...)
	}
	if r.entry.Address != "" {
		after = r.addHost(obs, after)
	}
	if e, listed := r.w.inventory[r.name]; listed {
		put(typeInventory, inventoryValue(map[string]entry{r.name: e}), after...)
	}
}

// ours repeats what removedNodes decided: an inventory entry alone does not make a node of that name cxha's.
func (r removal) ours(n *corev1.Node) bool {
	return n.Labels[ClusterLabel] == r.bp.Cluster.Name || r.entry.Address == internalIP(n)
}

// addHost adds the removal of RKE2 from the node's host.
func (r removal) addHost(obs *providers.Observation, after []providers.Edge) []providers.Edge {
	block, host, known := r.entry.Block, r.name, false
	for _, n := range append(r.bp.Nodes(), r.bp.Standbys...) {
		if n.Address.String() == r.entry.Address {
			// The machine has another block now, under which it is probed.
			block, host, known = n.Addr, n.Name, true
		}
	}
	if known && block.Type != string(blueprint.Standby) {
		return after // the same machine under a new node name: its RKE2 stays
	}
	if !known {
		ssh := r.bp.Cluster.SSH
		ssh.User, ssh.Port = r.entry.User, r.entry.Port
		obs.Hosts = append(obs.Hosts, providers.HostSpec{Name: host, Address: r.entry.Address, SSH: ssh})
	}
	res := resource(block, typeInstall, cty.NullVal(cty.DynamicPseudoType), r.bp.Cluster.Source.Block, after...)
	res.Host = host
	obs.Found = append(obs.Found, res)
	return []providers.Edge{{To: res.Addr, Range: res.Range}}
}

// blockOf is the block address under which a node without an inventory entry is shown.
func blockOf(n *corev1.Node) schema.BlockAddr {
	typ := string(blueprint.Worker)
	if _, ok := n.Labels["node-role.kubernetes.io/control-plane"]; ok {
		typ = string(blueprint.ControlPlane)
	}
	named := schema.BlockAddr{Type: typ, Name: n.Name}
	if parsed, err := schema.ParseBlockAddr(named.String()); err == nil && parsed == named {
		return named
	}
	return schema.BlockAddr{Type: typ, Name: "removed", Key: n.Name} // a name with dots is no identifier
}

func internalIP(n *corev1.Node) string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}
