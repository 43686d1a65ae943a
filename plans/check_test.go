package plans_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
)

// verdict is a verdict for reading: "run ADDR", "done ADDR", "KIND ADDR: WHAT: REVIEWED -> NOW".
func verdict(v plans.Verdict) string {
	var b strings.Builder
	for _, a := range v.Run {
		fmt.Fprintf(&b, "run %s\n", a)
	}
	for _, a := range v.Done {
		fmt.Fprintf(&b, "done %s\n", a)
	}
	for _, m := range v.Stale {
		for _, d := range m.Differences {
			fmt.Fprintf(&b, "%s %s: %s: %s -> %s\n", m.Kind, m.Addr, d.What, d.Reviewed, d.Now)
		}
	}
	return b.String()
}

const (
	tokenAddr = "control_plane.cp1/rke2.token"
	agentAddr = "worker.w1/rke2.agent_token"
)

func token(v cty.Value, live cty.Value) resource {
	return resource{addr: tokenAddr, desired: obj(attrs{"token": v, "mode": text("0600")}), live: live}
}

func agent(v cty.Value, live cty.Value) resource {
	return resource{addr: agentAddr, desired: obj(attrs{"token": v, "mode": text("0600")}), live: live, requires: []string{tokenAddr}}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	noToken := absent(attrs{"token": none, "mode": none})
	is := func(v cty.Value) cty.Value { return obj(attrs{"token": v, "mode": text("0600")}) }
	file := func(desired, live cty.Value) resource {
		return resource{addr: "worker.w1/host.file", desired: desired, live: live}
	}
	content := func(v, owner string) cty.Value { return obj(attrs{"content": text(v), "owner": text(owner)}) }
	notOurs := func(v string) cty.Value { return obj(attrs{"content": text(v), "owner": none}) }
	noContent := absent(attrs{"content": none, "owner": none})
	labels := func(kv ...string) cty.Value {
		m := attrs{}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = text(kv[i+1])
		}
		return obj(attrs{"labels": cty.MapVal(m)})
	}
	unseen := func(r resource) resource {
		r.live, r.reason = cty.NilVal, plans.Reason{Code: plans.Unreachable, Text: "host w1 did not answer"}
		return r
	}
	secretLater := later

	tests := map[string]struct {
		reviewed, now []resource
		want          string
	}{
		"the same": {
			reviewed: []resource{file(content("b", "root"), content("a", "root"))},
			now:      []resource{file(content("b", "root"), content("a", "root"))},
			want:     "run worker.w1/host.file\n",
		},
		"all is made": {
			reviewed: []resource{file(content("b", "root"), content("a", "root"))},
			now:      []resource{file(content("b", "root"), content("b", "root"))},
			want:     "done worker.w1/host.file\n",
		},
		"nothing was known of what is made first": {
			reviewed: []resource{token(secretLater, noToken), agent(secretLater, noToken)},
			now:      []resource{token(secretLater, noToken), agent(secretLater, noToken)},
			want:     "run " + tokenAddr + "\nrun " + agentAddr + "\n",
		},
		"the first is made, which makes the second known": {
			reviewed: []resource{token(secretLater, noToken), agent(secretLater, noToken)},
			now:      []resource{token(secretLater, is(secret("K10"))), agent(secret("K10"), noToken)},
			want:     "run " + agentAddr + "\ndone " + tokenAddr + "\n",
		},
		"both are made": {
			reviewed: []resource{token(secretLater, noToken), agent(secretLater, noToken)},
			now:      []resource{token(secretLater, is(secret("K10"))), agent(secret("K10"), is(secret("K10")))},
			want:     "done " + tokenAddr + "\ndone " + agentAddr + "\n",
		},
		"what was known has changed beside what is known now": {
			reviewed: []resource{agent(secretLater, noToken)},
			now: []resource{{addr: agentAddr, desired: obj(attrs{"token": secret("K10"), "mode": text("0644")}), live: noToken,
				requires: []string{tokenAddr}}},
			want: "differs " + agentAddr + `: after mode: "0600" -> "0644"` + "\n",
		},
		"what was known is not any more": {
			reviewed: []resource{agent(secret("K10"), noToken)},
			now:      []resource{agent(secretLater, noToken)},
			want:     "differs " + agentAddr + `: after token: "(sensitive 75de8d04805c96c1)" -> known_after_apply` + "\n",
		},
		"another secret": {
			reviewed: []resource{agent(secret("K10"), noToken)},
			now:      []resource{agent(secret("K11"), noToken)},
			want:     "differs " + agentAddr + `: after token: "(sensitive 75de8d04805c96c1)" -> "(sensitive 054880f47579c95f)"` + "\n",
		},
		"drift of what changes": {
			reviewed: []resource{file(content("b", "root"), content("a", "root"))},
			now:      []resource{file(content("b", "root"), content("c", "root"))},
			want:     `differs worker.w1/host.file: before content: "a" -> "c"` + "\n",
		},
		"drift of what was right": {
			reviewed: []resource{file(content("b", "root"), content("a", "root"))},
			now:      []resource{file(content("b", "root"), content("a", "eve"))},
			want:     `differs worker.w1/host.file: after owner: (unchanged) -> "root"` + "\n",
		},
		"drift of what is not managed": {
			reviewed: []resource{file(notOurs("b"), content("a", "root"))},
			now:      []resource{file(notOurs("b"), content("a", "eve"))},
			want:     "differs worker.w1/host.file: observed: sha256:f83e6d1caaaf519be1f8eed4b6ee4ecd -> sha256:db749291aaaeb5780d706d23de45a7fe\n",
		},
		"another blueprint": {
			reviewed: []resource{file(content("b", "root"), content("a", "root"))},
			now:      []resource{file(content("c", "root"), content("a", "root"))},
			want:     `differs worker.w1/host.file: after content: "b" -> "c"` + "\n",
		},
		"the blueprint changes more": {
			reviewed: []resource{file(content("b", "root"), content("a", "root"))},
			now:      []resource{file(content("b", "admin"), content("a", "root"))},
			want:     `differs worker.w1/host.file: after owner: (unchanged) -> "admin"` + "\n",
		},
		"the blueprint removes more": {
			reviewed: []resource{{addr: "worker.w1/kube.labels", desired: labels("a", "2", "b", "1"), live: labels("a", "1", "b", "1")}},
			now:      []resource{{addr: "worker.w1/kube.labels", desired: labels("a", "2"), live: labels("a", "1", "b", "1")}},
			want:     `differs worker.w1/kube.labels: after labels["b"]: (unchanged) -> (none)` + "\n",
		},
		"the blueprint removes less": {
			reviewed: []resource{{addr: "worker.w1/kube.labels", desired: labels("a", "2"), live: labels("a", "1", "b", "1")}},
			now:      []resource{{addr: "worker.w1/kube.labels", desired: labels("a", "2", "b", "1"), live: labels("a", "1", "b", "1")}},
			want:     `differs worker.w1/kube.labels: after labels["b"]: (none) -> "1"` + "\n",
		},
		"it is not there any more": {
			reviewed: []resource{file(content("b", "root"), content("a", "root"))},
			now:      []resource{file(content("b", "root"), noContent)},
			want:     "differs worker.w1/host.file: action: update -> create\n" + `differs worker.w1/host.file: before content: "a" -> (none)` + "\n",
		},
		"somebody made something else": {
			reviewed: []resource{file(content("b", "root"), content("a", "root"))},
			now:      []resource{file(content("c", "root"), content("c", "root"))},
			want:     "differs worker.w1/host.file: action: update -> no-op\n" + `differs worker.w1/host.file: after content: "b" -> "c"` + "\n",
		},
		"nobody reviewed it": {
			now:  []resource{file(content("b", "root"), content("a", "root"))},
			want: "unreviewed worker.w1/host.file: action: not in the plan -> update\n",
		},
		"it was unknown": {
			reviewed: []resource{unseen(file(content("b", "root"), cty.NilVal))},
			now:      []resource{file(content("b", "root"), content("a", "root"))},
			want:     "unreviewed worker.w1/host.file: action: unknown (host w1 did not answer) -> update\n",
		},
		"it was unknown, and is right": {
			reviewed: []resource{unseen(file(content("b", "root"), cty.NilVal))},
			now:      []resource{file(content("b", "root"), content("b", "root"))},
		},
		"it is unknown now": {
			reviewed: []resource{file(content("b", "root"), content("a", "root"))},
			now:      []resource{unseen(file(content("b", "root"), cty.NilVal))},
			want:     "unseeable worker.w1/host.file: action: update -> unknown (host w1 did not answer)\n",
		},
		"it was and is unknown": {
			reviewed: []resource{unseen(file(content("b", "root"), cty.NilVal))},
			now:      []resource{unseen(file(content("b", "root"), cty.NilVal))},
		},
		"the blueprint has it no more": {
			reviewed: []resource{file(content("b", "root"), content("a", "root"))},
			want:     "gone worker.w1/host.file: action: update -> not in the plan\n",
		},
		"removed": {
			reviewed: []resource{file(noContent, content("a", "root"))},
			now:      []resource{file(noContent, content("a", "root"))},
			want:     "run worker.w1/host.file\n",
		},
		"removed already": {
			reviewed: []resource{file(noContent, content("a", "root"))},
			now:      []resource{file(noContent, noContent)},
			want:     "done worker.w1/host.file\n",
		},
		"removed already, and not found any more": {
			reviewed: []resource{file(noContent, content("a", "root"))},
			want:     "done worker.w1/host.file\n",
		},
		"removal of something else": {
			reviewed: []resource{file(noContent, content("a", "root"))},
			now:      []resource{file(noContent, content("b", "root"))},
			want:     `differs worker.w1/host.file: before content: "a" -> "b"` + "\n",
		},
		"wanted again": {
			reviewed: []resource{file(noContent, content("a", "root"))},
			now:      []resource{file(content("a", "root"), content("a", "root"))},
			want: "differs worker.w1/host.file: action: delete -> no-op\n" +
				"differs worker.w1/host.file: after: (none) -> still there\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reviewed := read(t, write(t, makePlan(t, tt.reviewed...)))
			got := verdict(plans.Check(reviewed, makePlan(t, tt.now...)))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckOfAnotherHost(t *testing.T) {
	t.Parallel()
	r := resource{addr: "cluster.cx/x.y", desired: obj(attrs{"a": text("1")}), live: absent(attrs{"a": none})}
	reviewed := read(t, write(t, makePlan(t, r)))
	now := makePlan(t, r)
	now.Changes[0].Host = "w7"
	if diff := cmp.Diff("differs cluster.cx/x.y: host: cx -> w7\n", verdict(plans.Check(reviewed, now))); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
}

func TestCheckKeepsThePlansOrder(t *testing.T) {
	t.Parallel()
	var rs []resource
	for i := range 20 {
		rs = append(rs, resource{addr: fmt.Sprintf("worker.w%d/x.y", (i*7)%20), desired: obj(attrs{"a": text("1")}), live: obj(attrs{"a": text("2")})})
	}
	p := makePlan(t, rs...)
	v := plans.Check(read(t, write(t, p)), p)
	for i, addr := range v.Run {
		if addr.String() != rs[i].addr {
			t.Fatalf("run %v is not in the plan's order", v.Run)
		}
	}
	if len(v.Run) != 20 {
		t.Errorf("%d run, want 20", len(v.Run))
	}
}

func TestCheckTrustsNoEditedFile(t *testing.T) {
	t.Parallel()
	p := makePlan(t, resource{addr: "worker.w1/x.y", desired: obj(attrs{"a": text("1")}), live: obj(attrs{"a": text("2")})})
	src := write(t, p)
	planned := read(t, src).Changes[0].Planned
	for name, tt := range map[string]struct{ old, new, want string }{
		"what will be":      {planned, "sha256:0", "differs worker.w1/x.y: planned: sha256:0 -> " + planned + "\n"},
		"what was observed": {p.Changes[0].Observed, "sha256:0", "differs worker.w1/x.y: observed: sha256:0 -> " + p.Changes[0].Observed + "\n"},
		"a value":           {`a = "1"`, `a = "3"`, `differs worker.w1/x.y: after a: "3" -> "1"` + "\n"},
	} {
		if got := verdict(plans.Check(read(t, strings.Replace(src, tt.old, tt.new, 1)), p)); got != tt.want {
			t.Errorf("%s: verdict %q, want %q", name, got, tt.want)
		}
	}
}
