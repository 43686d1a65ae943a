package engine

import (
	"slices"

	"github.com/expertflow/cxha/schema"
)

// needs finds for one resource after the other, in the order of the graph, the nearest changes that it depends on, through
// resources that stay as they are. A site has many such resources in a row, and each passes on all that it needs, so sets of
// numbers stand for sets of addresses here, and neighbours share them.
type needs struct {
	byAddr []schema.Addr         // sorted; an address's index is its number
	ids    map[schema.Addr]int32 // numbers
	sets   map[int32][]int32     // by number: what is required in the place of a resource that stays as it is, or was refused
}

func newNeeds(order []schema.Addr) needs {
	n := needs{byAddr: slices.Clone(order), ids: make(map[schema.Addr]int32, len(order)), sets: map[int32][]int32{}}
	slices.SortFunc(n.byAddr, schema.Addr.Compare)
	for i, a := range n.byAddr {
		n.ids[a] = int32(i)
	}
	return n
}

// of returns what somebody requires who depends on these, sorted. The result is shared and not to be changed.
func (n *needs) of(deps []schema.Addr) []int32 {
	var all []int32
	for _, dep := range deps {
		id := n.ids[dep]
		set, passed := n.sets[id]
		if !passed {
			set = []int32{id}
		}
		all = union(all, set)
	}
	return all
}

// passed says that a resource stays as it is, so who depends on it requires what it requires.
func (n *needs) passed(a schema.Addr, requires []int32) { n.sets[n.ids[a]] = requires }

// refused says that there is no change of a resource. The plan fails anyway.
func (n *needs) refused(a schema.Addr) { n.sets[n.ids[a]] = nil }

func (n *needs) addrs(ids []int32) []schema.Addr {
	if len(ids) == 0 {
		return nil
	}
	addrs := make([]schema.Addr, len(ids))
	for i, id := range ids {
		addrs[i] = n.byAddr[id]
	}
	return addrs
}

// union returns the union of two sorted sets: one of the two itself where that is it.
func union(a, b []int32) []int32 {
	switch {
	case len(a) == 0 || slices.Equal(a, b):
		return b
	case len(b) == 0:
		return a
	}
	all := make([]int32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		least := min(a[0], b[0])
		all = append(all, least)
		if a[0] == least {
			a = a[1:]
		}
		if b[0] == least {
			b = b[1:]
		}
	}
	return append(append(all, a...), b...)
}
