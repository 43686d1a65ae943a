package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/engine/graph"
	"github.com/expertflow/cxha/internal/crash"
	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// ApplyOptions are the limits of a run. Zero values mean the defaults.
type ApplyOptions struct {
	Parallel int // changes at the same time; default 64
	PerHost  int // of them on one host; default 4

	// Only, if not nil, holds what may run: other changes are left out.
	Only map[schema.Addr]bool

	// Times, if not nil, are how long the changes took before. Without them the length of a run is not foretold.
	Times Times

	// Stop, when it is done, stops the run from starting changes; those that run are finished. The context of Apply stops at once.
	Stop context.Context
}

const (
	defaultParallel = 64
	defaultPerHost  = 4
)

// Apply makes the planned changes: in parallel where the graph allows, what lies on the longest path first. A failure stops
// only what depends on it. The error is about faults of cxha; what became of each change is in the ledger.
func Apply(ctx context.Context, p *Planned, s *Session, o ApplyOptions) (*Ledger, error) {
	r := &run{planned: p, session: s, started: time.Now(), values: map[schema.Addr]cty.Value{}, took: map[schema.Addr]time.Duration{}}
	if err := r.schedule(o.Only, o.Times); err != nil {
		return nil, err
	}
	s.emit(RunStarted{Cluster: p.Plan.Cluster, Total: r.total, Estimate: r.remaining()})
	stop := o.Stop
	if stop == nil {
		stop = ctx
	}
	result := r.graph.Walk(stop, graph.WalkOptions[schema.Addr]{
		Limit:      orDefault(o.Parallel, defaultParallel),
		GroupLimit: orDefault(o.PerHost, defaultPerHost),
		Group:      func(a schema.Addr) string { return r.todo[a].Host },
		Cost:       r.cost,
		Block:      func(a schema.Addr) bool { return r.todo[a].Action == plans.Unknown },
	}, func(_ context.Context, addr schema.Addr) error { return r.change(ctx, r.todo[addr]) })
	l := r.ledger(result)
	l.Interrupted = stop.Err() != nil || ctx.Err() != nil
	s.emit(RunEnded{Ledger: l})
	return l, nil
}

func orDefault(n, d int) int {
	if n > 0 {
		return n
	}
	return d
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

type run struct {
	planned  *Planned
	session  *Session
	started  time.Time
	todo     map[schema.Addr]plans.Change // what may run, and what is unknown and so blocks what needs it
	total    int                          // of those that may run
	graph    *graph.Graph[schema.Addr]
	estimate *graph.Estimate[schema.Addr]
	expected expectations

	mu     sync.Mutex // guards the fields below
	values map[schema.Addr]cty.Value
	took   map[schema.Addr]time.Duration
	// How long the finished changes were expected to take and took, in seconds: a site may be slower or faster today.
	foretold, spent float64
}

// guess is how many seconds of expectation weigh as much as those that were measured.
const guess = 30

// remaining is how long the longest path that is left may take, by what was measured before and by how true that was so far; 0 where it
// is not known.
func (r *run) remaining() time.Duration {
	if !r.expected.known {
		return 0
	}
	r.mu.Lock()
	truth := (r.spent + guess) / (r.foretold + guess)
	r.mu.Unlock()
	return seconds(r.estimate.Remaining() * truth)
}

// schedule collects what is to run, and the values that it may need of what stays as it is.
func (r *run) schedule(only map[schema.Addr]bool, times Times) error {
	r.todo = map[schema.Addr]plans.Change{}
	for _, c := range r.planned.Plan.Changes {
		switch {
		case c.Action == plans.NoOp:
			r.values[c.Addr] = c.Before
		case c.Action == plans.Unknown:
			r.todo[c.Addr] = c
		case only == nil || only[c.Addr]:
			r.todo[c.Addr] = c
			r.total++
		}
	}
	g, err := r.planned.graph.Keep(func(a schema.Addr) bool { _, ok := r.todo[a]; return ok })
	if err != nil {
		return fmt.Errorf("order of the changes: %w", err)
	}
	r.expected = expect(r.todo, times, r.cost)
	r.graph, r.estimate = g, g.NewEstimate(r.cost)
	for a, c := range r.todo {
		if c.Action == plans.Unknown {
			r.estimate.Done(a)
		}
	}
	return nil
}

func (r *run) cost(a schema.Addr) float64 {
	if seconds, ok := r.expected.seconds[a]; ok {
		return seconds
	}
	kind, _ := r.planned.model.registry.Kind(a.Type)
	return max(kind.Type().Cost, 0.1)
}

// change makes one change, unless what was planned turned out to be impossible.
func (r *run) change(ctx context.Context, c plans.Change) error {
	r.session.emit(ChangeStarted{Change: c})
	started := time.Now()
	var value cty.Value
	err := crash.Call(func() (err error) {
		value, err = r.make(ctx, c)
		return err
	})
	took := time.Since(started)
	r.mu.Lock()
	r.took[c.Addr] = took
	r.foretold += r.cost(c.Addr)
	r.spent += took.Seconds()
	if err == nil {
		r.values[c.Addr] = value
	}
	r.mu.Unlock()
	r.estimate.Done(c.Addr)
	if err != nil {
		r.session.emit(ChangeFailed{Change: c, Took: took, Err: err})
		return err
	}
	r.session.emit(ChangeDone{Change: c, Took: took, Remaining: r.remaining()})
	return nil
}

func (r *run) make(ctx context.Context, c plans.Change) (cty.Value, error) {
	kind, _ := r.planned.model.registry.Kind(c.Addr.Type)
	after, err := r.complete(c, kind)
	if err != nil {
		return cty.NilVal, err
	}
	c.After = after
	switch k := kind.(type) {
	case providers.HostKind:
		return c.After, r.onHost(ctx, k, c)
	case providers.CallKind:
		return k.Apply(ctx, r.session, c)
	default:
		return cty.NilVal, fmt.Errorf("%s: its kind cannot be applied; this is a bug in cxha", c.Addr)
	}
}

// complete fills what the plan could not know: values of other resources, and values that the kind makes itself.
func (r *run) complete(c plans.Change, kind providers.Kind) (cty.Value, error) {
	if c.After.IsNull() || c.After.IsWhollyKnown() {
		return c.After, nil
	}
	if r.planned.live[c.Addr].Result != cty.NilVal { // what is not known of it is for the other side to decide
		return c.After, nil
	}
	res := r.planned.resources[c.Addr]
	attrs := c.After.AsValueMap()
	for name, in := range res.Inputs {
		if attrs[name].IsKnown() {
			continue
		}
		r.mu.Lock()
		from, ok := r.values[in.From]
		r.mu.Unlock()
		if !ok || from.IsNull() {
			return cty.NilVal, fmt.Errorf("%s: %s of %s is not known", c.Addr, in.Attr, in.From)
		}
		attrs[name] = from.GetAttr(in.Attr)
	}
	after := cty.ObjectVal(attrs)
	if m, ok := kind.(providers.Maker); ok && !after.IsWhollyKnown() {
		made, err := m.Make(after)
		if err != nil {
			return cty.NilVal, fmt.Errorf("%s: %w", c.Addr, err)
		}
		after = made
	}
	if !after.IsWhollyKnown() {
		return cty.NilVal, fmt.Errorf("%s: a value is still unknown when it is needed; this is a bug in cxha", c.Addr)
	}
	return after, nil
}

// onHost runs a change's commands, waits until they took effect, and looks at the result: done means seen.
func (r *run) onHost(ctx context.Context, k providers.HostKind, c plans.Change) error {
	host, err := r.session.Host(ctx, c.Host)
	if err != nil {
		return err
	}
	commands, err := k.Commands(c)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Addr, err)
	}
	res := r.planned.resources[c.Addr]
	check := newFrame([]string{k.Question(res)})
	script := guarded(commands)
	aw, waits := k.(providers.Awaiter)
	waits = waits && !c.After.IsNull()
	if !waits {
		check.appendTo(script)
	}
	reply, err := host.Run(ctx, script)
	if err != nil {
		return err
	}
	if reply.Exit != 0 {
		return &CommandError{Host: c.Host, Addr: c.Addr, Script: commands.String(), Reply: reply}
	}
	if waits {
		w := &waiting{run: r, host: host, change: c, await: aw.Await(c)}
		if err := w.wait(ctx); err != nil {
			return err
		}
		if reply, err = host.Run(ctx, check.script()); err != nil {
			return err
		}
	}
	return verify(k, res, c, check, reply)
}

