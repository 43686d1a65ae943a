package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/engine/graph"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// Planned is a plan with what is needed to run it: the plan as data is all that is shown and written.
type Planned struct {
	Plan *plans.Plan

	model     *Model
	resources map[schema.Addr]providers.Resource // the model's, and those that were found
	graph     *graph.Graph[schema.Addr]
	live      map[schema.Addr]providers.Live
	hosts     map[string]HostState
}

// Plan compares the model with what a probe saw. It is pure: the same model and snapshot give the same plan.
func Plan(m *Model, snap *Snapshot) (*Planned, hcl.Diagnostics) {
	p := &Planned{model: m, resources: m.Resources, graph: m.Graph, live: snap.Live, hosts: snap.Hosts}
	if found := stillThere(snap); len(found) > 0 {
		p.resources = maps.Clone(m.Resources)
		for _, r := range found {
			p.resources[r.Addr] = r
		}
		edges := blockEdges(m.Blueprint, m.Resources) // depends_on is about what the blueprint has
		for addr, more := range removalEdges(m, snap.Live, found) {
			edges[addr] = append(edges[addr], more...)
		}
		g, diags := buildGraph(p.resources, edges)
		if diags.HasErrors() {
			return nil, diags
		}
		p.graph = g
	}
	c := newComparer(p)
	diags := append(refused(m, snap), notes(providers.Resource{}, providers.Live{Notes: snap.Notes})...)
	for _, addr := range c.order {
		if err := c.compare(p.resources[addr]); err != nil {
			diags = append(diags, refusal(p.resources[addr], err))
		}
		diags = append(diags, notes(p.resources[addr], snap.Live[addr])...)
	}
	if diags.HasErrors() {
		return nil, diags
	}
	p.Plan = &plans.Plan{Cluster: m.Blueprint.Cluster.Name, Blueprint: m.Blueprint.Dir, Changes: c.ordered()}
	return p, diags
}

// stillThere drops found resources that turn out to be gone already, and the edges to them.
func stillThere(snap *Snapshot) []providers.Resource {
	there := map[schema.Addr]bool{}
	for _, r := range snap.Found {
		l := snap.Live[r.Addr]
		there[r.Addr] = l.Unknown != "" || (l.Value != cty.NilVal && !l.Value.IsNull())
	}
	var rs []providers.Resource
	for _, r := range snap.Found {
		if !there[r.Addr] {
			continue
		}
		r.After = slices.DeleteFunc(slices.Clone(r.After), func(e providers.Edge) bool {
			alive, found := there[e.To]
			return found && !alive
		})
		rs = append(rs, r)
	}
	return rs
}

func refusal(r providers.Resource, err error) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Change refused", Detail: fmt.Sprintf("%s: %s.", r.Addr, strings.TrimSuffix(err.Error(), "."))}
	if r.Range.Filename != "" {
		d.Subject = r.Range.Ptr()
	}
	return d
}

// notes are what a probe has to say about a resource that is no change.
func notes(r providers.Resource, l providers.Live) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, text := range l.Notes {
		d := &hcl.Diagnostic{Severity: hcl.DiagWarning, Summary: "Worth knowing", Detail: strings.TrimSuffix(text, ".") + "."}
		if !r.Addr.IsZero() {
			d.Detail = r.Addr.String() + ": " + d.Detail
		}
		if r.Range.Filename != "" {
			d.Subject = r.Range.Ptr()
		}
		diags = append(diags, d)
	}
	return diags
}

// comparer makes one change after the other, in the order of the graph.
type comparer struct {
	planned *Planned
	order   []schema.Addr
	changes map[schema.Addr]*plans.Change // those that were not refused
	needs   needs
}

func newComparer(p *Planned) *comparer {
	order := p.graph.Order()
	return &comparer{planned: p, order: order, changes: make(map[schema.Addr]*plans.Change, len(order)), needs: newNeeds(order)}
}

func (c *comparer) compare(r providers.Resource) error {
	requires := c.needs.of(c.planned.graph.Needs(r.Addr))
	change, err := c.change(r, requires)
	if err != nil {
		c.needs.refused(r.Addr)
		return err
	}
	if change.Action == plans.NoOp {
		c.needs.passed(r.Addr, requires)
	} else {
		change.Requires = c.needs.addrs(requires)
	}
	c.changes[r.Addr] = &change
	return nil
}

