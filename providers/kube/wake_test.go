package kube_test

import (
	"testing"
	"time"

	"github.com/expertflow/cxha/providers/kube"
)

func TestParseUnitRuns(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		out  string
		unit string
		age  time.Duration
		bad  bool
	}{
		"none runs":   {out: "\n"},
		"agent":       {out: "rke2-agent\nSun 2026-11-22 09:00:08 CEST\nSun 2026-11-22 09:01:10 CEST\n", unit: "rke2-agent", age: 62 * time.Second},
		"cut off":     {out: "rke2-agent\nSun 2026-11-22 09:00:08 UTC\n", bad: true},
		"no time":     {out: "rke2-agent\nn/a\nSun 2026-11-22 09:01:10 UTC\n", bad: true},
		"other clock": {out: "rke2-agent\nSun 2026-11-22 09:00:08 UTC\nnoon\n", bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unit, age, err := kube.ParseUnitRuns(test.out)
			if (err != nil) != test.bad {
				t.Fatalf("error %v", err)
			}
			if unit != test.unit || age != test.age {
				t.Errorf("got %s %s, want %s %s", unit, age, test.unit, test.age)
			}
		})
	}
}

func FuzzParseUnitRuns(f *testing.F) {
	f.Add("rke2-agent\nSun 2026-11-22 09:00:08 UTC\nSun 2026-11-22 09:01:10 UTC\n")
	f.Fuzz(func(t *testing.T, out string) {
		unit, age, err := kube.ParseUnitRuns(out)
		if err != nil && (unit != "" || age != 0) {
			t.Errorf("%q: an error and the value %s %s", out, unit, age)
		}
	})
}