// guarded makes a script stop at its first failing command, and not run what is appended after it.
func guarded(commands *shell.Script) *shell.Script {
	var s shell.Script
	s.Add("export LC_ALL=C").Add("set -eu")
	return s.Append(commands).Add("set +eu")
}

func verify(k providers.HostKind, res providers.Resource, c plans.Change, check frame, reply providers.Reply) error {
	replies, err := check.split(reply.Stdout)
	if err != nil {
		return fmt.Errorf("host %s: %s: %w", c.Host, c.Addr, err)
	}
	live, err := k.Answer(res, replies[0])
	if err != nil {
		return fmt.Errorf("host %s: %s: %w", c.Host, c.Addr, err)
	}
	delta, err := plans.Diff(c.After, live, plans.DiffOptions{})
	if err != nil {
		return err
	}
	if delta.Action == plans.NoOp {
		return nil
	}
	var paths []string
	for _, a := range delta.Attrs {
		paths = append(paths, a.Path)
	}
	return fmt.Errorf("host %s: %s: the commands ran, but the host does not show the result (%s: %s)", c.Host, c.Addr, delta.Action, strings.Join(paths, ", "))
}

// ledger puts the walk's result in the order of the plan.
func (r *run) ledger(result *graph.Result[schema.Addr]) *Ledger {
	entries := map[schema.Addr]Entry{}
	for _, a := range result.Done {
		entries[a] = Entry{State: Done}
	}
	for _, f := range result.Failed {
		entries[f.Node] = Entry{State: Failed, Err: f.Err}
	}
	for _, s := range result.Skipped {
		entries[s.Node] = Entry{State: Skipped, Because: s.Because}
	}
	for _, a := range result.Blocked {
		entries[a] = Entry{State: Skipped}
	}
	for _, a := range result.NotStarted {
		entries[a] = Entry{State: NotStarted}
	}
	l := &Ledger{Took: time.Since(r.started)}
	for _, c := range r.planned.Plan.Changes {
		if e, ok := entries[c.Addr]; ok {
			e.Change, e.Took = c, r.took[c.Addr]
			entries[c.Addr] = e
			l.Entries = append(l.Entries, e)
		}
	}
	for _, a := range r.graph.LongestPath(func(a schema.Addr) float64 { return r.took[a].Seconds() }) {
		l.Longest = append(l.Longest, entries[a])
	}
	return l
}
