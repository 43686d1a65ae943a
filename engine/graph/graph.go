package graph

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Graph is an immutable graph without cycles. Its order puts every node after what it needs; two graphs of the same nodes and
// edges have the same order. All methods may be used at the same time. Keys that are not in the graph have no neighbours.
type Graph[K Key] struct {
	keys   []K // in the graph's order; a node's index here is its id
	ids    map[K]int
	needs  [][]edge // by id; ends are ids, in the graph's order
	needed [][]int  // by id: who needs it, in the graph's order
}

// ordered returns the graph of nodes and edges between their indices; it numbers the nodes by their place in order.
func ordered[K Key](nodes []node[K], edges []edge, order []int) *Graph[K] {
	keys, place := make([]K, len(nodes)), make([]int, len(nodes))
	for i, n := range order {
		keys[i], place[n] = nodes[n].key, i
	}
	needs := make([][]edge, len(nodes))
	for _, e := range edges {
		e.from, e.to = place[e.from], place[e.to]
		needs[e.from] = append(needs[e.from], e)
	}
	for _, es := range needs {
		slices.SortFunc(es, func(a, b edge) int { return a.to - b.to })
	}
	return newGraph(keys, needs)
}

// newGraph returns the graph of keys in order and what each needs, sorted.
func newGraph[K Key](keys []K, needs [][]edge) *Graph[K] {
	g := &Graph[K]{keys: keys, ids: make(map[K]int, len(keys)), needs: needs, needed: make([][]int, len(keys))}
	for id, k := range keys {
		g.ids[k] = id
		for _, e := range needs[id] {
			g.needed[e.to] = append(g.needed[e.to], id)
		}
	}
	return g
}

// Len returns the number of nodes.
func (g *Graph[K]) Len() int { return len(g.keys) }

// Has reports whether k is a node.
func (g *Graph[K]) Has(k K) bool {
	_, ok := g.ids[k]
	return ok
}

// Order returns all nodes, each after what it needs.
func (g *Graph[K]) Order() []K { return slices.Clone(g.keys) }

// Edges returns all edges, in the order of the nodes they begin at.
func (g *Graph[K]) Edges() []Edge[K] {
	var out []Edge[K]
	for _, es := range g.needs {
		for _, e := range es {
			out = append(out, Edge[K]{From: g.keys[e.from], To: g.keys[e.to], Range: e.at})
		}
	}
	return out
}

// Range returns where it is written that from needs to; ok is false where it does not.
func (g *Graph[K]) Range(from, to K) (at hcl.Range, ok bool) {
	f, fok := g.ids[from]
	t, tok := g.ids[to]
	if !fok || !tok {
		return hcl.Range{}, false
	}
	i, found := slices.BinarySearchFunc(g.needs[f], t, func(e edge, t int) int { return e.to - t })
	if !found {
		return hcl.Range{}, false
	}
	return g.needs[f][i].at, true
}

// Needs returns what k needs itself, in the graph's order.
func (g *Graph[K]) Needs(k K) []K {
	id, ok := g.ids[k]
	if !ok {
		return nil
	}
	return g.pick(g.below(id))
}

// NeededBy returns the nodes that need k themselves, in the graph's order.
func (g *Graph[K]) NeededBy(k K) []K {
	id, ok := g.ids[k]
	if !ok {
		return nil
	}
	return g.pick(g.needed[id])
}

// AllNeeds returns all that must come before k, in the graph's order.
func (g *Graph[K]) AllNeeds(k K) []K { return g.reach(k, g.below) }

// AllNeededBy returns all that must come after k, in the graph's order.
func (g *Graph[K]) AllNeededBy(k K) []K {
	return g.reach(k, func(id int) []int { return g.needed[id] })
}

func (g *Graph[K]) reach(k K, step func(id int) []int) []K {
	start, ok := g.ids[k]
	if !ok {
		return nil
	}
	seen := make([]bool, len(g.keys))
	var found []int
	for todo := []int{start}; len(todo) > 0; {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, n := range step(id) {
			if !seen[n] {
				seen[n] = true
				found, todo = append(found, n), append(todo, n)
			}
		}
	}
	slices.Sort(found)
	return g.pick(found)
}

func (g *Graph[K]) below(id int) []int {
	out := make([]int, len(g.needs[id]))
	for i, e := range g.needs[id] {
		out[i] = e.to
	}
	return out
}

func (g *Graph[K]) pick(ids []int) []K {
	var out []K
	for _, id := range ids {
		out = append(out, g.keys[id])
	}
	return out
}
