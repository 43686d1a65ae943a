package providertest

import (
	"net/netip"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Blueprint returns the guide's cluster: one control plane, two workers on two sites, one standby. Each call returns a new one,
// to be changed at will.
func Blueprint() *blueprint.Blueprint {
	bp := &blueprint.Blueprint{
		Dir: ".",
		Cluster: blueprint.Cluster{
			Addr: schema.BlockAddr{Type: "cluster", Name: "cx"}, Source: Source(1), Name: "cx", Version: "v1.35.7+rke2r1", Endpoint: "cp.cx.internal",
			PodCIDR: netip.MustParsePrefix("10.42.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.43.0.0/16"), CNI: "canal",
			SSH:   blueprint.SSH{User: "ops", Port: 22, Agent: true},
			Token: cty.NullVal(cty.String), AgentToken: cty.NullVal(cty.String), Registries: cty.NullVal(cty.DynamicPseudoType),
			Modules: []string{"br_netfilter", "overlay"},
			Sysctl:  map[string]string{"net.ipv4.ip_forward": "1", "net.ipv4.ip_local_port_range": "10240 60999"},
		},
		Sites: []blueprint.Site{
			{Addr: schema.BlockAddr{Type: "site", Name: "a"}, Source: Source(2), Name: "a"},
			{Addr: schema.BlockAddr{Type: "site", Name: "b"}, Source: Source(3), Name: "b"},
		},
		ControlPlane: node(blueprint.ControlPlane, "cp1", "10.10.1.10", "a", 4),
		Workers:      []blueprint.Node{node(blueprint.Worker, "w1", "10.10.1.11", "a", 5), node(blueprint.Worker, "w2", "10.10.2.11", "b", 6)},
		Standbys:     []blueprint.Node{node(blueprint.Standby, "s1", "10.10.2.10", "b", 7)},
	}
	return bp
}

// Source returns a source whose block is at that line of main.cxha.hcl.
func Source(line int) blueprint.Source {
	pos := hcl.Pos{Line: line, Column: 1}
	return blueprint.Source{Block: hcl.Range{Filename: "main.cxha.hcl", Start: pos, End: pos}}
}

func node(role blueprint.Role, name, address, site string, line int) blueprint.Node {
	return blueprint.Node{
		Addr: schema.BlockAddr{Type: string(role), Name: name}, Source: Source(line), Role: role, Name: name,
		Address: netip.MustParseAddr(address), Site: site, SSH: blueprint.SSH{User: "ops", Port: 22, Agent: true},
		Config: cty.NullVal(cty.DynamicPseudoType),
	}
}

// Compile returns the provider's resources of a blueprint, by the text of their addresses.
func Compile(t testing.TB, p providers.Provider, bp *blueprint.Blueprint) map[string]providers.Resource {
	t.Helper()
	rs, diags := p.Compile(bp)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	m := map[string]providers.Resource{}
	for _, r := range rs {
		m[r.Addr.String()] = r
	}
	return m
}

// Kind returns the provider's kind of that name as a HostKind.
func Kind(t testing.TB, p providers.Provider, name string) providers.HostKind {
	t.Helper()
	for _, k := range p.Kinds() {
		if k.Type().Name == name {
			if hk, ok := k.(providers.HostKind); ok {
				return hk
			}
		}
	}
	t.Fatalf("the provider has no HostKind %s", name)
	return nil
}
