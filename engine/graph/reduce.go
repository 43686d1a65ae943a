package graph

import (
	"cmp"
	"math/big"
	"slices"
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
	r := &reducer{kept: make([]int, g.Len()), nearest: make([][]edge, g.Len())}
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
	kept    []int      // by node: its number among the kept ones, -1: not kept
	nearest [][]edge   // by node that is not kept: edges to the kept ones that it stands for
	needs   [][]edge   // by kept node
	below   []*big.Int // by kept node, as bit set: all kept ones that it needs, and itself
}

func (r *reducer) add(id int, needs []edge) {
	var candidates []edge
	for _, e := range needs {
		if to := r.kept[e.to]; to >= 0 {
			candidates = append(candidates, edge{to: to, at: e.at})
			continue
		}
		for _, n := range r.nearest[e.to] {
			candidates = append(candidates, edge{to: n.to, at: e.at})
		}
	}
	chosen, below := r.choose(candidates)
	if r.kept[id] < 0 {
		r.nearest[id] = chosen
		return
	}
	for i := range chosen {
		chosen[i].from = r.kept[id]
	}
	r.needs = append(r.needs, chosen)
	r.below = append(r.below, below.SetBit(below, r.kept[id], 1))
}

// choose returns the candidates that do not follow from others, in order, and all kept ones that they lead to.
func (r *reducer) choose(candidates []edge) ([]edge, *big.Int) {
	// From the last in order to the first: only later ones can need earlier ones.
	slices.SortFunc(candidates, func(a, b edge) int { return cmp.Or(b.to-a.to, compareRanges(a.at, b.at)) })
	var chosen []edge
	below := new(big.Int)
	for _, c := range candidates {
		if below.Bit(c.to) == 0 {
			below.Or(below, r.below[c.to])
			chosen = append(chosen, c)
		}
	}
	slices.Reverse(chosen)
	return chosen, below
}
