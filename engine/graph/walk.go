package graph

import (
	"context"
	"sync"
)

// WalkOptions says how a graph is walked. The zero value visits as much at once as the edges allow.
type WalkOptions[K Key] struct {
	Limit      int             // visits at a time; 0: no limit
	Group      func(K) string  // groups with a limit of their own; the empty group has none. May be nil.
	GroupLimit int             // visits at a time per group; 0: no limit
	Cost       func(K) float64 // expected length of a visit, in any unit; nil: all are equally long
	Block      func(K) bool    // nodes that cannot be visited; what needs them is skipped because of them. May be nil.
}

// Walk calls visit for every node once all that it needs has been visited, many at a time. Of the nodes that could start, it
// takes the one with the longest path still to go. An error of visit fails the node: what needs it is skipped, the rest goes
// on. When ctx ends, nothing new is started, and Walk returns when the running visits have. The context of visits has ctx's
// values and does not end with it: who wants to cut visits off gives them a context of their own.
func (g *Graph[K]) Walk(ctx context.Context, o WalkOptions[K], visit func(context.Context, K) error) *Result[K] {
	w := newWalk(ctx, g, o, visit)
	w.mu.Lock()
	for _, id := range w.start() {
		w.wg.Go(func() { w.work(id) })
	}
	w.mu.Unlock()
	w.wg.Wait()
	return w.result()
}

type state uint8

const (
	waiting state = iota // or never reached
	blocked
	running
	done
	failed
)

type walk[K Key] struct {
	g          *Graph[K]
	ctx        context.Context // its end is the only thing it is used for
	visit      func(K) error
	limit      int
	groupLimit int
	group      []string // by node; nil: no groups
	wg         sync.WaitGroup

	mu      sync.Mutex // guards all below while workers run
	state   []state
	errs    []error
	missing []int // by node: how many of its needs are not done
	ready   queue
	running int
	groups  map[string]*groupState
}

// groupState counts a group's running visits and holds back its nodes while it is full.
type groupState struct {
	running int
	held    queue
}

func newWalk[K Key](ctx context.Context, g *Graph[K], o WalkOptions[K], visit func(context.Context, K) error) *walk[K] {
	inner := context.WithoutCancel(ctx)
	w := &walk[K]{
		g: g, ctx: ctx, limit: o.Limit, groupLimit: o.GroupLimit,
		visit:   func(k K) error { return visit(inner, k) },
		state:   make([]state, g.Len()),
		errs:    make([]error, g.Len()),
		missing: make([]int, g.Len()),
		groups:  map[string]*groupState{},
	}
	rank := g.ranks(o.Cost)
	w.ready = queue{rank: rank}
	if o.Group != nil && o.GroupLimit > 0 {
		w.group = make([]string, g.Len())
	}
	for id, k := range g.keys {
		w.missing[id] = len(g.needs[id])
		if w.group != nil {
			w.group[id] = o.Group(k)
			w.groups[w.group[id]] = &groupState{held: queue{rank: rank}}
		}
		if o.Block != nil && o.Block(k) {
			w.state[id] = blocked
		} else if w.missing[id] == 0 {
			w.ready.push(id)
		}
	}
	return w
}

// work visits a node and then whatever can start, until nothing can. What it cannot do itself, it leaves to new workers.
func (w *walk[K]) work(id int) {
	for {
		err := w.visit(w.g.keys[id])
		w.mu.Lock()
		w.finish(id, err)
		next := w.start()
		w.mu.Unlock()
		if len(next) == 0 {
			return
		}
		for _, other := range next[1:] {
			w.wg.Go(func() { w.work(other) })
		}
		id = next[0]
	}
}

// finish records a visit and frees what waited for it. A failed node frees nobody, so its dependents are never reached.
func (w *walk[K]) finish(id int, err error) {
	w.running--
	if gs := w.limited(id); gs != nil {
		gs.running--
		if gs.held.Len() > 0 {
			w.ready.push(gs.held.pop())
		}
	}
	if err != nil {
		w.state[id], w.errs[id] = failed, err
		return
	}
	w.state[id] = done
	for _, n := range w.g.needed[id] {
		w.missing[n]--
		if w.missing[n] == 0 && w.state[n] == waiting {
			w.ready.push(n)
		}
	}
}

// start takes the nodes that may run now off the queue.
func (w *walk[K]) start() []int {
	if w.ctx.Err() != nil {
		return nil
	}
	var ids []int
	for w.ready.Len() > 0 && (w.limit <= 0 || w.running < w.limit) {
		id := w.ready.pop()
		if gs := w.limited(id); gs != nil {
			if gs.running >= w.groupLimit {
				gs.held.push(id)
				continue
			}
			gs.running++
		}
		w.state[id] = running
		w.running++
		ids = append(ids, id)
	}
	return ids
}

// limited returns the node's group, or nil where no limit holds for it.
func (w *walk[K]) limited(id int) *groupState {
	if w.group == nil || w.group[id] == "" {
		return nil
	}
	return w.groups[w.group[id]]
}
