package conformance_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/expertflow/cxha/sandbox/conformance"
)

// ended is a check that ends with err.
func ended(id string, err error, needs ...string) conformance.Check {
	return conformance.Check{ID: id, Point: "point of " + id, Needs: needs, Run: func(context.Context, *conformance.World) error { return err }}
}

func results(t *testing.T, ctx context.Context, checks ...conformance.Check) []conformance.Result {
	t.Helper()
	var rs []conformance.Result
	if err := conformance.Run(ctx, nil, checks, func(r conformance.Result) { rs = append(rs, r) }); !errors.Is(err, ctx.Err()) {
		t.Errorf("error %v, want that of the context", err)
	}
	return rs
}

func TestRun(t *testing.T) {
	t.Parallel()
	got := results(t, t.Context(),
		ended("A", nil),
		ended("B", &conformance.Difference{Expected: "this", Seen: "that"}, "A"),
		ended("C", &conformance.Skip{Why: "nothing to see"}),
		ended("D", errors.New("host w1: gone")),
		ended("E", nil, "A", "B"),
		ended("F", nil, "C"),
		ended("G", nil, "A"),
	)
	expected := []conformance.Result{
		{ID: "A", Point: "point of A", Status: conformance.Same},
		{ID: "B", Point: "point of B", Status: conformance.Differs, Expected: "this", Seen: "that"},
		{ID: "C", Point: "point of C", Status: conformance.Skipped, Why: "nothing to see"},
		{ID: "D", Point: "point of D", Status: conformance.Differs, Expected: "point of D", Seen: "host w1: gone"},
		{ID: "E", Point: "point of E", Status: conformance.Skipped, Why: "B does not hold here"},
		{ID: "F", Point: "point of F", Status: conformance.Skipped, Why: "C does not hold here"},
		{ID: "G", Point: "point of G", Status: conformance.Same},
	}
	if diff := cmp.Diff(expected, got, cmpopts.IgnoreFields(conformance.Result{}, "Seconds")); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(conformance.Count{Same: 2, Differs: 2, Skipped: 3}, conformance.CountOf(got)); diff != "" {
		t.Errorf("count (-want +got):\n%s", diff)
	}
}

func TestRunThatIsStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stop := ended("A", nil)
	stop.Run = func(context.Context, *conformance.World) error { cancel(); return nil }
	got := results(t, ctx, stop, ended("B", nil))
	if len(got) != 2 || got[1].Status != conformance.Skipped || got[1].Why != "the run was stopped" {
		t.Errorf("got %+v", got)
	}
}

func TestChecksAreInOrder(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^C-[A-Z]+-[0-9]{2}$`)
	before := map[string]bool{}
	for _, c := range conformance.Checks() {
		if !form.MatchString(c.ID) || before[c.ID] || c.Point == "" || c.Run == nil {
			t.Errorf("check %q: its id has another form or is given twice, or a part of it is missing", c.ID)
		}
		for _, need := range c.Needs {
			if !before[need] {
				t.Errorf("check %s needs %s, which does not run before it", c.ID, need)
			}
		}
		before[c.ID] = true
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	rs := []conformance.Result{
		{ID: "C-API-01", Point: "a server becomes active", Status: conformance.Same, Seconds: 31.42},
		{ID: "C-API-02", Point: "the kubeconfig is there", Status: conformance.Differs, Expected: `mode "600"`, Seen: "first\nsecond\n"},
		{ID: "C-API-03", Point: "the supervisor answers", Status: conformance.Skipped, Why: "C-API-02 does not hold here"},
	}
	var b strings.Builder
	for _, r := range rs {
		if err := conformance.WriteResult(&b, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := conformance.WriteSummary(&b, "v1.35.7+rke2r1", rs); err != nil {
		t.Fatal(err)
	}
	const expected = `C-API-01    same       31.4s  a server becomes active
C-API-02    differs     0.0s  the kubeconfig is there
            expected: mode "600"
                seen: first
                      second
C-API-03    skipped     0.0s  the supervisor answers
                 why: C-API-02 does not hold here

Conformance with v1.35.7+rke2r1: 1 same, 1 differ, 1 skipped.
`
	if diff := cmp.Diff(expected, b.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	b.Reset()
	if err := conformance.WriteJSON(&b, "v1.35.7+rke2r1", rs[:1]); err != nil {
		t.Fatal(err)
	}
	const document = `{
  "version": "v1.35.7+rke2r1",
  "count": {
    "same": 1,
    "differs": 0,
    "skipped": 0
  },
  "results": [
    {
      "id": "C-API-01",
      "point": "a server becomes active",
      "status": "same",
      "seconds": 31.42
    }
  ]
}
`
	if diff := cmp.Diff(document, b.String()); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}
