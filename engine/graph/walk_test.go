package graph_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/expertflow/cxha/engine/graph"
	"github.com/expertflow/cxha/engine/graph/graphtest"
)

// minutes is how long nodes take: the number behind the colon of their name, else one.
func minutes(k key) float64 {
	_, n, ok := strings.Cut(string(k), ":")
	if !ok {
		return 1
	}
	return float64(n[0] - '0')
}

func sleep(k key) { time.Sleep(time.Duration(minutes(k)) * time.Minute) } // fake time, inside synctest

func TestWalkTakesTheCriticalPath(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lines []string
		opts  graph.WalkOptions[key]
		want  time.Duration
	}{
		"alone":              {lines: []string{"a", "b", "c"}, want: time.Minute},
		"a chain":            {lines: []string{"a needs b", "b needs c"}, want: 3 * time.Minute},
		"two chains":         {lines: []string{"a needs b", "b needs c", "x needs y:5"}, want: 6 * time.Minute},
		"one at a time":      {lines: []string{"a needs b", "x"}, opts: graph.WalkOptions[key]{Limit: 1}, want: 3 * time.Minute},
		"longest path first": {lines: []string{"a", "b", "z2 needs z1", "z1 needs z0"}, opts: graph.WalkOptions[key]{Limit: 2}, want: 3 * time.Minute},
		"costs count": {
			lines: []string{"a", "b", "c", "d", "e:4"},
			opts:  graph.WalkOptions[key]{Limit: 2, Cost: minutes}, want: 4 * time.Minute,
		},
		"limit of a group": {
			lines: []string{"h1/a", "h1/b", "h1/c", "h1/d", "h2/a"},
			opts:  graph.WalkOptions[key]{Group: host, GroupLimit: 2}, want: 2 * time.Minute,
		},
		"a full group holds back no other": {
			lines: []string{"a/1 needs a/0", "a/2 needs a/0", "a/3 needs a/0", "b/1"},
			opts:  graph.WalkOptions[key]{Limit: 2, Group: host, GroupLimit: 1}, want: 4 * time.Minute,
		},
		"longest path first in a group": {
			lines: []string{"a/1", "a/2", "z/2 needs z/1", "z/1 needs a/3", "z/3 needs z/2"},
			opts:  graph.WalkOptions[key]{Group: host, GroupLimit: 1}, want: 4 * time.Minute,
		},
		"the empty group has no limit": {
			lines: []string{"a", "b", "c"},
			opts:  graph.WalkOptions[key]{Group: host, GroupLimit: 1}, want: time.Minute,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := mustBuild(t, tt.lines...)
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := g.Walk(t.Context(), tt.opts, func(_ context.Context, k key) error {
					sleep(k)
					return nil
				})
				if took := time.Since(start); took != tt.want {
					t.Errorf("took %s, want %s", took, tt.want)
				}
				if diff := cmp.Diff(g.Order(), r.Done); diff != "" {
					t.Errorf("done (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func host(k key) string {
	h, _, ok := strings.Cut(string(k), "/")
	if !ok {
		return ""
	}
	return h
}

// meter counts what runs at the same time.
type meter struct {
	mu       sync.Mutex
	now, max map[string]int
}

func newMeter() *meter { return &meter{now: map[string]int{}, max: map[string]int{}} }

func (m *meter) run(names ...string) {
	m.add(names, 1)
	time.Sleep(time.Second) // fake time
	m.add(names, -1)
}

func (m *meter) add(names []string, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		m.now[name] += n
		m.max[name] = max(m.max[name], m.now[name])
	}
}

func TestWalkKeepsAndUsesLimits(t *testing.T) {
	t.Parallel()
	g, err := graphtest.Build(400)
	if err != nil {
		t.Fatal(err)
	}
	group := func(n graphtest.Node) string { return string(rune('a' + n%5)) }
	synctest.Test(t, func(t *testing.T) {
		m := newMeter()
		r := g.Walk(t.Context(), graph.WalkOptions[graphtest.Node]{Limit: 7, Group: group, GroupLimit: 2}, func(_ context.Context, n graphtest.Node) error {
			m.run("all", group(n))
			return nil
		})
		if len(r.Done) != 400 {
			t.Errorf("%d done, want 400", len(r.Done))
		}
		want := map[string]int{"all": 7, "a": 2, "b": 2, "c": 2, "d": 2, "e": 2}
		if diff := cmp.Diff(want, m.max); diff != "" {
			t.Errorf("most at a time (-want +got):\n%s", diff)
		}
	})
}

var errBroken = errors.New("broken")

func TestWalkFailureStopsOnlyDependents(t *testing.T) {
	t.Parallel()
	g := mustBuild(t, "a needs bad1", "b needs a bad2", "c needs good", "d needs c bad2", "e needs blocked", "blocked needs bad1", "f needs e")
	o := graph.WalkOptions[key]{Block: func(k key) bool { return k == "blocked" }}
	got := g.Walk(t.Context(), o, func(_ context.Context, k key) error {
		if strings.HasPrefix(string(k), "bad") {
			return errBroken
		}
		return nil
	})
	want := &graph.Result[key]{
		Done:   []key{"good", "c"},
		Failed: []graph.Failure[key]{{Node: "bad1", Err: errBroken}, {Node: "bad2", Err: errBroken}},
		Skipped: []graph.Skip[key]{
			{Node: "a", Because: []key{"bad1"}},
			{Node: "b", Because: []key{"bad1", "bad2"}},
			{Node: "d", Because: []key{"bad2"}},
			{Node: "e", Because: []key{"blocked"}},
			{Node: "f", Because: []key{"blocked"}},
		},
		Blocked: []key{"blocked"},
	}
	byName := cmpopts.SortSlices(func(a, b graph.Skip[key]) bool { return a.Node < b.Node })
	if diff := cmp.Diff(want, got, byName, cmpopts.EquateErrors(), cmpopts.SortSlices(func(a, b graph.Failure[key]) bool { return a.Node < b.Node })); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestWalkStopsWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	g := mustBuild(t, "c:3 needs b:3", "b:3 needs a:3", "y needs x:5", "z needs bad", "bad")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		start := time.Now()
		got := g.Walk(ctx, graph.WalkOptions[key]{}, func(ctx context.Context, k key) error {
			sleep(k)
			if k == "bad" {
				return errBroken
			}
			return ctx.Err() // a visit that runs when the walk's context ends is not cut off
		})
		// b runs from minute 3 to 6.
		if took := time.Since(start); took != 6*time.Minute {
			t.Errorf("took %s, want 6m", took)
		}
		want := &graph.Result[key]{
			Done:       []key{"a:3", "b:3", "x:5"},
			Failed:     []graph.Failure[key]{{Node: "bad", Err: errBroken}},
			Skipped:    []graph.Skip[key]{{Node: "z", Because: []key{"bad"}}},
			NotStarted: []key{"c:3", "y"},
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
	})
}

func TestWalkOfEndedContextStartsNothing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := mustBuild(t, "a needs b")
	got := g.Walk(ctx, graph.WalkOptions[key]{}, func(context.Context, key) error {
		t.Error("visited")
		return nil
	})
	if diff := cmp.Diff(&graph.Result[key]{NotStarted: []key{"b", "a"}}, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

// TestWalkVisitsAfterNeeds walks at random speed and with random failures; it is the race detector's food too.
func TestWalkVisitsAfterNeeds(t *testing.T) {
	t.Parallel()
	g, err := graphtest.Build(2000)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 5))
		bad := map[graphtest.Node]bool{}
		for range seed * 3 {
			bad[graphtest.Node(rng.IntN(2000))] = true
		}
		var mu sync.Mutex
		finished := map[graphtest.Node]bool{}
		r := g.Walk(t.Context(), graph.WalkOptions[graphtest.Node]{Limit: 16}, func(_ context.Context, n graphtest.Node) error {
			mu.Lock()
			defer mu.Unlock()
			for _, need := range g.Needs(n) {
				if !finished[need] {
					t.Errorf("%s runs before %s is done", n, need)
				}
			}
			if bad[n] {
				return errBroken
			}
			finished[n] = true
			return nil
		})
		if len(r.Done) != len(finished) || len(r.Done)+len(r.Failed)+len(r.Skipped) != 2000 {
			t.Errorf("seed %d: %d done of %d finished, %d failed, %d skipped", seed, len(r.Done), len(finished), len(r.Failed), len(r.Skipped))
		}
		for _, s := range r.Skipped {
			for _, b := range s.Because {
				if !bad[b] {
					t.Errorf("seed %d: %s skipped because of %s, which did not fail", seed, s.Node, b)
				}
			}
		}
	}
}

func TestEstimate(t *testing.T) {
	t.Parallel()
	g := mustBuild(t, "c:3 needs b:2", "b:2 needs a", "x:5")
	e := g.NewEstimate(minutes)
	var got []float64
	for _, k := range []key{"nobody", "a", "b:2", "x:5", "c:3"} {
		e.Done(k)
		got = append(got, e.Remaining())
	}
	if diff := cmp.Diff([]float64{6, 5, 5, 3, 0}, got); diff != "" {
		t.Errorf("remaining (-want +got):\n%s", diff)
	}
}

func TestLongestPath(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		nodes []string
		want  []key
	}{
		"the dearer branch":      {[]string{"c:3 needs b:2", "b:2 needs a", "x:5"}, []key{"a", "b:2", "c:3"}},
		"one node outweighs all": {[]string{"c:3 needs b:2", "b:2 needs a", "x:9"}, []key{"x:9"}},
		"the first of equals":    {[]string{"b:2 needs a", "c:2 needs a"}, []key{"a", "b:2"}},
		"nothing costs anything": {[]string{"b:0 needs a:0"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, mustBuild(t, test.nodes...).LongestPath(minutes)); diff != "" {
				t.Errorf("path (-want +got):\n%s", diff)
			}
		})
	}
}
