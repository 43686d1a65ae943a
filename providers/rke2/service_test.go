package rke2_test

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/providers/rke2"
)

func TestServiceAnswer(t *testing.T) {
	t.Parallel()
	r := filled(cases(t)["service"].Resource, map[string]string{"agent_token": "d1"})
	k := providertest.Kind(t, rke2.New(rke2.Options{}), "rke2.service")
	started := "started_version=v1.35.7+rke2r1\nstarted_config=" + configDigest(t, sample(), "worker.w1") + "\nstarted_agent_token=d1\nstarted_before=i0\nstarted_files=f1\nstarted_invocation=i1\n"
	unit := func(active, enabled, invocation string) string {
		return "LoadState=loaded\nActiveState=" + active + "\nSubState=x\nUnitFileState=" + enabled + "\nInvocationID=" + invocation + "\n"
	}
	for name, c := range map[string]struct {
		reply  string
		want   plans.Action
		reason string
	}{
		"no unit":                       {"LoadState=not-found\nfiles=f1\n", plans.Create, ""},
		"as recorded":                   {unit("active", "enabled", "i1") + started + "files=f1\n", plans.NoOp, ""},
		"files changed since":           {unit("active", "enabled", "i1") + started + "files=f2\n", plans.NoOp, ""},
		"restarted":                     {unit("active", "enabled", "i2") + started + "files=f1\n", plans.NoOp, ""},
		"restarted with other files":    {unit("active", "enabled", "i2") + started + "files=f2\n", plans.Update, "not known with what configuration"},
		"announced, not restarted":      {unit("active", "enabled", "i0") + started + "files=f1\n", plans.Update, "not known with what configuration"},
		"no record":                     {unit("active", "enabled", "i1") + "files=f1\n", plans.Update, "not known with what configuration"},
		"starting":                      {unit("activating", "enabled", "i1") + started + "files=f1\n", plans.Update, "cxha waits for it"},
		"stopped":                       {unit("inactive", "enabled", "i1") + started + "files=f1\n", plans.Update, "rke2-agent is inactive"},
		"failed":                        {unit("failed", "enabled", "i1") + started + "files=f1\n", plans.Update, "rke2-agent is failed"},
		"disabled":                      {unit("active", "disabled", "i1") + started + "files=f1\n", plans.Update, "does not start when the host boots"},
		"other version":                 {unit("active", "enabled", "i1") + strings.Replace(started, "1.35.7", "1.35.6", 1) + "files=f1\n", plans.Update, "runs with version v1.35.6+rke2r1"},
		"other configuration":           {unit("active", "enabled", "i1") + strings.Replace(started, "sha256:", "sha256:0", 1) + "files=f1\n", plans.Update, "runs with another configuration"},
		"other token":                   {unit("active", "enabled", "i1") + strings.Replace(started, "d1", "d2", 1) + "files=f1\n", plans.Update, "runs with another token"},
		"record without its invocation": {unit("active", "enabled", "i1") + strings.Replace(started, "started_invocation=i1\n", "", 1) + "files=f1\n", plans.NoOp, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := k.Answer(r, providers.Reply{Stdout: c.reply})
			if err != nil {
				t.Fatal(err)
			}
			d, err := plans.Diff(r.Desired, v, plans.DiffOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if d.Action != c.want {
				t.Fatalf("planned is %s, want %s", d.Action, c.want)
			}
			if c.reason == "" {
				return
			}
			reason, err := k.(providers.Explainer).Explain(plans.Change{Addr: r.Addr, Host: "w1", Action: d.Action, Before: v, After: d.After})
			if err != nil || !strings.Contains(reason.Text, c.reason) {
				t.Errorf("the reason is %q (%v), want %q in it", reason.Text, err, c.reason)
			}
		})
	}
}