func (c *comparer) change(r providers.Resource, requires []int32) (plans.Change, error) {
	p := c.planned
	change := plans.Change{Addr: r.Addr, Host: r.Host, Salt: p.salt(r.Host)}
	kind, _ := p.model.registry.Kind(r.Addr.Type)
	typ := kind.Type()
	live, seen := p.live[r.Addr]
	if !seen {
		return change, fmt.Errorf("was not probed; this is a bug in cxha")
	}
	desired := p.withInputs(r, c.after)
	change.Desired = desired
	if live.Unknown != "" {
		change.Action, change.Reason = plans.Unknown, p.unknownReason(r, live)
		change.Before, change.After = cty.NullVal(typ.Object), desired
		return change, nil
	}
	delta, err := compare(desired, live, typ)
	if err != nil {
		return change, err
	}
	change.Action, change.Before, change.After = delta.Action, live.Value, delta.After
	if change.Observed, err = schema.Fingerprint(live.Value, change.Salt); err != nil {
		return change, err
	}
	if !change.Action.Changes() {
		return change, nil
	}
	if live.Refuse != nil {
		if live.Deferred && len(requires) > 0 {
			change.Action, change.Reason = plans.Unknown, plans.Reason{Code: plans.KnownAfter, Text: live.Refuse.Error()}
			return change, nil
		}
		return change, live.Refuse
	}
	if err := explain(&change, kind, delta); err != nil {
		return change, err
	}
	if live.Cause != "" && change.Action == plans.Update {
		change.Reason.Text += "; " + live.Cause
	}
	if change.Action == plans.Delete && !r.Successor.IsZero() {
		change.Reason = plans.Reason{Code: plans.Superseded, Text: fmt.Sprintf("%s takes its place", r.Successor)}
	}
	if cause, deferred := c.blocked(requires); !cause.IsZero() {
		change.Action, change.Reason = plans.Unknown, blockedReason(cause, deferred)
	}
	return change, nil
}

// compare returns what makes a live value right: by the word of the system that will do it where it was asked.
func compare(desired cty.Value, live providers.Live, typ providers.Type) (plans.Delta, error) {
	o := plans.DiffOptions{Replace: typ.Replace}
	if live.Result != cty.NilVal {
		return plans.Between(live.Value, live.Result, o)
	}
	return plans.Diff(desired, live.Value, o)
}

// after returns what a resource will be; nothing where its change was refused, which fails the plan anyway.
func (c *comparer) after(addr schema.Addr) cty.Value {
	if change := c.changes[addr]; change != nil {
		return change.After
	}
	return cty.NilVal
}

func blockedReason(cause schema.Addr, deferred bool) plans.Reason {
	if deferred {
		return plans.Reason{Code: plans.KnownAfter, Text: fmt.Sprintf("can be planned when %s is known", cause)}
	}
	return plans.Reason{Code: plans.DependsUnknown, Text: fmt.Sprintf("needs %s, which is not known", cause)}
}

func explain(change *plans.Change, kind providers.Kind, delta plans.Delta) error {
	switch change.Action {
	case plans.Create:
		change.Reason = plans.Reason{Code: plans.Absent, Text: "not there"}
	case plans.Delete:
		change.Reason = plans.Reason{Code: plans.Removed, Text: "made by cxha, no longer in the blueprint"}
	default:
		var paths []string
		for _, a := range delta.Attrs {
			paths = append(paths, a.Path)
		}
		verb := " differs"
		if len(paths) > 1 {
			verb = " differ"
		}
		change.Reason = plans.Reason{Code: plans.Drift, Text: strings.Join(paths, ", ") + verb}
	}
	ex, ok := kind.(providers.Explainer)
	if !ok {
		return nil
	}
	reason, err := ex.Explain(*change)
	change.Reason = reason
	return err
}

func (p *Planned) salt(host string) string {
	if host == "" {
		host = p.model.Blueprint.ControlPlane.Name
	}
	return p.hosts[host].Salt
}

func (p *Planned) unknownReason(r providers.Resource, l providers.Live) plans.Reason {
	switch {
	case l.Deferred:
		return plans.Reason{Code: plans.KnownAfter, Text: l.Unknown}
	case p.hosts[r.Host].Err != nil:
		return plans.Reason{Code: plans.Unreachable, Text: l.Unknown}
	default:
		return plans.Reason{Code: plans.Unseen, Text: l.Unknown}
	}
}

// withInputs fills the desired attributes that come from other resources; after returns what a resource will be or is.
func (p *Planned) withInputs(r providers.Resource, after func(schema.Addr) cty.Value) cty.Value {
	if len(r.Inputs) == 0 || r.Desired.IsNull() {
		return r.Desired
	}
	attrs := r.Desired.AsValueMap()
	for name, in := range r.Inputs {
		if v := after(in.From); v != cty.NilVal && v.IsKnown() && !v.IsNull() {
			attrs[name] = v.GetAttr(in.Attr)
		}
	}
	return cty.ObjectVal(attrs)
}

// blocked returns the first thing that is required and whose state is not known, if there is one.
func (c *comparer) blocked(requires []int32) (cause schema.Addr, deferred bool) {
	for _, id := range requires {
		a := c.needs.byAddr[id]
		if d := c.changes[a]; d != nil && d.Action == plans.Unknown {
			if d.Reason.Code != plans.KnownAfter {
				return a, false
			}
			cause, deferred = a, true
		}
	}
	return cause, deferred
}

// ordered returns the changes with removals first, otherwise in the order of the graph.
func (c *comparer) ordered() []plans.Change {
	all := make([]plans.Change, 0, len(c.order))
	for _, removals := range []bool{true, false} {
		for _, addr := range c.order {
			if change := c.changes[addr]; (change.Action == plans.Delete) == removals {
				all = append(all, *change)
			}
		}
	}
	return all
}
