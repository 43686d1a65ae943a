package host

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/addons"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

type provider struct{}

var _ providers.Provider = provider{}

// New returns the provider.
func New() providers.Provider { return provider{} }

// Kinds lists the provider's kinds.
func (provider) Kinds() []providers.Kind {
	return []providers.Kind{modules{}, sysctl{}, networkManager{}, firewall{}, endpoint{}, file, directory{}, tools{}, nfsTrial, arpTrial}
}

// Compile declares the resources of every node of the running cluster. A standby gets its own when it is promoted.
func (provider) Compile(bp *blueprint.Blueprint) ([]providers.Resource, hcl.Diagnostics) {
	rs := trials(bp)
	diags := addons.Check(bp)
	for _, n := range bp.Nodes() {
		more, moreDiags := nodeResources(bp, n)
		rs = append(rs, more...)
		diags = append(diags, moreDiags...)
	}
	return rs, diags
}

// Addrs returns the addresses of a node's resources, for providers whose resources need the whole host prepared.
func Addrs(bp *blueprint.Blueprint, n blueprint.Node) []schema.Addr {
	rs, _ := nodeResources(bp, n) // Compile reports the diagnostics
	addrs := make([]schema.Addr, len(rs))
	for i, r := range rs {
		addrs[i] = r.Addr
	}
	return addrs
}

func nodeResources(bp *blueprint.Blueprint, n blueprint.Node) ([]providers.Resource, hcl.Diagnostics) {
	b := nodeBuilder{node: n}
	c := bp.Cluster
	modules := slices.Concat(c.Modules, addons.Modules(bp, n))
	slices.Sort(modules)
	if len(modules) > 0 {
		b.add(modulesType, c.Source.Attr("modules"), map[string]cty.Value{"modules": stringList(slices.Compact(modules))})
	}
	if len(c.Sysctl) > 0 {
		r := b.add(sysctlType, c.Source.Attr("sysctl"), map[string]cty.Value{"settings": stringMap(c.Sysctl)})
		if len(modules) > 0 { // a module's settings exist only when it is loaded
			r.After = []providers.Edge{{To: b.addr(modulesType, ""), Range: r.Range}}
		}
	}
	if usesNetworkManagerFile(c.CNI) {
		b.add(networkManagerType, n.Source.Block, map[string]cty.Value{"content": cty.StringVal(networkManagerContent)})
	}
	if c.Firewall != schema.FirewallKeep {
		b.add(firewallType, n.Source.Block, map[string]cty.Value{"firewalld": cty.StringVal(off), "ufw": cty.StringVal(off)})
	}
	if _, err := netip.ParseAddr(c.Endpoint); err != nil && c.Endpoint != "" { // a name
		r := b.add(endpointType, c.Source.Attr("endpoint"), map[string]cty.Value{
			"address": cty.StringVal(bp.ControlPlane.Address.String()), "name": cty.StringVal(c.Endpoint),
		})
		if n.Addr != bp.ControlPlane.Addr { // a worker is not led to a control plane that nobody has seen
			r.After = []providers.Edge{{To: schema.Addr{Block: bp.ControlPlane.Addr, Type: tokenType}, Range: bp.ControlPlane.Source.Attr("address")}}
		}
	}
	diags := b.files()
	return b.resources(), diags
}

// trials declares what the addons need of hosts once the cluster is to use it. The node itself does not wait for it, so that a
// file server which is down keeps no node from joining.
func trials(bp *blueprint.Blueprint) []providers.Resource {
	var rs []providers.Resource
	for _, n := range bp.Nodes() {
		var names []string
		for _, t := range addons.Tools(bp, n) {
			names = append(names, string(t))
		}
		if len(names) > 0 {
			rs = append(rs, providers.Resource{
				Addr: schema.Addr{Block: n.Addr, Type: addons.ToolsType}, Host: n.Name, Range: n.Source.Block,
				Desired: cty.ObjectVal(map[string]cty.Value{"tools": stringList(names)}),
			})
		}
	}
	for _, c := range addons.NFSChecks(bp) {
		r := tried(c.Addr, c.Host, nfsSubject(c), c.Range)
		r.After = []providers.Edge{{To: schema.Addr{Block: c.Addr.Block, Type: addons.ToolsType}, Range: c.Range}}
		rs = append(rs, r)
	}
	for _, c := range addons.ARPChecks(bp) {
		rs = append(rs, tried(c.Addr, c.Host, arpSubject(c), c.Range))
	}
	return rs
}

func tried(addr schema.Addr, host string, subject []string, at hcl.Range) providers.Resource {
	return providers.Resource{Addr: addr, Host: host, Range: at, Desired: cty.ObjectVal(map[string]cty.Value{"tried": stringList(subject)})}
}

// tokenType is the rke2 provider's kind of the cluster's tokens, the first thing of a control plane that others need.
const tokenType = "rke2.token"

// EndpointAddr is the address of a node's line in the hosts file.
func EndpointAddr(n blueprint.Node) schema.Addr {
	return schema.Addr{Block: n.Addr, Type: endpointType}
}

// usesNetworkManagerFile reports whether NetworkManager must be told to leave the CNI's interfaces alone (domain.md §2.7).
func usesNetworkManagerFile(cni string) bool {
	return strings.Contains(cni, "canal") || strings.Contains(cni, "calico") || strings.Contains(cni, "flannel")
}

type nodeBuilder struct {
	node blueprint.Node
	rs   []*providers.Resource
}

func (b *nodeBuilder) addr(kind, key string) schema.Addr {
	return schema.Addr{Block: b.node.Addr, Type: kind, Key: key}
}

func (b *nodeBuilder) add(kind string, at hcl.Range, attrs map[string]cty.Value) *providers.Resource {
	return b.addKeyed(kind, "", at, attrs)
}

func (b *nodeBuilder) addKeyed(kind, key string, at hcl.Range, attrs map[string]cty.Value) *providers.Resource {
	r := &providers.Resource{Addr: b.addr(kind, key), Host: b.node.Name, Desired: cty.ObjectVal(attrs), Range: at}
	b.rs = append(b.rs, r)
	return r
}

func (b *nodeBuilder) resources() []providers.Resource {
	rs := make([]providers.Resource, len(b.rs))
	for i, r := range b.rs {
		rs[i] = *r
	}
	return rs
}

func stringList(ss []string) cty.Value {
	if len(ss) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	vs := make([]cty.Value, len(ss))
	for i, s := range ss {
		vs[i] = cty.StringVal(s)
	}
	return cty.ListVal(vs)
}

func stringMap(m map[string]string) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	vs := make(map[string]cty.Value, len(m))
	for k, s := range m {
		vs[k] = cty.StringVal(s)
	}
	return cty.MapVal(vs)
}