func TestNoNeedlessRestart(t *testing.T) {
	t.Parallel()
	r := filled(cases(t)["service"].Resource, map[string]string{"agent_token": "d1"})
	k := providertest.Kind(t, rke2.New(rke2.Options{}), "rke2.service")
	for name, c := range map[string]struct {
		attr    string
		before  cty.Value
		restart bool
	}{
		"disabled":    {"enabled", cty.False, false},
		"starting":    {"state", cty.StringVal("activating"), false},
		"stopped":     {"state", cty.StringVal("inactive"), true},
		"old version": {"version", cty.StringVal("v1.35.6+rke2r1"), true},
		"unknown":     {"config", cty.NullVal(cty.String), true},
	} {
		s, err := k.Commands(plans.Change{Addr: r.Addr, Action: plans.Update, Before: withAttr(r.Desired, c.attr, c.before), After: r.Desired})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(s.Text(), "systemctl restart"); got != c.restart {
			t.Errorf("%s: a restart is in the commands: %v, want %v\n%s", name, got, c.restart, s)
		}
	}
}

func TestAwait(t *testing.T) {
	t.Parallel()
	look := func(state string, log ...string) providers.Reply {
		return providers.Reply{Stdout: "ActiveState=" + state + "\nSubState=x\nResult=exit-code\nlog:\n" + strings.Join(log, "\n") + "\n"}
	}
	refused := `time="2026-01-01T00:00:00Z" level=error msg="https://cp:9345/v1-rke2/config: 401 Unauthorized"`
	lost := `time="2026-01-01T00:00:00Z" level=info msg="dial \"cp\": connection refused"`
	for name, c := range map[string]struct {
		looks []providers.Reply
		done  bool
		said  string // by the last look
		err   string
	}{
		"active":                         {looks: []providers.Reply{look("activating", "a"), look("active", "a", "b")}, done: true},
		"last line is shown":             {looks: []providers.Reply{look("activating", "a", "Waiting for etcd")}, said: "Waiting for etcd"},
		"without log":                    {looks: []providers.Reply{look("activating")}, said: "rke2-agent is activating (x)"},
		"failed":                         {looks: []providers.Reply{look("failed", "bootstrap data already found and encrypted with different token")}, err: "give the cluster's own token"},
		"failed without a hint":          {looks: []providers.Reply{look("failed", "x")}, err: "unit rke2-agent failed (exit-code)"},
		"an old fault in the log":        {looks: []providers.Reply{look("activating", refused, refused, refused, refused), look("activating", refused, refused, refused, refused)}, said: "https://cp:9345/v1-rke2/config: 401 Unauthorized"},
		"a fault comes again":            {looks: []providers.Reply{look("activating", "x"), look("activating", "x", refused), look("activating", "x", refused, refused), look("activating", refused, refused, refused)}, err: "does not accept the token"},
		"a fault twice":                  {looks: []providers.Reply{look("activating", "x"), look("activating", "x", refused, refused)}, said: "https://cp:9345/v1-rke2/config: 401 Unauthorized"},
		"what passes comes again":        {looks: []providers.Reply{look("activating", "x"), look("activating", lost, lost, lost, lost)}, said: `dial "cp": connection refused`},
		"nothing is seen":                {looks: []providers.Reply{{Exit: 1, Stderr: "no systemctl"}}, err: "no systemctl"},
		"node password in the end":       {looks: []providers.Reply{look("activating"), look("activating", "Node password rejected, x", "Node password rejected, y", "Node password rejected, z")}, err: "NAME.node-password.rke2"},
		"an answer that is no unit's":    {looks: []providers.Reply{{Stdout: "hello\nlog:\n"}}, err: "not KEY=VALUE"},
		"a wrong token at a new cluster": {looks: []providers.Reply{look("activating"), look("activating", strings.Repeat("token CA hash does not match the Cluster CA certificate hash\n", 3))}, err: "belongs to another cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := cases(t)["service"].Resource
			aw := providertest.Kind(t, rke2.New(rke2.Options{}), "rke2.service").(providers.Awaiter).Await(plans.Change{After: r.Desired})
			var done bool
			var said string
			var err error
			for _, reply := range c.looks {
				if done || err != nil {
					t.Fatalf("the wait ended early: %v", err)
				}
				done, said, err = aw.Done(reply)
			}
			if (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Fatalf("the error is %v, want %q in it", err, c.err)
			}
			if done != c.done || said != c.said {
				t.Errorf("done is %v and said is %q, want %v and %q", done, said, c.done, c.said)
			}
		})
	}
}

