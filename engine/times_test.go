package engine_test

import (
	"testing"
	"time"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/plans"
)

// How long a run will take is told by what was measured before, and not at all where most of it was never measured.
func TestOnlyWhatWasMeasuredIsForetold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		known map[string]time.Duration
		want  time.Duration // of the longest path
	}{
		"nothing measured": {want: 0},
		"half measured":    {known: map[string]time.Duration{"a": 3 * time.Second}, want: 0},
		"all measured":     {known: map[string]time.Duration{"a": 3 * time.Second, "b": 4 * time.Second}, want: 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.file("a", "w1", "x")
			w.file("b", "w1", "y", "a")
			var started engine.RunStarted
			planned, session := w.plan(t, func(e engine.Event) {
				if s, ok := e.(engine.RunStarted); ok {
					started = s
				}
			})
			_, err := engine.Apply(t.Context(), planned, session, engine.ApplyOptions{Times: func(c2 plans.Change) (time.Duration, bool) {
				took, ok := c.known[c2.Addr.Block.Name]
				return took, ok
			}})
			if err != nil {
				t.Fatal(err)
			}
			if started.Estimate.Round(time.Millisecond) != c.want {
				t.Errorf("foretold is %s, want %s", started.Estimate, c.want)
			}
		})
	}
}
