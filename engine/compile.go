package engine

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/engine/graph"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Model is a compiled blueprint: its resources and the graph between them.
type Model struct {
	Blueprint *blueprint.Blueprint
	Resources map[schema.Addr]providers.Resource
	Graph     *graph.Graph[schema.Addr]
	Hosts     []providers.HostSpec // the nodes of the running cluster, control plane first

	registry *providers.Registry
}

// Compile asks every provider for the blueprint's resources and orders them. It does no I/O.
func Compile(bp *blueprint.Blueprint, reg *providers.Registry) (*Model, hcl.Diagnostics) {
	m := &Model{Blueprint: bp, Resources: map[schema.Addr]providers.Resource{}, registry: reg}
	for _, n := range bp.Nodes() {
		m.Hosts = append(m.Hosts, providers.HostSpec{Name: n.Name, Address: n.Address.String(), SSH: n.SSH})
	}
	var diags hcl.Diagnostics
	for _, p := range reg.Providers() {
		rs, more := p.Compile(bp)
		diags = append(diags, more...)
		for _, r := range rs {
			diags = append(diags, m.add(r)...)
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	g, more := buildGraph(m.Resources, blockEdges(bp, m.Resources))
	m.Graph = g
	return m, append(diags, more...)
}

func (m *Model) add(r providers.Resource) hcl.Diagnostics {
	if _, ok := m.registry.Kind(r.Addr.Type); !ok {
		return bug(r.Range, fmt.Sprintf("No provider knows the kind of %s.", r.Addr))
	}
	if _, dup := m.Resources[r.Addr]; dup {
		return bug(r.Range, fmt.Sprintf("%s was declared twice.", r.Addr))
	}
	m.Resources[r.Addr] = r
	return nil
}

func bug(at hcl.Range, detail string) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Broken resource", Detail: detail + " This is a bug in cxha.", Subject: at.Ptr()}}
}

// blockEdges makes depends_on hold between all resources of the two blocks.
func blockEdges(bp *blueprint.Blueprint, rs map[schema.Addr]providers.Resource) map[schema.Addr][]providers.Edge {
	byBlock := map[schema.BlockAddr][]schema.Addr{}
	for addr := range rs {
		byBlock[addr.Block] = append(byBlock[addr.Block], addr)
	}
	edges := map[schema.Addr][]providers.Edge{}
	for block, refs := range bp.Dependencies() {
		for _, ref := range refs {
			for _, from := range byBlock[block] {
				for _, to := range byBlock[ref.To] {
					edges[from] = append(edges[from], providers.Edge{To: to, Range: ref.Range})
				}
			}
		}
	}
	return edges
}

// buildGraph returns the graph of rs by their own edges and inputs, and extra ones.
func buildGraph(rs map[schema.Addr]providers.Resource, extra map[schema.Addr][]providers.Edge) (*graph.Graph[schema.Addr], hcl.Diagnostics) {
	b := graph.NewBuilder(schema.Addr.Compare)
	for addr := range rs {
		b.AddNode(addr)
	}
	for addr, r := range rs {
		for _, e := range slices.Concat(r.After, extra[addr]) {
			b.AddEdge(addr, e.To, e.Range)
		}
		for _, e := range r.Before {
			b.AddEdge(e.To, addr, e.Range)
		}
		for _, in := range r.Inputs {
			b.AddEdge(addr, in.From, r.Range)
		}
	}
	g, err := b.Build()
	if err == nil {
		return g, nil
	}
	var cycle *graph.CycleError[schema.Addr]
	if errors.As(err, &cycle) {
		return nil, cycle.Diagnostics()
	}
	return nil, bug(hcl.Range{}, "The graph could not be built: "+err.Error()+".")
}