// A unit that systemd starts again and again is given up early, with what RKE2 said; one that restarted for other reasons is not.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	unit := []string{"rke2-agent.service: Main process exited, code=exited, status=1/FAILURE", "Starting Rancher Kubernetes Engine v2 (agent)..."}
	look := func(restarts string, log ...string) providers.Reply {
		return providers.Reply{Stdout: "ActiveState=activating\nSubState=auto-restart\nResult=exit-code\nNRestarts=" + restarts + "\nlog:\n" + strings.Join(append(log, unit...), "\n") + "\n"}
	}
	bad := func(second string) string {
		return `time="2026-01-01T00:00:` + second + `Z" level=fatal msg="Error: invalid boolean value \"maybe\" for -selinux: parse error"`
	}
	starting := `time="2026-01-01T00:00:00Z" level=info msg="Starting rke2 agent"`
	for name, c := range map[string]struct {
		looks []providers.Reply
		err   string // of the last look
	}{
		"the same words":           {looks: []providers.Reply{look("0"), look("1", bad("01")), look("2", bad("02")), look("3", bad("03"))}, err: `again and again (3 times by now): Error: invalid boolean value "maybe" for -selinux: parse error`},
		"twice":                    {looks: []providers.Reply{look("0"), look("1", bad("01")), look("2", bad("02"))}},
		"seen late":                {looks: []providers.Reply{look("0"), look("3", bad("01"), starting)}, err: "-selinux"},
		"counted before the wait":  {looks: []providers.Reply{look("7"), look("7", bad("01")), look("8", bad("02"))}},
		"started anew in between":  {looks: []providers.Reply{look("7"), look("0"), look("1", bad("01")), look("2", bad("02"))}},
		"other words each time":    {looks: []providers.Reply{look("0"), look("1", "a"), look("2", "b"), look("3", "c"), look("4", "d")}},
		"other words, many times":  {looks: []providers.Reply{look("0"), look("2", "a"), look("4", "b"), look("6", "c"), look("8", "b"), look("10", "d")}, err: "(10 times by now): d"},
		"without a word":           {looks: []providers.Reply{look("0"), look("3")}, err: "(3 times by now)"},
		"a hint":                   {looks: []providers.Reply{look("0"), look("3", "no default routes found")}, err: "needs a default route"},
		"systemd that counts none": {looks: []providers.Reply{look(""), look("", bad("01")), look("", bad("02")), look("", bad("03"))}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			aw := providertest.Kind(t, rke2.New(rke2.Options{}), "rke2.service").(providers.Awaiter).Await(plans.Change{After: cases(t)["service"].Resource.Desired})
			var err error
			for i, reply := range c.looks {
				if err != nil {
					t.Fatalf("given up at look %d of %d: %v", i, len(c.looks), err)
				}
				_, _, err = aw.Done(reply)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("the error is %v, want %q in it", err, c.err)
			}
		})
	}
}

func FuzzAwait(f *testing.F) {
	f.Add("ActiveState=activating\nlog:\na\nb\n", "ActiveState=activating\nlog:\nb\nc\n")
	f.Fuzz(func(t *testing.T, one, two string) {
		r := providertest.Compile(t, rke2.New(rke2.Options{}), providertest.Blueprint())["worker.w1/rke2.service"]
		aw := providertest.Kind(t, rke2.New(rke2.Options{}), "rke2.service").(providers.Awaiter).Await(plans.Change{After: r.Desired})
		for _, text := range []string{one, two, two} {
			if done, missing, err := aw.Done(providers.Reply{Stdout: text}); err != nil && (done || missing != "") {
				t.Errorf("an error, and also done %v and missing %q", done, missing)
			}
		}
	})
}

