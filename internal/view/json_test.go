package view_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/internal/view"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers/kube"
)

// Every line of every command's JSON says when it was printed, and which version of the form it has.
func TestEveryLineHasATimeAndASchema(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.FixedZone("x", 3600))
	var out strings.Builder
	p := view.New(view.Options{Stdout: &out, Stderr: &out, JSON: true, Now: func() time.Time { return now }})
	change := plans.Change{Addr: addr(t, "worker.w1/kube.labels"), Action: plans.Update}
	p.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "a", Detail: "b"}}, nil)
	p.Probe(engine.HostProbed{Host: "w1"})
	for _, e := range []engine.Event{
		engine.RunStarted{Total: 1}, engine.ChangeStarted{Change: change}, engine.ChangeProgress{Addr: change.Addr, Text: "x"},
		engine.ChangeDone{Change: change}, engine.ChangeFailed{Change: change, Err: errors.New("x")},
		engine.RunEnded{Ledger: &engine.Ledger{Entries: []engine.Entry{{Change: change, State: engine.Done}}}},
	} {
		p.Run(e)
	}
	if err := errors.Join(p.Plan(&plans.File{Cluster: "cx"}, nil), p.Status(&kube.Status{}), p.Valid("cx", 1, 2), p.Stale([]plans.Mismatch{{}})); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) < 12 {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for _, line := range lines {
		var has struct {
			Schema int       `json:"schema"`
			Time   time.Time `json:"time"`
		}
		if err := json.Unmarshal([]byte(line), &has); err != nil || has.Schema != view.SchemaVersion || !has.Time.Equal(now) {
			t.Errorf("%s\nschema %d, time %v: %v", line, has.Schema, has.Time, err)
		}
	}
}

func TestAnApplySaysHowLongEachPartTook(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	events := func(p *view.Printer) {
		one := plans.Change{Addr: addr(t, "worker.w1/rke2.service"), Action: plans.Update}
		two := plans.Change{Addr: addr(t, "worker.w1/kube.labels"), Action: plans.Update}
		other := plans.Change{Addr: addr(t, "control_plane.cp1/rke2.config"), Action: plans.Update}
		p.Run(engine.RunStarted{Total: 3})
		p.Run(engine.ChangeStarted{Change: other})
		p.Run(engine.ChangeStarted{Change: one})
		now = now.Add(3 * time.Second)
		p.Run(engine.ChangeDone{Change: one})
		p.Run(engine.ChangeStarted{Change: two})
		now = now.Add(1500 * time.Millisecond)
		p.Run(engine.ChangeDone{Change: two})
		p.Run(engine.ChangeFailed{Change: other, Err: errors.New("x")})
		p.Run(engine.RunEnded{Ledger: &engine.Ledger{Took: 5 * time.Second, Entries: []engine.Entry{
			{Change: other, State: engine.Failed, Err: errors.New("x")}, {Change: one, State: engine.Done}, {Change: two, State: engine.Done},
		}}})
	}
	for format, want := range map[bool]string{
		false: "Each part, from its first change to its last: control_plane.cp1 4.5s, worker.w1 4.5s.\n",
		true:  `"parts":[{"block":"control_plane.cp1","seconds":4.5},{"block":"worker.w1","seconds":4.5}]`,
	} {
		var out strings.Builder
		events(view.New(view.Options{Stdout: &out, Stderr: &strings.Builder{}, JSON: format, Now: func() time.Time { return now }}))
		if !strings.Contains(out.String(), want) {
			t.Errorf("JSON %v: want %q in\n%s", format, want, out.String())
		}
	}
}
