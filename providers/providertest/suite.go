package providertest

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// Runner runs a script as root on a throw-away host. An error means that the host did not answer.
type Runner func(ctx context.Context, script string) (providers.Reply, error)

// HostCase is a resource of a HostKind and what is to be tried with it.
type HostCase struct {
	Kind     providers.HostKind
	Resource providers.Resource // Desired as after Inputs were filled; what the kind makes itself may be unknown

	Prepare string            // sh text that makes a fresh host ready for the case
	Drifts  map[string]string // by name: sh text that makes the live state another one
	Uncut   bool              // the commands are another case's with other words: cutting them off would prove nothing new
	Stays   bool              // the kind has no state of absence that its commands could lead to: it is never removed by itself
	Reset   string            // sh text that makes a used host fresh, for suites that share one
}

// HostSuite checks HostKinds.
type HostSuite struct {
	// Host returns a host for one run of a case. It may be the same each time if every case has a Reset.
	Host func(t *testing.T) Runner

	// Tree is sh text that prints a digest of everything that a question must not change.
	Tree string
}

// Run checks a case: that its question changes nothing; that its commands lead from nothing to what is desired, twice as well as
// once, and from wherever they were cut off; that every drift is seen and mended; and that a removal removes.
func (s HostSuite) Run(t *testing.T, c HostCase) {
	t.Helper()
	t.Run("create", func(t *testing.T) {
		h := s.host(t, c)
		before := h.observe()
		change, ok := h.plan(c.Resource.Desired, before)
		if !ok {
			t.Fatal("a fresh host shows the desired state already: the case proves nothing")
		}
		h.apply(change)
		h.apply(change) // again: as after a lost connection
		h.settled(change.After)
		h.quiet()
	})
	if !c.Uncut {
		t.Run("cut", func(t *testing.T) { s.cut(t, c) })
	}
	for _, name := range sortedKeys(c.Drifts) {
		t.Run("drift "+name, func(t *testing.T) {
			h := s.host(t, c)
			h.converge()
			h.must(c.Drifts[name])
			if _, ok := h.plan(c.Resource.Desired, h.observe()); !ok {
				t.Fatal("the drift is not seen")
			}
			h.converge()
		})
	}
	if !c.Stays {
		t.Run("delete", func(t *testing.T) { s.remove(t, c) })
	}
}

// cut runs ever longer beginnings of the commands, each on a fresh host, and lets a whole run mend what they left.
func (s HostSuite) cut(t *testing.T, c HostCase) {
	h := s.host(t, c)
	change, _ := h.plan(c.Resource.Desired, h.observe())
	lines := strings.SplitAfter(h.commands(change).Text(), "\n")
	for _, n := range cutPoints(lines) {
		h := s.host(t, c)
		if _, err := h.run(t.Context(), "set -eu\n"+strings.Join(lines[:n], "")); err != nil {
			t.Fatal(err)
		}
		h.converge()
		if t.Failed() {
			t.Fatalf("after a cut behind line %d, %q", n, lines[n-1])
		}
	}
}

var heredoc = regexp.MustCompile(`<<'(\w+)'$`)

// cutPoints returns after how many lines a script is worth to be cut off: after each, but of a here-document only the first.
func cutPoints(lines []string) []int {
	var points []int
	end := ""
	for i, line := range lines[:len(lines)-1] {
		text := strings.TrimRight(line, "\n")
		switch m := heredoc.FindStringSubmatch(text); {
		case end == "" && m != nil:
			end = m[1]
			points = append(points, i+1, min(i+2, len(lines)-1))
		case end == text:
			end = ""
			points = append(points, i+1)
		case end == "":
			points = append(points, i+1)
		}
	}
	return slices.Compact(points)
}

// remove checks that a resource that left the blueprint is found and removed, and that one cxha never made is left alone.
func (s HostSuite) remove(t *testing.T, c HostCase) {
	h := s.host(t, c)
	gone := c.Resource
	gone.Desired, gone.Inputs = cty.NullVal(c.Kind.Type().Object), nil
	h.kase.Resource = gone
	if v := h.observe(); !v.IsNull() {
		t.Errorf("before cxha made anything there is %s to be removed, want nothing", show(v))
	}
	h.kase.Resource = c.Resource
	h.converge()
	h.kase.Resource = gone
	live := h.observe()
	if live.IsNull() {
		t.Fatal("what cxha made is not found when it left the blueprint")
	}
	change, _ := h.plan(gone.Desired, live)
	if change.Action != plans.Delete {
		t.Fatalf("planned is %s, want delete", change.Action)
	}
	h.apply(change)
	h.apply(change)
	if v := h.observe(); !v.IsNull() {
		t.Errorf("after the removal there is %s, want nothing", show(v))
	}
}

func (s HostSuite) host(t *testing.T, c HostCase) *host {
	t.Helper()
	h := &host{t: t, run: s.Host(t), kase: c, tree: s.Tree}
	if c.Reset != "" {
		h.must(c.Reset)
	}
	if c.Prepare != "" {
		h.must(c.Prepare)
	}
	return h
}