// What a cluster was made with counts while nothing runs, too, and a record from before the CNI was recorded needs no restart.
func TestIdentityOfARecord(t *testing.T) {
	t.Parallel()
	r := filled(providertest.Compile(t, rke2.New(rke2.Options{}), sample())["control_plane.cp1/rke2.service"], map[string]string{"agent_token": "d1", "server_token": "d2"})
	k := providertest.Kind(t, rke2.New(rke2.Options{}), "rke2.service")
	record := "started_version=v1.35.7+rke2r1\nstarted_config=" + configDigest(t, sample(), "control_plane.cp1") +
		"\nstarted_server_token=d2\nstarted_agent_token=d1\nstarted_ranges=pods in 10.42.0.0/16 and services in 10.43.0.0/16\nstarted_files=f1\nstarted_invocation=i1\nfiles=f1\n"
	unit := func(active string) string {
		return "LoadState=loaded\nActiveState=" + active + "\nSubState=x\nUnitFileState=enabled\nInvocationID=i1\n"
	}
	for name, c := range map[string]struct {
		reply   string
		want    plans.Action
		refused string
	}{
		"an old record":                {unit("active") + record, plans.NoOp, ""},
		"another CNI":                  {unit("active") + record + "started_cni=cilium\n", plans.Update, "put cni back"},
		"another domain, stopped":      {unit("inactive") + record + "started_domain=cx.local\ncluster=yes\n", plans.Update, "put cluster-domain"},
		"another domain, no cluster":   {unit("inactive") + record + "started_domain=cx.local\n", plans.Update, ""},
		"the same, stopped":            {unit("inactive") + record + "started_cni=canal\ncluster=yes\n", plans.Update, ""},
		"other ranges, failed to come": {unit("failed") + strings.Replace(record, "10.42", "10.52", 1) + "cluster=yes\n", plans.Update, "put pod_cidr and service_cidr back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := k.Answer(r, providers.Reply{Stdout: c.reply})
			if err != nil {
				t.Fatal(err)
			}
			d, err := plans.Diff(r.Desired, v, plans.DiffOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if d.Action != c.want {
				t.Fatalf("planned is %s (%v), want %s", d.Action, d.Attrs, c.want)
			}
			if c.want == plans.NoOp {
				return
			}
			_, err = k.(providers.Explainer).Explain(plans.Change{Addr: r.Addr, Host: "cp1", Action: d.Action, Before: v, After: d.After})
			if (err != nil) != (c.refused != "") || err != nil && !strings.Contains(err.Error(), c.refused) {
				t.Errorf("the answer is %v, want %q in it", err, c.refused)
			}
		})
	}
}

func TestRangesOfARunningClusterStay(t *testing.T) {
	t.Parallel()
	rs := providertest.Compile(t, rke2.New(rke2.Options{}), sample())
	k := providertest.Kind(t, rke2.New(rke2.Options{}), "rke2.service").(providers.Explainer)
	server := filled(rs["control_plane.cp1/rke2.service"], map[string]string{"agent_token": "d1", "server_token": "d2"}).Desired
	agent := filled(rs["worker.w1/rke2.service"], map[string]string{"agent_token": "d1"}).Desired
	other := cty.StringVal("pods in 10.52.0.0/16 and services in 10.43.0.0/16")
	for name, c := range map[string]struct {
		before, after cty.Value
		refused       bool
	}{
		"other pods":     {server, withAttr(server, "ranges", other), true},
		"not known":      {withAttr(server, "ranges", cty.NullVal(cty.String)), server, false},
		"other version":  {withAttr(server, "version", cty.StringVal("v1.35.6+rke2r1")), server, false},
		"a worker's own": {withAttr(agent, "version", cty.StringVal("v1.35.6+rke2r1")), agent, false},
	} {
		_, err := k.Explain(plans.Change{Addr: rs["control_plane.cp1/rke2.service"].Addr, Host: "cp1", Action: plans.Update, Before: c.before, After: c.after})
		if (err != nil) != c.refused {
			t.Errorf("%s: the answer is %v, refused should be %v", name, err, c.refused)
		}
		if err != nil && !strings.Contains(err.Error(), "put pod_cidr and service_cidr back") {
			t.Errorf("%s: the refusal does not say what to do: %v", name, err)
		}
	}
}
