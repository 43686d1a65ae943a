package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
)

// text writes a plan as lines: symbol, block, reason code, and what it requires.
func text(p *plans.Plan) []string {
	var lines []string
	for _, c := range p.Changes {
		line := fmt.Sprintf("%c %s %s", c.Action, c.Addr.Block.Name, c.Reason.Code)
		for _, r := range c.Requires {
			line += " <" + r.Block.Name
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func states(l *engine.Ledger) map[string]engine.State {
	m := map[string]engine.State{}
	for _, e := range l.Entries {
		m[e.Change.Addr.Block.Name] = e.State
	}
	return m
}

func apply(t *testing.T, w *world) *engine.Ledger {
	t.Helper()
	p, s := w.plan(t, nil)
	l, err := engine.Apply(t.Context(), p, s, engine.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestSecondPlanIsEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("a", "cp1", "one")
	w.file("b", "w1", "it's \"two\"\n", "a")
	p, _ := w.plan(t, nil)
	if diff := cmp.Diff([]string{"+ a absent", "+ b absent <a"}, text(p.Plan)); diff != "" {
		t.Fatal(diff)
	}
	if l := apply(t, w); !l.Complete() {
		t.Fatalf("ledger %v", states(l))
	}
	p, _ = w.plan(t, nil)
	if n := p.Plan.Summary().Total(); n != 0 {
		t.Errorf("second plan has %d changes: %v", n, text(p.Plan))
	}
}

func TestPanicFailsItsChangeOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("a", "cp1", "panic")
	w.file("b", "w1", "two", "a")
	w.file("c", "w2", "three")
	l := apply(t, w)
	if diff := cmp.Diff(map[string]engine.State{"a": engine.Failed, "b": engine.Skipped, "c": engine.Done}, states(l)); diff != "" {
		t.Fatal(diff)
	}
	for _, e := range l.Entries {
		if e.State == engine.Failed && !strings.Contains(e.Err.Error(), "please report it") {
			t.Errorf("error %q, want where to report it", e.Err)
		}
	}
}

func TestLongestChain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("a", "cp1", "one")
	w.file("b", "w1", "two", "a")
	l := apply(t, w)
	var got []string
	for _, e := range l.Longest {
		got = append(got, e.Change.Addr.Block.Name)
	}
	if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" {
		t.Errorf("longest chain (-want +got):\n%s", diff)
	}
	if chain := l.LongestTook(); chain <= 0 || chain > l.Took {
		t.Errorf("the chain took %s of a run of %s", chain, l.Took)
	}
}

func TestPlanChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("a", "cp1", "one")
	w.plan(t, nil)
	entries, err := os.ReadDir(filepath.Join(w.dir, "cp1"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Errorf("the plan left %v on the host", entries)
	}
}

func TestOneConnectionAndCommandPerHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 20 {
		w.file(fmt.Sprintf("f%d", i), "w1", "x")
		w.file(fmt.Sprintf("g%d", i), "w2", "x")
	}
	w.plan(t, nil)
	want := map[string]int{"cp1": 1, "w1": 1, "w2": 1}
	if diff := cmp.Diff(want, w.connects); diff != "" {
		t.Errorf("connections: %s", diff)
	}
	if diff := cmp.Diff(want, w.commands); diff != "" {
		t.Errorf("commands: %s", diff)
	}
}

func TestUnreachableHostStopsOnlyWhatNeedsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("a", "w1", "one")
	w.file("b", "w2", "two", "a")
	w.file("c", "w2", "three")
	w.unreachable["w1"] = true
	p, _ := w.plan(t, nil)
	want := []string{"? a unreachable", "? b depends_unknown <a", "+ c absent"}
	if diff := cmp.Diff(want, text(p.Plan)); diff != "" {
		t.Fatal(diff)
	}
	l := apply(t, w)
	if diff := cmp.Diff(map[string]engine.State{"a": engine.Skipped, "b": engine.Skipped, "c": engine.Done}, states(l)); diff != "" {
		t.Error(diff)
	}
}

func TestAnswerThatCannotBeReadStopsOnlyWhatNeedsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("a", "w1", "damaged")
	apply(t, w) // the file is there then, and from then on nobody can read the answer
	w.file("b", "w1", "two", "a")
	w.file("c", "w1", "three")
	p, _ := w.plan(t, nil)
	want := []string{"? a unseen", "? b depends_unknown <a", "+ c absent"}
	if diff := cmp.Diff(want, text(p.Plan)); diff != "" {
		t.Fatal(diff)
	}
	if got := p.Plan.Changes[0].Reason.Text; !strings.Contains(got, "host w1") || !strings.Contains(got, "half a line") {
		t.Errorf("the reason %q does not say what cannot be read and where", got)
	}
}

func TestFailureSkipsItsDependents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.file("a", "w1", "fail")
	w.file("b", "w2", "two", "a")
	w.file("c", "w2", "three")
	l := apply(t, w)
	if diff := cmp.Diff(map[string]engine.State{"a": engine.Failed, "b": engine.Skipped, "c": engine.Done}, states(l)); diff != "" {
		t.Fatal(diff)
	}
	if got := l.Entries[0].Err.Error(); !strings.Contains(got, "no space left") {
		t.Errorf("the error does not say what the host said: %s", got)
	}
	if because := l.Entries[1].Because; len(because) != 1 || because[0] != a {
		t.Errorf("skipped because of %v, want %v", because, a)
	}
}

func TestDoneMeansSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("a", "w1", "lie")
	l := apply(t, w)
	if l.Count(engine.Failed) != 1 || !strings.Contains(l.Entries[0].Err.Error(), "does not show the result") {
		t.Errorf("a change without effect counted as %v", states(l))
	}
}

func TestValuesThatAreKnownOnlyAfterApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("token", "cp1", "")
	w.resources[0].Desired = fileValue(cty.UnknownVal(cty.String))
	w.file("copy", "w1", "")
	w.resources[1].Desired = fileValue(cty.UnknownVal(cty.String))
	w.resources[1].Inputs = map[string]providers.Input{"content": {From: addr("token"), Attr: "content"}}
	p, _ := w.plan(t, nil)
	for _, c := range p.Plan.Changes {
		if c.After.GetAttr("content").IsKnown() {
			t.Errorf("%s: the plan knows what will be made", c.Addr)
		}
	}
	if l := apply(t, w); !l.Complete() {
		t.Fatalf("ledger %v", states(l))
	}
	got, err := os.ReadFile(filepath.Join(w.dir, "w1", "copy"))
	if err != nil || string(got) != "secret: made" {
		t.Errorf("the copy is %q, %v", got, err)
	}
	p, _ = w.plan(t, nil)
	if n := p.Plan.Summary().Total(); n != 0 {
		t.Errorf("second plan has %d changes", n)
	}
}

func TestInterruptedRunStartsNothingNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("a", "w1", "one")
	w.file("b", "w1", "two", "a")
	soft, stop := context.WithCancel(t.Context())
	defer stop()
	p, s := w.plan(t, func(e engine.Event) {
		if _, ok := e.(engine.ChangeStarted); ok {
			stop()
		}
	})
	l, err := engine.Apply(t.Context(), p, s, engine.ApplyOptions{Stop: soft})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]engine.State{"a": engine.Done, "b": engine.NotStarted}, states(l)); diff != "" {
		t.Error(diff)
	}
	if !l.Interrupted {
		t.Error("the ledger does not say that the run was interrupted")
	}
}

func TestSamePlanTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 30 {
		w.file(fmt.Sprintf("f%d", i), "w1", "x")
	}
	first, _ := w.plan(t, nil)
	second, _ := w.plan(t, nil)
	if diff := cmp.Diff(text(first.Plan), text(second.Plan)); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedChangeFailsThePlanWithItsReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("a", "cp1", "refuse")
	w.file("b", "w1", "")
	w.resources[1].Desired = fileValue(cty.UnknownVal(cty.String))
	w.resources[1].Inputs = map[string]providers.Input{"content": {From: addr("a"), Attr: "content"}}
	m := w.model(t)
	s := engine.NewSession(w, m.Hosts, nil)
	defer s.Close()
	snap, err := engine.Probe(t.Context(), m, s)
	if err != nil {
		t.Fatal(err)
	}
	if _, diags := engine.Plan(m, snap); len(diags) != 1 || !strings.Contains(diags.Error(), "worker.a/test.file: it may not be touched") {
		t.Errorf("diagnostics %v", diags)
	}
}

func TestWhatWasNotedIsAWarningOfThePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("b", "w1", "noted")
	w.file("a", "w1", "noted", "b")
	w.file("c", "w1", "x")
	m := w.model(t)
	s := engine.NewSession(w, m.Hosts, nil)
	defer s.Close()
	snap, err := engine.Probe(t.Context(), m, s)
	if err != nil {
		t.Fatal(err)
	}
	p, diags := engine.Plan(m, snap)
	if p == nil || diags.HasErrors() || len(diags) != 2 ||
		diags[0].Detail != "worker.b/test.file: It ended with 1." || diags[1].Detail != "worker.a/test.file: It ended with 1." {
		t.Errorf("plan %v, diagnostics %v", p != nil, diags)
	}
}

func TestWaitsUntilAChangeTookEffect(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.file("a", "w1", "slow")
	w.file("b", "w2", "broken")
	var said []string
	p, s := w.plan(t, func(e engine.Event) {
		if e, ok := e.(engine.ChangeProgress); ok && e.Addr.Block.Name == "a" {
			said = append(said, e.Text)
		}
	})
	l, err := engine.Apply(t.Context(), p, s, engine.ApplyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]engine.State{"a": engine.Done, "b": engine.Failed}, states(l)); diff != "" {
		t.Fatal(diff)
	}
	if diff := cmp.Diff([]string{"look 1", "look 2"}, said); diff != "" {
		t.Errorf("progress: %s", diff)
	}
	var failed *engine.CommandError
	if !errors.As(l.Entries[1].Err, &failed) || !strings.Contains(failed.Error(), "it broke") || failed.Detail() != "the last lines of the log" {
		t.Errorf("the failure is %v", l.Entries[1].Err)
	}
}
