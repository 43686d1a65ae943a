package graph

import "slices"

// Result is what became of the nodes of a walk: each is in exactly one list, in the graph's order.
type Result[K Key] struct {
	Done       []K
	Failed     []Failure[K]
	Skipped    []Skip[K]
	Blocked    []K // WalkOptions.Block held for them, whatever became of what they need
	NotStarted []K // the context ended first
}

// Failure is a node whose visit failed.
type Failure[K Key] struct {
	Node K
	Err  error
}

// Skip is a node that was not visited because of failed or blocked ones among all that it needs: those, in the graph's order.
type Skip[K Key] struct {
	Node    K
	Because []K
}

func (w *walk[K]) result() *Result[K] {
	r := &Result[K]{}
	because := make([][]int, w.g.Len())
	for id, k := range w.g.keys {
		switch w.state[id] {
		case done:
			r.Done = append(r.Done, k)
		case failed:
			r.Failed = append(r.Failed, Failure[K]{Node: k, Err: w.errs[id]})
			because[id] = []int{id}
		case blocked:
			r.Blocked = append(r.Blocked, k)
			because[id] = []int{id}
		default:
			because[id] = w.union(id, because)
			if len(because[id]) > 0 {
				r.Skipped = append(r.Skipped, Skip[K]{Node: k, Because: w.g.pick(because[id])})
			} else {
				r.NotStarted = append(r.NotStarted, k)
			}
		}
	}
	return r
}

// union collects the causes of what a node needs. Whole layers often share one set of causes, so it is not copied then.
func (w *walk[K]) union(id int, because [][]int) []int {
	var all []int
	for _, e := range w.g.needs[id] {
		more := because[e.to]
		if len(all) == 0 {
			all = more
		} else if !slices.Equal(all, more) {
			all = slices.Concat(all, more)
			slices.Sort(all)
			all = slices.Compact(all)
		}
	}
	return all
}
