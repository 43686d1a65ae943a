package engine_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/engine/graph/graphtest"
)

// The budgets of design.md §6. A benchmark reports each as a metric of its own, "budget-" and the unit that it is about, and
// `make bench` puts the two side by side.

// budgetTime is what a whole plan or the executor may take, by number of resources; none is set for a hundred.
var budgetTime = map[int]time.Duration{1000: 100 * time.Millisecond, 10000: time.Second}

const (
	budgetPlanMB       = 300.0 // at 10,000 resources
	budgetCriticalPath = 1.05
)

func benchSizes(b *testing.B, run func(b *testing.B, l *layered)) {
	for _, n := range graphtest.Sizes() {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			run(b, newLayered(n))
			if t, ok := budgetTime[n]; ok {
				b.ReportMetric(float64(t.Nanoseconds()), "budget-ns/op")
			}
		})
	}
}

// BenchmarkCompile goes from the providers' resources to the model and its graph. Its budget is that of the whole plan.
func BenchmarkCompile(b *testing.B) {
	benchSizes(b, func(b *testing.B, l *layered) {
		for b.Loop() {
			l.compiled(b)
		}
	})
}

// BenchmarkPlan compares and orders a compiled model with what was seen. Its budget is that of the whole plan.
func BenchmarkPlan(b *testing.B) {
	changes := map[live]func(n int) int{
		absent: func(n int) int { return n },
		drift:  func(n int) int { return n / 10 },
		same:   func(int) int { return 0 },
	}
	for _, what := range []live{absent, drift, same} {
		b.Run(string(what), func(b *testing.B) {
			benchSizes(b, func(b *testing.B, l *layered) {
				m, snap := l.compiled(b), l.snapshot(what)
				for b.Loop() {
					p, diags := engine.Plan(m, snap)
					if diags.HasErrors() {
						b.Fatal(diags)
					}
					if got, want := p.Plan.Summary().Total(), changes[what](l.n); got != want {
						b.Fatalf("%d changes, want %d", got, want)
					}
				}
			})
		})
	}
}

// BenchmarkWholePlan compiles and plans: all that a plan does besides asking the hosts and printing. MB is all memory that was
// taken from the heap, as if nothing of it had been given back meanwhile: the peak is below that.
func BenchmarkWholePlan(b *testing.B) {
	benchSizes(b, func(b *testing.B, l *layered) {
		snap := l.snapshot(drift)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for b.Loop() {
			p, diags := engine.Plan(l.compiled(b), snap)
			if diags.HasErrors() || len(p.Plan.Changes) != l.n {
				b.Fatalf("%d changes: %v", len(p.Plan.Changes), diags)
			}
		}
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/1e6, "MB/op")
		if l.n == 10000 {
			b.ReportMetric(budgetPlanMB, "budget-MB/op")
		}
	})
}

// BenchmarkApply runs changes that take no time: what is left is the executor.
func BenchmarkApply(b *testing.B) {
	benchSizes(b, func(b *testing.B, l *layered) {
		p := l.planned(b, absent)
		events := 0
		s := engine.NewSession(nil, nil, func(engine.Event) { events++ })
		defer s.Close()
		for b.Loop() {
			applied(b, p, s, l.n, engine.ApplyOptions{})
		}
		if want := (2 + 2*l.n) * b.N; events != want { // the run and every change begin and end
			b.Fatalf("%d events, want %d", events, want)
		}
	})
}

// BenchmarkCriticalPath runs changes that take 10 to 22 ms, which is what one command costs over a fast network. The changes of
// the longest path, one after the other, are the least that any executor needs; x_critical is how many times that the run takes.
// The limit per host is so high that it never holds: it would make the path longer.
func BenchmarkCriticalPath(b *testing.B) {
	for _, n := range []int{100, 1000} { // with 10,000 the limit of changes at a time is longer than the path
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			l := newLayered(n)
			l.work = takeTime
			path := l.criticalPath()
			p, s := l.planned(b, absent), engine.NewSession(nil, nil, nil)
			defer s.Close()
			var floor, ours time.Duration
			for b.Loop() {
				began := time.Now()
				for _, kind := range path {
					if err := takeTime(b.Context(), kind); err != nil {
						b.Fatal(err)
					}
				}
				floor += time.Since(began)
				began = time.Now()
				applied(b, p, s, n, engine.ApplyOptions{PerHost: resourcesPerWorker})
				ours += time.Since(began)
			}
			b.ReportMetric(float64(ours)/float64(floor), "x_critical")
			b.ReportMetric(budgetCriticalPath, "budget-x_critical")
		})
	}
}

// takeTime is as long as the kind's cost says.
func takeTime(ctx context.Context, kind int) error {
	select {
	case <-time.After(time.Duration(cost(kind) * float64(time.Second))):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func applied(b *testing.B, p *engine.Planned, s *engine.Session, n int, o engine.ApplyOptions) {
	b.Helper()
	l, err := engine.Apply(b.Context(), p, s, o)
	if err != nil {
		b.Fatal(err)
	}
	if got := l.Count(engine.Done); got != n {
		b.Fatalf("%d done, want %d", got, n)
	}
}
