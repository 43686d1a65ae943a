package conformance

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Check is one point of the contract that can be seen on hosts.
type Check struct {
	ID    string   // C-TOKEN-03, as in CONTRACT.md
	Point string   // what holds, in a few words
	Needs []string // checks before it that must have the result Same, because it goes on from what they did

	// Run does what it takes and looks. Nil means that the point holds; a *Difference or *Skip says what else; any other error
	// means that it could not be seen, which counts as a difference.
	Run func(ctx context.Context, w *World) error
}

// Status is how a check ended.
type Status string

// The statuses.
const (
	Same    Status = "same"
	Differs Status = "differs"
	Skipped Status = "skipped"
)

// Result is what a check found. Its JSON form is stable and only grows.
type Result struct {
	ID       string  `json:"id"`
	Point    string  `json:"point"`
	Status   Status  `json:"status"`
	Expected string  `json:"expected,omitempty"`
	Seen     string  `json:"seen,omitempty"`
	Why      string  `json:"why,omitempty"` // of a skipped check
	Seconds  float64 `json:"seconds"`
}

// Difference tells that a point does not hold.
type Difference struct{ Expected, Seen string }

// Error implements error.
func (d *Difference) Error() string { return fmt.Sprintf("expected %s, saw %s", d.Expected, d.Seen) }

// Skip tells why a point was not looked at.
type Skip struct{ Why string }

// Error implements error.
func (s *Skip) Error() string { return "skipped: " + s.Why }

// Checks returns the suite, in the order in which it runs: each check goes on from what those before it left behind.
func Checks() []Check {
	var all []Check
	for _, group := range [][]Check{
		installChecks(), waitingChecks(), serverChecks(), configChecks(), tokenChecks(), refusalChecks(),
		joinChecks(), chartChecks(), registrationChecks(), unitChecks(), outageChecks(), otherTokenChecks(), removalChecks(),
	} {
		all = append(all, group...)
	}
	return all
}

// Run runs checks one after the other and hands each result to report. What a check needs and is not Same skips it. The error is
// that of the context when it ends; the checks that did not run are reported as skipped.
func Run(ctx context.Context, w *World, checks []Check, report func(Result)) error {
	held := map[string]bool{}
	for _, c := range checks {
		began := time.Now()
		r := Result{ID: c.ID, Point: c.Point}
		if why := blocked(ctx, c, held); why != "" {
			r.Status, r.Why = Skipped, why
		} else {
			r.judge(c.Run(ctx, w))
			held[c.ID] = r.Status == Same
		}
		r.Seconds = time.Since(began).Round(10 * time.Millisecond).Seconds()
		report(r)
	}
	return ctx.Err()
}

func blocked(ctx context.Context, c Check, held map[string]bool) string {
	if ctx.Err() != nil {
		return "the run was stopped"
	}
	for _, id := range c.Needs {
		if !held[id] {
			return id + " does not hold here"
		}
	}
	return ""
}

// judge sets the status for what a check returned.
func (r *Result) judge(err error) {
	var difference *Difference
	var skip *Skip
	switch {
	case err == nil:
		r.Status = Same
	case errors.As(err, &skip):
		r.Status, r.Why = Skipped, skip.Why
	case errors.As(err, &difference):
		r.Status, r.Expected, r.Seen = Differs, difference.Expected, difference.Seen
	default:
		r.Status, r.Expected, r.Seen = Differs, r.Point, err.Error()
	}
}

func differs(expected, format string, args ...any) error {
	return &Difference{Expected: expected, Seen: fmt.Sprintf(format, args...)}
}

// want compares what was seen with what is expected.
func want(what, expected, seen string) error {
	if seen == expected {
		return nil
	}
	return differs(what+" "+quoteOr(expected), "%s", quoteOr(seen))
}

func quoteOr(s string) string {
	if s == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", s)
}
