package graph

import (
	"slices"
	"sync"
)

// ranks returns for every node the length of the longest path that begins with it and goes on to what needs it.
func (g *Graph[K]) ranks(cost func(K) float64) []float64 {
	rank := make([]float64, g.Len())
	for id := g.Len() - 1; id >= 0; id-- {
		for _, n := range g.needed[id] {
			rank[id] = max(rank[id], rank[n])
		}
		if cost == nil {
			rank[id]++
		} else {
			rank[id] += cost(g.keys[id])
		}
	}
	return rank
}

// Estimate follows a walk and tells how much of it is left. It may be used by many goroutines at once.
type Estimate[K Key] struct {
	ids    map[K]int
	rank   []float64
	byRank []int // nodes, highest rank first

	mu   sync.Mutex // guards done and next
	done []bool
	next int // place in byRank of the first node that is not done
}

// NewEstimate returns the estimate of a walk that has not begun. cost is as in WalkOptions.
func (g *Graph[K]) NewEstimate(cost func(K) float64) *Estimate[K] {
	e := &Estimate[K]{ids: g.ids, rank: g.ranks(cost), byRank: make([]int, g.Len()), done: make([]bool, g.Len())}
	for i := range e.byRank {
		e.byRank[i] = i
	}
	slices.SortStableFunc(e.byRank, func(a, b int) int {
		switch {
		case e.rank[a] > e.rank[b]:
			return -1
		case e.rank[a] < e.rank[b]:
			return 1
		}
		return 0
	})
	return e
}

// Done takes a node, which will not be visited again, out of the rest.
func (e *Estimate[K]) Done(k K) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if id, ok := e.ids[k]; ok {
		e.done[id] = true
	}
}

// Remaining returns the length of the longest path through nodes that are not done, in the unit of cost.
func (e *Estimate[K]) Remaining() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.next < len(e.byRank) && e.done[e.byRank[e.next]] {
		e.next++
	}
	if e.next == len(e.byRank) {
		return 0
	}
	return e.rank[e.byRank[e.next]]
}

// LongestPath returns the path whose nodes cost most together, in the graph's order; of several equally long ones the first. It
// is empty where nothing costs anything. cost is as in WalkOptions.
func (g *Graph[K]) LongestPath(cost func(K) float64) []K {
	rank := g.ranks(cost)
	var path []int
	// step goes on with the highest of these nodes.
	step := func(ids []int) bool {
		best := -1
		for _, id := range ids {
			if rank[id] > 0 && (best < 0 || rank[id] > rank[best]) {
				best = id
			}
		}
		if best >= 0 {
			path = append(path, best)
		}
		return best >= 0
	}
	all := make([]int, g.Len())
	for id := range all {
		all[id] = id
	}
	for more := step(all); more; more = step(g.needed[path[len(path)-1]]) {
	}
	return g.pick(path)
}
