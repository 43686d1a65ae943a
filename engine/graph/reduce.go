package graph

import (
	"math/big"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Reduced returns the graph without the edges that follow from others.
func (g *Graph[K]) Reduced() *Graph[K] {
	return g.keep(func(K) bool { return true })
}

// Keep returns the graph of the nodes for which keep holds, in the same order. One of them comes after another where it does
// in g, through any number of nodes that are not kept; edges that follow from others are left out. An edge has the range of the
// first edge on the way that it stands for.
func (g *Graph[K]) Keep(keep func(K) bool) (*Graph[K], error) { return g.keep(keep), nil }

func (g *Graph[K]) keep(keep func(K) bool) *Graph[K] {
	r := &reducer{kept: make([]int, g.Len()), nearest: make([][]int, g.Len()), at: make([]*hcl.Range, g.Len())}
	var keys []K
	for id, k := range g.keys {
		r.kept[id] = -1
		if keep(k) {
			r.kept[id] = len(keys)
			keys = append(keys, k)
		}
		r.add(id, g.needs[id])
	}
	return newGraph(keys, r.needs)
}

// reducer finds for one node after the other, in order, the kept ones that it needs and no other kept one stands between.
type reducer struct {
	kept    []int        // by node: its number among the kept ones, -1: not kept
	nearest [][]int      // by node that is not kept: the kept ones that it stands for, in order
	needs   [][]edge     // by kept node
	below   []*big.Int   // by kept node, as bit set: all kept ones that it needs, and itself
	found   []int        // candidates of the node that is added
	at      []*hcl.Range // by kept node: range of the candidate, nil: it is none
}

func (r *reducer) add(id int, needs []edge) {
	r.found = r.found[:0]
	for i := range needs {
		e := &needs[i]
		if to := r.kept[e.to]; to >= 0 {
			r.candidate(to, &e.at)
			continue
		}
		for _, to := range r.nearest[e.to] {
			r.candidate(to, &e.at)
		}
	}
	chosen, below := r.choose()
	if r.kept[id] < 0 {
		r.nearest[id] = chosen
	} else {
		edges := make([]edge, len(chosen))
		for i, to := range chosen {
			edges[i] = edge{from: r.kept[id], to: to, at: *r.at[to]}
		}
		r.needs = append(r.needs, edges)
		r.below = append(r.below, below.SetBit(below, r.kept[id], 1))
	}
	for _, to := range r.found {
		r.at[to] = nil
	}
}

func (r *reducer) candidate(to int, at *hcl.Range) {
	switch before := r.at[to]; {
	case before == nil:
		r.found = append(r.found, to)
		r.at[to] = at
	case before != at && compareRanges(*at, *before) < 0:
		r.at[to] = at
	}
}

// choose returns the candidates that do not follow from others, in order, and all kept ones that they lead to.
func (r *reducer) choose() ([]int, *big.Int) {
	slices.Sort(r.found)
	var chosen []int
	below := new(big.Int)
	for _, to := range slices.Backward(r.found) { // only later ones can need earlier ones
		if below.Bit(to) == 0 {
			below.Or(below, r.below[to])
			chosen = append(chosen, to)
		}
	}
	slices.Reverse(chosen)
	return chosen, below
}
