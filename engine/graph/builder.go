package graph

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Key is what can be a node: its String is the node's name in every text form.
type Key interface {
	comparable
	fmt.Stringer
}

// Builder collects the nodes and edges of a graph. The order in which they are added has no influence on the graph.
type Builder[K Key] struct {
	compare func(a, b K) int
	ids     map[K]int // every key that was seen, as node or as end of an edge
	nodes   []node[K] // by id
	edges   []edge
}

type node[K Key] struct {
	key   K
	added int // how often AddNode was called for it
}

// edge says that the node from needs the node to.
type edge struct {
	from, to int
	at       hcl.Range
}

// NewBuilder returns an empty builder. compare is a total order of the keys: it returns 0 for equal keys only.
func NewBuilder[K Key](compare func(a, b K) int) *Builder[K] {
	return &Builder[K]{compare: compare, ids: map[K]int{}}
}

// AddNode adds a node. Adding one twice is an error of Build.
func (b *Builder[K]) AddNode(k K) { b.nodes[b.id(k)].added++ }

// AddEdge says that from needs to, because of what is written at that range (zero: nowhere). Several edges between two nodes
// count as one; it keeps the range that comes first in the files.
func (b *Builder[K]) AddEdge(from, to K, at hcl.Range) {
	b.edges = append(b.edges, edge{from: b.id(from), to: b.id(to), at: at})
}

func (b *Builder[K]) id(k K) int {
	id, ok := b.ids[k]
	if !ok {
		id = len(b.nodes)
		b.ids[k] = id
		b.nodes = append(b.nodes, node[K]{key: k})
	}
	return id
}

// Build returns the graph. The error joins every node that was added twice and every edge to or from a node that was not
// added; where there are none of those, it is a *CycleError if nodes need themselves.
func (b *Builder[K]) Build() (*Graph[K], error) {
	keys, edges := b.sorted()
	if err := b.check(keys, edges); err != nil {
		return nil, err
	}
	order, cyclic := sortNodes(len(keys), edges)
	if len(cyclic) > 0 {
		return nil, newCycleError(keys, edges, cyclic)
	}
	return ordered(keys, edges, order), nil
}

// sorted returns the nodes in the order of their keys, and the edges between indices of that slice, each pair once, sorted.
func (b *Builder[K]) sorted() ([]node[K], []edge) {
	byKey := make([]int, len(b.nodes))
	for i := range byKey {
		byKey[i] = i
	}
	slices.SortFunc(byKey, func(i, j int) int { return b.compare(b.nodes[i].key, b.nodes[j].key) })
	keys, rank := make([]node[K], len(byKey)), make([]int, len(byKey))
	for pos, id := range byKey {
		keys[pos], rank[id] = b.nodes[id], pos
	}
	edges := make([]edge, len(b.edges))
	for i, e := range b.edges {
		edges[i] = edge{from: rank[e.from], to: rank[e.to], at: e.at}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to), compareRanges(a.at, b.at))
	})
	return keys, slices.CompactFunc(edges, func(a, b edge) bool { return a.from == b.from && a.to == b.to })
}

func (b *Builder[K]) check(keys []node[K], edges []edge) error {
	var errs []error
	for _, n := range keys {
		if n.added > 1 {
			errs = append(errs, fmt.Errorf("node %s: added %d times", n.key, n.added))
		}
	}
	for _, e := range edges {
		for _, end := range []int{e.from, e.to} {
			if keys[end].added == 0 {
				errs = append(errs, fmt.Errorf("edge from %s to %s: no node %s", keys[e.from].key, keys[e.to].key, keys[end].key))
			}
		}
	}
	return errors.Join(errs...)
}

// compareRanges orders ranges as a reader meets them; the zero range, which says nothing, comes last.
func compareRanges(a, b hcl.Range) int {
	if az, bz := a.Filename == "", b.Filename == ""; az != bz {
		if az {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(a.Filename, b.Filename), cmp.Compare(a.Start.Byte, b.Start.Byte), cmp.Compare(a.End.Byte, b.End.Byte))
}
