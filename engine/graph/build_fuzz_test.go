package graph_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/engine/graph"
)

// FuzzBuild checks that an order respects every edge, and that every cycle that is reported is one.
func FuzzBuild(f *testing.F) {
	f.Add([]byte{0x01, 0x12, 0x23})
	f.Add([]byte{0x01, 0x10})
	f.Add([]byte{0x00})
	f.Fuzz(func(t *testing.T, pairs []byte) {
		b := graph.NewBuilder(compareKeys)
		for i := range 16 {
			b.AddNode(key(fmt.Sprintf("%x", i)))
		}
		for _, p := range pairs {
			b.AddEdge(key(fmt.Sprintf("%x", p>>4)), key(fmt.Sprintf("%x", p&15)), hcl.Range{})
		}
		g, err := b.Build()
		var cycle *graph.CycleError[key]
		if errors.As(err, &cycle) {
			checkCycles(t, cycle, pairs)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		seen := map[key]bool{}
		for _, k := range g.Order() {
			for _, need := range g.Needs(k) {
				if !seen[need] {
					t.Fatalf("%s comes before %s, which it needs", k, need)
				}
			}
			seen[k] = true
		}
		if len(seen) != 16 {
			t.Fatalf("%d nodes in the order", len(seen))
		}
	})
}

// checkCycles fails unless every reported cycle is one, made of edges that were added.
func checkCycles(t *testing.T, err *graph.CycleError[key], pairs []byte) {
	t.Helper()
	added := map[string]bool{}
	for _, p := range pairs {
		added[fmt.Sprintf("%x>%x", p>>4, p&15)] = true
	}
	for _, cycle := range err.Cycles {
		for i, e := range cycle {
			if next := cycle[(i+1)%len(cycle)]; e.To != next.From {
				t.Errorf("%v is no cycle", cycle)
			}
			if !added[fmt.Sprintf("%s>%s", e.From, e.To)] {
				t.Errorf("edge %s > %s was never added", e.From, e.To)
			}
		}
	}
}
