package engine

import (
	"time"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

// State is what became of a change in a run.
type State string

// The states. They are stable: --json prints them.
const (
	Done       State = "done"
	Failed     State = "failed"
	Skipped    State = "skipped"     // something it needs failed, or is not known
	NotStarted State = "not_started" // the run was interrupted first
)

// Entry is one change's line in the ledger.
type Entry struct {
	Change  plans.Change
	State   State
	Err     error         // Failed
	Because []schema.Addr // Skipped: what failed or is not known, sorted
	Took    time.Duration
}

// Ledger is the account of a run: every change of the plan that was to run, in the plan's order.
type Ledger struct {
	Entries     []Entry
	Took        time.Duration
	Interrupted bool

	// Longest is the chain of changes, each needed by the next, that took longest together: the run cannot be shorter.
	Longest []Entry
}

// LongestTook returns how long the changes of the longest chain took together.
func (l *Ledger) LongestTook() time.Duration {
	var sum time.Duration
	for _, e := range l.Longest {
		sum += e.Took
	}
	return sum
}

// Count returns how many changes ended in that state.
func (l *Ledger) Count(s State) int {
	n := 0
	for _, e := range l.Entries {
		if e.State == s {
			n++
		}
	}
	return n
}

// Complete reports whether every change was made.
func (l *Ledger) Complete() bool { return l.Count(Done) == len(l.Entries) }
