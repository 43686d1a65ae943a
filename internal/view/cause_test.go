package view_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/internal/view"
	"github.com/expertflow/cxha/plans"
)

func TestOneCauseIsToldOnce(t *testing.T) {
	t.Parallel()
	unknown := func(address, why string) plans.FileChange {
		return plans.FileChange{Addr: addr(t, address), Action: plans.Unknown, Reason: plans.Reason{Code: plans.Unseen, Text: why}}
	}
	const api = "Kubernetes API: no answer for 15s"
	f := &plans.File{Cluster: "cx", Summary: plans.Summary{Unknown: 6}, Changes: []plans.FileChange{
		unknown("control_plane.cp1/host.sysctl", "host cp1 (10.0.0.1): bastion b: refused\nCheck it."),
		unknown("control_plane.cp1/kube.node", api),
		unknown("control_plane.cp1/kube.labels", api),
		unknown("worker.w1/host.sysctl", "host w1 (10.0.0.2): bastion b: refused\nCheck it."),
		unknown("worker.w1/kube.node", api),
		unknown("worker.w2/host.sysctl", "host w2 (10.0.0.3): no login as ops: the key is not accepted"),
	}}
	want := `
control_plane.cp1
  ? host.sysctl  hosts cp1 (10.0.0.1) and w1 (10.0.0.2): bastion b: refused (cause 1)
  ? kube.node, kube.labels  Kubernetes API: no answer for 15s (cause 2)

worker.w1
  ? host.sysctl  cause 1, see above
  ? kube.node  cause 2, see above

worker.w2
  ? host.sysctl  host w2 (10.0.0.3): no login as ops: the key is not accepted

Plan: 0 to create, 0 to change, 0 to replace, 0 to remove, 0 unchanged, 6 unknown.
`
	if diff := cmp.Diff(want, text(t, func(p *view.Printer) error { return p.Plan(f, nil) })); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
	table := text(t, func(p *view.Printer) error { return p.Markdown(f) })
	row := "| unknown | `control_plane.cp1/host.sysctl`, `worker.w1/host.sysctl` | hosts cp1 (10.0.0.1) and w1 (10.0.0.2): bastion b: refused |\n"
	if !strings.Contains(table, row) || strings.Count(table, api) != 1 {
		t.Errorf("the Markdown is\n%s\nwant one row for a cause, such as\n%s", table, row)
	}
}

func TestWarningsOfAProbe(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	p := view.New(view.Options{Stdout: &out, Stderr: &out})
	p.Probe(engine.ProbeStarted{Hosts: 4})
	for host, problem := range map[string]string{"w1": "host w1 (10.0.0.2): no route\nCheck the network.", "cp1": "host cp1 (10.0.0.1): no route\nCheck the network."} {
		p.Probe(engine.HostProbed{Host: host, Err: errors.New(problem)})
	}
	p.Probe(engine.HostProbed{Host: "w2", Took: time.Second})
	p.Probe(engine.HostProbed{Host: "w3", Err: errors.New("something of no form")})
	p.Probe(engine.ProbeEnded{})
	want := "warning: hosts cp1 (10.0.0.1) and w1 (10.0.0.2): no route\nCheck the network.\nwarning: something of no form\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestLedgerTellsACauseOnce(t *testing.T) {
	t.Parallel()
	change := func(address string) plans.Change { return plans.Change{Addr: addr(t, address), Action: plans.Update} }
	down := errors.New("the API server does not answer")
	l := &engine.Ledger{Took: time.Second, Entries: []engine.Entry{
		{Change: change("worker.w1/kube.labels"), State: engine.Failed, Err: down},
		{Change: change("worker.w1/kube.taints"), State: engine.Failed, Err: errors.New("another")},
		{Change: change("worker.w2/kube.labels"), State: engine.Failed, Err: down},
	}}
	out := text(t, func(p *view.Printer) error { p.Run(engine.RunEnded{Ledger: l}); return nil })
	want := "failed       worker.w1/kube.labels\nfailed       worker.w2/kube.labels\n               the API server does not answer\nfailed       worker.w1/kube.taints\n               another\n"
	if !strings.Contains(out, want) {
		t.Errorf("the ledger is\n%s\nwant in it\n%s", out, want)
	}
}
