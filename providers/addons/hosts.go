package addons

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Tool is something that an addon needs installed on a node, whatever the distribution calls its package.
type Tool string

// The tools.
const (
	NFSClient Tool = "nfs-client" // mount.nfs
	ISCSI     Tool = "iscsi"      // iscsiadm, and its service
)

// Tools returns what the addons need on a node of the running cluster.
func Tools(bp *blueprint.Blueprint, n blueprint.Node) []Tool {
	if n.Role != blueprint.Worker {
		return nil
	}
	var tools []Tool
	for _, s := range bp.Storages {
		tools = append(tools, drivers[s.Kind].tools...)
	}
	slices.Sort(tools)
	return slices.Compact(tools)
}

// Modules returns the kernel modules that the addons need on a node.
func Modules(bp *blueprint.Blueprint, n blueprint.Node) []string {
	if slices.Contains(Tools(bp, n), ISCSI) {
		return []string{"iscsi_tcp"}
	}
	return nil
}

// NFSCheck is the trial of an export by a worker.
type NFSCheck struct {
	Addr    schema.Addr
	Host    string
	Server  string
	Path    string
	Options []string
	Range   hcl.Range
}

// NFSChecks returns one trial of each export for each worker.
func NFSChecks(bp *blueprint.Blueprint) []NFSCheck {
	var checks []NFSCheck
	for _, s := range bp.Storages {
		if s.Server == "" {
			continue
		}
		for _, w := range bp.Workers {
			checks = append(checks, NFSCheck{
				Addr: schema.Addr{Block: w.Addr, Type: NFSType, Key: s.Kind}, Host: w.Name,
				Server: s.Server, Path: s.Path, Options: s.MountOptions, Range: s.Source.Block,
			})
		}
	}
	return checks
}

// ARPCheck is the question whether somebody answers at a pool's addresses, asked on a host of their segment before the pool
// is made.
type ARPCheck struct {
	Addr      schema.Addr
	Host      string
	Addresses []string
	Nodes     []string // addresses of the cluster's nodes: one of them that answers for a pool's address announces it already
	Range     hcl.Range
}

// maxARP bounds how many addresses of a pool are asked for: more would take minutes and a larger pool is hardly ever in a
// segment by mistake as a whole.
const maxARP = 16

// ARPChecks returns the questions for every pool that is announced by ARP.
func ARPChecks(bp *blueprint.Blueprint) []ARPCheck {
	var nodes []string
	for _, n := range bp.Nodes() {
		nodes = append(nodes, n.Address.String())
	}
	var checks []ARPCheck
	for _, lb := range bp.LoadBalancers {
		for _, p := range lb.Pools {
			n, ok := announcing(bp, lb, p.Name)
			if !ok {
				continue
			}
			checks = append(checks, ARPCheck{
				Addr: schema.Addr{Block: n.Addr, Type: ARPType, Key: p.Name}, Host: n.Name,
				Addresses: firstAddresses(p, maxARP), Nodes: nodes, Range: p.Source.Block,
			})
		}
	}
	return checks
}

// announcing is the first node that announces a pool by ARP.
func announcing(bp *blueprint.Blueprint, lb blueprint.LoadBalancer, pool string) (blueprint.Node, bool) {
	for _, a := range lb.L2 {
		if !slices.Contains(poolsOf(lb, a.Pools), pool) {
			continue
		}
		nodes := orWorkers(bp, a.Nodes)
		for _, n := range bp.Nodes() {
			if slices.Contains(nodes, n.Name) {
				return n, true
			}
		}
	}
	return blueprint.Node{}, false
}

func firstAddresses(p blueprint.Pool, limit int) []string {
	var all []string
	for _, r := range p.Addresses {
		for a := r.First; a.IsValid() && a.Compare(r.Last) <= 0 && len(all) < limit; a = a.Next() {
			all = append(all, a.String())
		}
	}
	return slices.DeleteFunc(all, func(a string) bool { return strings.Contains(a, ":") }) // NDP is another protocol
}
