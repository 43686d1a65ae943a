package plans_test

import (
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

// salt stands for a host's machine id.
const salt = "0123456789abcdef"

// resource is one side of a plan's making: what is desired and what is live. live NilVal: it cannot be seen.
type resource struct {
	addr          string
	desired, live cty.Value
	requires      []string
	reason        plans.Reason
}

// makePlan compares resources as the engine does, so that plans in tests are true.
func makePlan(t testing.TB, rs ...resource) *plans.Plan {
	t.Helper()
	p := &plans.Plan{Cluster: "cx", Blueprint: "/site/blueprint"}
	for _, r := range rs {
		addr, err := schema.ParseAddr(r.addr)
		if err != nil {
			t.Fatal(err)
		}
		c := plans.Change{Addr: addr, Host: addr.Block.Name, Salt: salt, Reason: r.reason}
		for _, s := range r.requires {
			need, err := schema.ParseAddr(s)
			if err != nil {
				t.Fatal(err)
			}
			c.Requires = append(c.Requires, need)
		}
		if r.live == cty.NilVal {
			c.Action, c.After = plans.Unknown, r.desired
			p.Changes = append(p.Changes, c)
			continue
		}
		delta, err := plans.Diff(r.desired, r.live, plans.DiffOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c.Action, c.Before, c.After = delta.Action, r.live, delta.After
		if c.Observed, err = schema.Fingerprint(r.live, salt); err != nil {
			t.Fatal(err)
		}
		p.Changes = append(p.Changes, c)
	}
	slices.SortStableFunc(p.Changes, func(a, b plans.Change) int { return removal(a) - removal(b) })
	return p
}

func removal(c plans.Change) int {
	if c.Action == plans.Delete {
		return 0
	}
	return 1
}

// sampleResources are resources with everything that a plan file can show.
func sampleResources() []resource {
	config := func(v cty.Value, sans ...string) cty.Value {
		return obj(attrs{"mode": text("0600"), "options": obj(attrs{"cni": v, "tls-san": list(sans...)})})
	}
	return []resource{
		{
			addr: "control_plane.cp1/rke2.token", reason: plans.Reason{Code: plans.Absent, Text: "not there"},
			desired: obj(attrs{"server_token": later.Mark(schema.Sensitive), "agent_token": secret("K10a")}),
			live:    absent(attrs{"server_token": none, "agent_token": none}),
		},
		{
			addr: "control_plane.cp1/rke2.config", reason: plans.Reason{Code: plans.Drift, Text: "options.tls-san differs"},
			desired:  config(text("canal"), "cp.cx.internal", "10.10.1.10", "10.10.1.100", "kubernetes.example.org", "another.name.example.org"),
			live:     config(text("canal"), "cp.cx.internal"),
			requires: []string{"control_plane.cp1/rke2.token"},
		},
		{
			addr: `worker.w1/host.file["/etc/motd"]`, reason: plans.Reason{Code: plans.Drift, Text: "content, owner differ"},
			desired: obj(attrs{"content": text("hello ${name}\n\n  you are on \"w1\"\n"), "owner": text("root:root"), "mode": none, "note": text("two\nlines")}),
			live:    obj(attrs{"content": text("hello\n"), "owner": none, "mode": text("0644"), "note": text("two\nlines\n")}),
		},
		{
			addr: "worker.w1/kube.labels", reason: plans.Reason{Code: plans.Drift, Text: "labels differ"},
			desired: obj(attrs{"labels": cty.MapVal(attrs{"topology.kubernetes.io/zone": text("b"), "role": text("x")})}),
			live:    obj(attrs{"labels": cty.MapVal(attrs{"topology.kubernetes.io/zone": text("a"), "role": text("x"), "old": text("y")})}),
		},
		{addr: "worker.w1/host.sysctl", desired: obj(attrs{"a": text("1")}), live: obj(attrs{"a": text("1")})},
		{
			addr: "worker.w2/rke2.config", reason: plans.Reason{Code: plans.Unreachable, Text: "host w2 did not answer"},
			desired: config(text("canal"), "x"), live: cty.NilVal,
		},
		{
			addr: `worker.w3/rke2.drop_in["90-old.yaml"]`, reason: plans.Reason{Code: plans.Removed, Text: "made by cxha, no longer in the blueprint"},
			desired: absent(attrs{"content": none}), live: obj(attrs{"content": text("debug: true\n")}),
		},
	}
}
