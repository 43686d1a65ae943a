package providertest

import (
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// CallCase is a resource of a CallKind and what is to be tried with it.
type CallCase struct {
	Provider  providers.Provider // also a Prober
	Blueprint *blueprint.Blueprint
	Session   providers.Session
	Resource  providers.Resource // Desired as after Inputs were filled

	Drifts map[string]func(t *testing.T) // by name: what makes the live state another one
	Tree   func(t *testing.T) string     // a digest of everything that a probe must not change; may be nil
}

// RunCalls checks a case: that a probe changes nothing; that Apply returns what is live then and leads to what is desired, twice
// as well as once; that every drift is seen and mended.
func RunCalls(t *testing.T, c CallCase) {
	t.Helper()
	k := c.kind(t)
	change, ok := c.plan(t)
	if !ok {
		t.Fatal("the desired state is there already: the case proves nothing")
	}
	for range 2 {
		live, err := k.Apply(t.Context(), c.Session, change)
		if err != nil {
			t.Fatal(err)
		}
		if seen := c.observe(t).Value; !schema.Plain(seen).RawEquals(schema.Plain(live)) {
			t.Fatalf("Apply returned\n%s\nand live is\n%s", show(live), show(seen))
		}
	}
	c.settled(t)
	for _, name := range sortedKeys(c.Drifts) {
		t.Run("drift "+name, func(t *testing.T) {
			c.Drifts[name](t)
			change, ok := c.plan(t)
			if !ok {
				t.Fatal("the drift is not seen")
			}
			if _, err := k.Apply(t.Context(), c.Session, change); err != nil {
				t.Fatal(err)
			}
			c.settled(t)
		})
	}
}

func (c CallCase) kind(t *testing.T) providers.CallKind {
	t.Helper()
	for _, k := range c.Provider.Kinds() {
		if k.Type().Name == c.Resource.Addr.Type {
			if ck, ok := k.(providers.CallKind); ok {
				return ck
			}
		}
	}
	t.Fatalf("the provider has no CallKind %s", c.Resource.Addr.Type)
	return nil
}

func (c CallCase) observe(t *testing.T) providers.Live {
	t.Helper()
	p, ok := c.Provider.(providers.Prober)
	if !ok {
		t.Fatal("the provider is no Prober")
	}
	before := c.tree(t)
	obs, err := p.Probe(t.Context(), c.Session, c.Blueprint, []providers.Resource{c.Resource})
	if err != nil {
		t.Fatal(err)
	}
	if after := c.tree(t); after != before {
		t.Errorf("the probe changed\n%s\ninto\n%s", before, after)
	}
	l, ok := obs.Live[c.Resource.Addr]
	if !ok {
		t.Fatalf("the probe says nothing of %s", c.Resource.Addr)
	}
	if l.Unknown != "" {
		t.Fatalf("unknown: %s", l.Unknown)
	}
	return l
}

func (c CallCase) tree(t *testing.T) string {
	if c.Tree == nil {
		return ""
	}
	return c.Tree(t)
}

func (c CallCase) plan(t *testing.T) (change plans.Change, changes bool) {
	t.Helper()
	live := c.observe(t)
	o := plans.DiffOptions{Replace: c.kind(t).Type().Replace}
	d, err := plans.Diff(c.Resource.Desired, live.Value, o)
	if live.Result != cty.NilVal {
		d, err = plans.Between(live.Value, live.Result, o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return plans.Change{Addr: c.Resource.Addr, Host: c.Resource.Host, Action: d.Action, Before: live.Value, After: d.After, Desired: c.Resource.Desired}, d.Action.Changes()
}

func (c CallCase) settled(t *testing.T) {
	t.Helper()
	if change, ok := c.plan(t); ok {
		t.Errorf("there is %s left to do: live is\n%s\nwant\n%s", change.Action, show(change.Before), show(c.Resource.Desired))
	}
}
