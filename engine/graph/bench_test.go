package graph_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/engine/graph"
	"github.com/expertflow/cxha/engine/graph/graphtest"
)

// budgets are, by number of nodes, those of a whole plan and of the executor (design.md §6): the graph is a small part of both.
// `make bench` puts them beside what was measured.
var budgets = map[int]time.Duration{1000: 100 * time.Millisecond, 10000: time.Second}

func benchSizes(b *testing.B, run func(b *testing.B, n int)) {
	for _, n := range graphtest.Sizes() {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			run(b, n)
			if t, ok := budgets[n]; ok {
				b.ReportMetric(float64(t.Nanoseconds()), "budget-ns/op")
			}
		})
	}
}

// BenchmarkOrder goes from nodes and edges to the graph and its order.
func BenchmarkOrder(b *testing.B) {
	benchSizes(b, func(b *testing.B, n int) {
		needs := graphtest.Layered(n)
		for b.Loop() {
			builder := graph.NewBuilder(graphtest.Node.Compare)
			for from, tos := range needs {
				builder.AddNode(graphtest.Node(from))
				for _, to := range tos {
					builder.AddEdge(graphtest.Node(from), graphtest.Node(to), hcl.Range{})
				}
			}
			g, err := builder.Build()
			if err != nil {
				b.Fatal(err)
			}
			if len(g.Order()) != n {
				b.Fatal("nodes are missing")
			}
		}
	})
}

// BenchmarkKeep leaves one node in ten: the graph of a plan's changes.
func BenchmarkKeep(b *testing.B) {
	benchSizes(b, func(b *testing.B, n int) {
		g, err := graphtest.Build(n)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if k, err := g.Keep(func(n graphtest.Node) bool { return n%10 == 0 }); err != nil || k.Len() != n/10 {
				b.Fatalf("%d nodes", k.Len())
			}
		}
	})
}

// BenchmarkWalk walks with visits that do nothing: the executor's own cost.
func BenchmarkWalk(b *testing.B) {
	benchSizes(b, func(b *testing.B, n int) {
		g, err := graphtest.Build(n)
		if err != nil {
			b.Fatal(err)
		}
		o := graph.WalkOptions[graphtest.Node]{
			Limit: 64, GroupLimit: 4,
			Group: func(n graphtest.Node) string { return string(rune('a' + n%26)) },
			Cost:  func(n graphtest.Node) float64 { return float64(n % 7) },
		}
		for b.Loop() {
			r := g.Walk(b.Context(), o, func(context.Context, graphtest.Node) error { return nil })
			if len(r.Done) != n {
				b.Fatalf("%d done", len(r.Done))
			}
		}
	})
}