// host is a throw-away host within one test.
type host struct {
	t    *testing.T
	run  Runner
	kase HostCase
	tree string
}

func (h *host) must(script string) providers.Reply {
	h.t.Helper()
	reply, err := h.run(h.t.Context(), "set -eu\n"+script)
	if err != nil {
		h.t.Fatal(err)
	}
	if reply.Exit != 0 {
		h.t.Fatalf("exit code %d\n%s\nof the script\n%s", reply.Exit, reply.Stderr, script)
	}
	return reply
}

func (h *host) observe() cty.Value {
	h.t.Helper()
	reply, err := h.run(h.t.Context(), "(\n"+h.kase.Kind.Question(h.kase.Resource)+"\n) </dev/null")
	if err != nil {
		h.t.Fatal(err)
	}
	v, err := h.kase.Kind.Answer(h.kase.Resource, reply)
	if err != nil {
		h.t.Fatalf("%v\nof the answer\n%s", err, reply.Stdout)
	}
	if want := h.kase.Kind.Type().Object; !schema.Plain(v).Type().Equals(want) {
		h.t.Fatalf("the live value is of type %#v, want the kind's, %#v", v.Type(), want)
	}
	return v
}

// plan compares as the engine does.
func (h *host) plan(desired, live cty.Value) (change plans.Change, changes bool) {
	h.t.Helper()
	d, err := plans.Diff(desired, live, plans.DiffOptions{Replace: h.kase.Kind.Type().Replace})
	if err != nil {
		h.t.Fatal(err)
	}
	change = plans.Change{Addr: h.kase.Resource.Addr, Host: h.kase.Resource.Host, Action: d.Action, Before: live, After: d.After}
	if !d.Action.Changes() {
		return change, false
	}
	if e, ok := h.kase.Kind.(providers.Explainer); ok {
		if change.Reason, err = e.Explain(change); err != nil {
			h.t.Fatalf("refused: %v", err)
		}
	}
	if m, ok := h.kase.Kind.(providers.Maker); ok && !change.After.IsNull() && !change.After.IsWhollyKnown() {
		if change.After, err = m.Make(change.After); err != nil {
			h.t.Fatal(err)
		}
	}
	return change, true
}

func (h *host) commands(c plans.Change) *shell.Script {
	h.t.Helper()
	s, err := h.kase.Kind.Commands(c)
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *host) apply(c plans.Change) {
	h.t.Helper()
	h.must(h.commands(c).Text())
	if a, ok := h.kase.Kind.(providers.Awaiter); ok && !c.After.IsNull() {
		if err := Wait(h.t, h.run, a.Await(c)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// Wait polls a condition on a host until it is done, and returns the error that ends the wait.
func Wait(t *testing.T, run Runner, a providers.Await) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), a.Limit)
	defer cancel()
	tick := time.NewTicker(min(a.Every, 100*time.Millisecond))
	defer tick.Stop()
	for {
		reply, err := run(ctx, a.Question)
		if err != nil {
			t.Fatal(err)
		}
		done, missing, err := a.Done(reply)
		if done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited for %s in vain: %s", a.Limit, missing)
		}
	}
}

// converge applies once and wants nothing left to do.
func (h *host) converge() {
	h.t.Helper()
	if change, ok := h.plan(h.kase.Resource.Desired, h.observe()); ok {
		h.apply(change)
		h.settled(change.After)
	}
	h.settled(h.kase.Resource.Desired)
}

// settled checks that nothing differs from want.
func (h *host) settled(want cty.Value) {
	h.t.Helper()
	live := h.observe()
	d, err := plans.Diff(want, live, plans.DiffOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	if d.Action != plans.NoOp {
		h.t.Errorf("live is\n%s\nwant\n%s", show(live), show(want))
	}
}

// quiet checks that the question changes nothing.
func (h *host) quiet() {
	h.t.Helper()
	if h.tree == "" {
		return
	}
	before := h.must(h.tree).Stdout
	h.observe()
	if after := h.must(h.tree).Stdout; after != before {
		h.t.Errorf("the question changed the host: its tree was\n%s\nand is\n%s", before, after)
	}
}

func show(v cty.Value) string {
	hidden, err := schema.HideSensitive(v, "providertest")
	if err != nil {
		return err.Error()
	}
	return hidden.GoString()
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Converge makes a resource right on a host, checks that nothing is left to do, and returns the live value.
func Converge(t *testing.T, run Runner, k providers.HostKind, r providers.Resource) cty.Value {
	t.Helper()
	h := &host{t: t, run: run, kase: HostCase{Kind: k, Resource: r}}
	h.converge()
	return h.observe()
}

// Changes tells whether a resource differs on a host from what is desired, and how it would be explained.
func Changes(t *testing.T, run Runner, k providers.HostKind, r providers.Resource) (plans.Change, bool) {
	t.Helper()
	h := &host{t: t, run: run, kase: HostCase{Kind: k, Resource: r}}
	return h.plan(r.Desired, h.observe())
}
