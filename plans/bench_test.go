package plans_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
)

// pair is a resource of the usual size: every second one differs.
func pair(i int) (desired, live cty.Value) {
	make := func(version string) cty.Value {
		labels, options := attrs{}, attrs{}
		for k := range 3 {
			labels[fmt.Sprintf("example.org/label-%d", k)] = text(fmt.Sprint(i, k))
			options[fmt.Sprintf("option-%d", k)] = list("one", "two", version)
		}
		return obj(attrs{"labels": cty.MapVal(labels), "options": obj(options), "token": secret("t"), "mode": text("0600")})
	}
	return make("new"), make([]string{"new", "old"}[i%2])
}

func benchSizes(b *testing.B, sizes []int, run func(b *testing.B, n int)) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			run(b, n)
		})
	}
}

// budgets are those of a whole plan of so many resources (design.md §6). `make bench` puts them beside what was measured.
var budgets = map[int]time.Duration{1000: 100 * time.Millisecond, 10000: time.Second}

// BenchmarkDiff compares n resources.
func BenchmarkDiff(b *testing.B) {
	benchSizes(b, []int{100, 1000, 10000}, func(b *testing.B, n int) {
		desired, live := make([]cty.Value, n), make([]cty.Value, n)
		for i := range n {
			desired[i], live[i] = pair(i)
		}
		for b.Loop() {
			for i := range n {
				d, err := plans.Diff(desired[i], live[i], plans.DiffOptions{})
				if err != nil {
					b.Fatal(err)
				}
				if (d.Action == plans.Update) != (i%2 == 1) {
					b.Fatalf("resource %d: %s", i, d.Action)
				}
			}
		}
		if t, ok := budgets[n]; ok {
			b.ReportMetric(float64(t.Nanoseconds()), "budget-ns/op")
		}
	})
}

// BenchmarkWriteFile writes a plan of n changes.
func BenchmarkWriteFile(b *testing.B) {
	benchSizes(b, []int{100, 1000}, func(b *testing.B, n int) {
		p := changes(b, n)
		for b.Loop() {
			if err := plans.WriteFile(io.Discard, p, fileOptions); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReadFile reads a plan of n changes, and checks that it still fits.
func BenchmarkReadFile(b *testing.B) {
	benchSizes(b, []int{100, 1000}, func(b *testing.B, n int) {
		p := changes(b, n)
		var buf bytes.Buffer
		if err := plans.WriteFile(&buf, p, fileOptions); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			f, diags := plans.ReadFile(buf.Bytes(), "test.plan")
			if diags.HasErrors() {
				b.Fatal(diags)
			}
			if v := plans.Check(f, p); len(v.Run) != n {
				b.Fatalf("%d fit", len(v.Run))
			}
		}
	})
}

// changes is a plan of n updates.
func changes(b *testing.B, n int) *plans.Plan {
	b.Helper()
	var rs []resource
	for i := range n {
		_, live := pair(1)
		desired, _ := pair(0)
		rs = append(rs, resource{addr: fmt.Sprintf("worker.w%d/x.y", i), desired: desired, live: live})
	}
	return makePlan(b, rs...)
}
