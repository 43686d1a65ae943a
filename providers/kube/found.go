package kube

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Kinds of the rke2 provider: the removal of the first uninstalls RKE2 from a host, the others make a host the node that it is.
const (
	typeInstall = "rke2.install"
	typeConfig  = "rke2.config"
	typeService = "rke2.service"
)

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
	leaving := map[string]removal{}
	for name, e := range w.inventory {
		leaving[name] = removal{bp: bp, w: w, name: name, entry: e}
	}
	for _, n := range bp.Nodes() {
		delete(leaving, n.Name)
	}
	for _, n := range removedNodes(w, bp) {
		r, listed := leaving[n.Name]
		if !listed {
			e := entry{Block: blockOf(n), Address: internalIP(n), User: bp.Cluster.SSH.User, Port: bp.Cluster.SSH.Port}
			r = removal{bp: bp, w: w, name: n.Name, entry: e}
		}
		r.node = n
		leaving[n.Name] = r
	}
	taken := map[schema.BlockAddr]bool{}
	for _, n := range bp.Nodes() {
		taken[n.Addr] = true
	}
	renaming := map[schema.BlockAddr]bool{} // workers that are to join under another name
	for _, r := range leaving {
		if at := r.machine(); at.now == nodeAgain && w.nodes[at.host] == nil && at.block != bp.ControlPlane.Addr {
			renaming[at.block] = true
		}
	}
	for _, name := range keys(leaving) {
		r := leaving[name]
		r.renaming = renaming
		if taken[r.entry.Block] { // the block stays and calls its node by another name
			r.entry.Block = removedBlock(r.entry.Block.Type, name)
		}
		r.add(&obs, ready)
	}
	return obs
}

// removal is one node that left the blueprint.
type removal struct {
	bp    *blueprint.Blueprint
	w     *world
	name  string
	entry entry
	node  *corev1.Node // nil: there is none, or it is somebody else's

	renaming map[schema.BlockAddr]bool
}

func (r removal) add(obs *providers.Observation, ready []providers.Edge) {
	var before []providers.Edge
	put := func(typ string, live cty.Value, after ...providers.Edge) []providers.Edge {
		res := resource(r.entry.Block, typ, cty.NullVal(live.Type()), r.bp.Cluster.Source.Block, after...)
		res.Before, before = before, nil
		obs.Found = append(obs.Found, res)
		obs.Live[res.Addr] = providers.Live{Value: live}
		return []providers.Edge{on(r.entry.Block, typ, r.bp.Cluster.Source.Block)}
	}
	var after []providers.Edge
	at := r.machine()
	if n := r.node; n != nil {
		after = ready
		switch {
		case at.now != nodeAgain:
			after = put(typeDrain, drainValue(n, r.w.pods[r.name]), after...)
		case r.renaming[at.block]: // else its pods ended when the machine joined under its new name
			others := slices.DeleteFunc(slices.Clone(ready), func(e providers.Edge) bool { return r.renaming[e.To.Block] })
			before = []providers.Edge{on(at.block, typeConfig, r.bp.Cluster.Source.Block), on(at.block, typeService, r.bp.Cluster.Source.Block)}
			after = slices.Concat(ready, put(typeDrain, drainValue(n, r.w.pods[r.name]), others...))
		}
		after = put(typeNode, nodeValue(r.name, internalIP(n), cty.NullVal(cty.Bool), cty.NullVal(cty.Bool)), after...)
	}
	if r.entry.Address != "" && at.now != nodeAgain {
		after = r.addHost(obs, at, after)
	}
	if e, listed := r.w.inventory[r.name]; listed {
		put(typeInventory, inventoryValue(map[string]entry{r.name: e}), after...)
	}
}

// machine is what became of a node's machine.
type machine struct {
	block schema.BlockAddr // under which it is probed
	host  string
	now   standing
}

// standing is what a machine is in the blueprint.
type standing int

const (
	nothing   standing = iota
	onStandby          // a standby: it is probed under that block, and RKE2 leaves it all the same
	nodeAgain          // a node under another name, to which it is drained first; its RKE2 stays
)

func (r removal) machine() machine {
	find := func(nodes []blueprint.Node, now standing) (machine, bool) {
		for _, n := range nodes {
			if n.Address.String() == r.entry.Address {
				return machine{block: n.Addr, host: n.Name, now: now}, true
			}
		}
		return machine{block: r.entry.Block, host: r.name}, false
	}
	if m, ok := find(r.bp.Nodes(), nodeAgain); ok {
		return m
	}
	m, _ := find(r.bp.Standbys, onStandby)
	return m
}

// addHost adds the removal of RKE2 from the node's host, and the host where the blueprint does not know it.
func (r removal) addHost(obs *providers.Observation, at machine, after []providers.Edge) []providers.Edge {
	if at.now == nothing {
		ssh := r.bp.Cluster.SSH
		ssh.User, ssh.Port = r.entry.User, r.entry.Port
		obs.Hosts = append(obs.Hosts, providers.HostSpec{Name: at.host, Address: r.entry.Address, SSH: ssh})
	}
	res := resource(at.block, typeInstall, cty.NullVal(cty.DynamicPseudoType), r.bp.Cluster.Source.Block, after...)
	res.Host = at.host
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
	return removedBlock(typ, n.Name) // a name with dots is no identifier
}

// removedBlock is the block address under which a node is shown that has none of its own.
func removedBlock(typ, name string) schema.BlockAddr {
	return schema.BlockAddr{Type: typ, Name: "removed", Key: name}
}

func internalIP(n *corev1.Node) string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}
