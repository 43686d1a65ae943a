package kube_test

import (
	"testing"
	"time"

	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/providers/providertest"
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
		"agent":       {out: "rke2-agent\nSun 2026-11-22 09:00:08 UTC\n1795338070\n", unit: "rke2-agent", age: 62 * time.Second},
		"cut off":     {out: "rke2-agent\nSun 2026-11-22 09:00:08 UTC\n", bad: true},
		"no time":     {out: "rke2-agent\nn/a\n1795338070\n", bad: true},
		"other clock": {out: "rke2-agent\nSun 2026-11-22 09:00:08 UTC\nnoon\n", bad: true},
		"other zone":  {out: "rke2-agent\nSun 2026-11-22 14:45:08 +0545\n1795338070\n", bad: true},
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

// TestUnitRunsInAZoneWithMinutes asks a host of Nepal, under every shell: systemd prints the offset where a zone has no other name.
func TestUnitRunsInAZoneWithMinutes(t *testing.T) {
	t.Parallel()
	const nepal = `export TZ='<+0545>-5:45'
systemctl() {
  case $1 in
    is-active) [ "$3" = rke2-agent.service ] ;;
    show) if [ "$TZ" = UTC ]; then echo 'Sun 2026-11-22 09:00:08 UTC'; else echo 'Sun 2026-11-22 14:45:08 +0545'; fi ;;
  esac
}
`
	providertest.EachRelocated(t, func(t *testing.T, at func(*testing.T) providertest.Runner) {
		before := time.Now().Unix()
		reply, err := at(t)(t.Context(), nepal+kube.WakeQuestion)
		if err != nil {
			t.Fatal(err)
		}
		unit, age, err := kube.ParseUnitRuns(reply.Stdout)
		began := time.Date(2026, 11, 22, 9, 0, 8, 0, time.UTC)
		if least := time.Unix(before, 0).Sub(began); err != nil || unit != "rke2-agent" || age < least || age > least+time.Hour {
			t.Errorf("%s runs for %s (%v), want rke2-agent for %s; the host said %q", unit, age, err, least, reply.Stdout)
		}
	})
}

func FuzzParseUnitRuns(f *testing.F) {
	f.Add("rke2-agent\nSun 2026-11-22 09:00:08 UTC\n1795338070\n")
	f.Fuzz(func(t *testing.T, out string) {
		unit, age, err := kube.ParseUnitRuns(out)
		if err != nil && (unit != "" || age != 0) {
			t.Errorf("%q: an error and the value %s %s", out, unit, age)
		}
	})
}
