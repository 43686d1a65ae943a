package engine_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/engine/graph/graphtest"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

// TestRequiresAreTheNearestChanges compares every change of a large plan with what a search through the graph finds.
func TestRequiresAreTheNearestChanges(t *testing.T) {
	t.Parallel()
	l := newLayered(500)
	p := l.planned(t, drift)
	actions := map[schema.Addr]plans.Action{}
	for _, c := range p.Plan.Changes {
		actions[c.Addr] = c.Action
	}
	graph := graphtest.Layered(l.n)
	search := func(from int) []schema.Addr {
		found, seen := map[schema.Addr]bool{}, map[int]bool{}
		for todo := slices.Clone(graph[from]); len(todo) > 0; todo = todo[1:] {
			to := todo[0]
			switch {
			case seen[to]:
			case actions[l.addr(to)] == plans.NoOp:
				todo = append(todo, graph[to]...)
			default:
				found[l.addr(to)] = true
			}
			seen[to] = true
		}
		return slices.SortedFunc(maps.Keys(found), schema.Addr.Compare)
	}
	want := map[schema.Addr][]schema.Addr{}
	for i := range l.n {
		if actions[l.addr(i)] != plans.NoOp {
			want[l.addr(i)] = search(i)
		}
	}
	most := 0
	for _, c := range p.Plan.Changes {
		if diff := cmp.Diff(want[c.Addr], c.Requires); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.Addr, diff)
		}
		most = max(most, len(c.Requires))
	}
	if most < 5 {
		t.Errorf("no change requires more than %d others: the plan is too simple for this test", most)
	}
}

// TestApplyTakesItsCriticalPath runs changes that take time on a clock that stands still meanwhile, so that only the order of
// the changes counts: with room for all that could run, the longest path is all the time that it takes.
func TestApplyTakesItsCriticalPath(t *testing.T) {
	t.Parallel()
	l := newLayered(300)
	l.work = takeTime
	p := l.planned(t, absent)
	var want time.Duration
	for _, kind := range l.criticalPath() {
		want += time.Duration(cost(kind) * float64(time.Second))
	}
	synctest.Test(t, func(t *testing.T) {
		s := engine.NewSession(nil, nil, nil)
		defer s.Close()
		ledger, err := engine.Apply(context.Background(), p, s, engine.ApplyOptions{PerHost: resourcesPerWorker})
		if err != nil || !ledger.Complete() {
			t.Fatalf("%v: %v", states(ledger), err)
		}
		if ledger.Took != want {
			t.Errorf("it took %s, and the longest path %s", ledger.Took, want)
		}
	})
}
