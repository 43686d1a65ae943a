package cli_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/internal/cli"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

func change(t *testing.T, address string, action plans.Action) plans.Change {
	t.Helper()
	a, err := schema.ParseAddr(address)
	if err != nil {
		t.Fatal(err)
	}
	return plans.Change{Addr: a, Action: action}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a", "b.json")
	learnt := cli.ReadTimes(file)
	one, two, failed := change(t, "worker.w1/rke2.service", plans.Create), change(t, "worker.w2/rke2.service", plans.Create), change(t, "worker.w1/kube.node", plans.Create)
	learnt.Learn(&engine.Ledger{Entries: []engine.Entry{
		{Change: one, State: engine.Done, Took: 4 * time.Second}, {Change: two, State: engine.Done, Took: 8 * time.Second}, {Change: failed, State: engine.Failed, Took: time.Second},
	}})
	if err := learnt.Save(file); err != nil {
		t.Fatal(err)
	}
	kept := cli.ReadTimes(file)
	type answer struct {
		Took  time.Duration
		Known bool
	}
	got := map[string]answer{}
	for name, c := range map[string]plans.Change{
		"the same": one, "another of its kind": change(t, "worker.w3/rke2.service", plans.Create),
		"another action": change(t, "worker.w1/rke2.service", plans.Update), "one that failed": failed,
	} {
		took, known := kept.Of(c)
		got[name] = answer{took, known}
	}
	want := map[string]answer{"the same": {4 * time.Second, true}, "another of its kind": {6 * time.Second, true}, "another action": {}, "one that failed": {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func FuzzTimes(f *testing.F) {
	for _, seed := range []string{"", "{", `{"schema":1}`, `{"schema":2,"kinds":{"a.a create":1}}`, `{"schema":1,"kinds":{"a.a create":-1,"b create":1e300}}`, "null", `{"schema":1,"kinds":null}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		known := cli.DecodeTimes([]byte(text))
		known.Learn(&engine.Ledger{Entries: []engine.Entry{{Change: change(t, "worker.w1/a.a", plans.Create), State: engine.Done, Took: time.Second}}})
		if took, ok := known.Of(change(t, "worker.w1/a.a", plans.Create)); !ok || took != time.Second {
			t.Errorf("%s, %v after a run that took a second", took, ok)
		}
		if took, _ := known.Of(change(t, "worker.w9/b.b", plans.Create)); took < 0 || took > 24*time.Hour {
			t.Errorf("a change is said to take %s", took)
		}
	})
}
