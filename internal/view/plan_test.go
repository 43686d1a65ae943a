package view_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/internal/view"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

func addr(t *testing.T, text string) schema.Addr {
	t.Helper()
	a, err := schema.ParseAddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// update is a plan of one change of one attribute.
func update(t *testing.T, before, after cty.Value) *plans.File {
	t.Helper()
	return &plans.File{Cluster: "cx", Changes: []plans.FileChange{{
		Addr: addr(t, `worker.w1/host.file["/etc/a|b"]`), Host: "w1", Action: plans.Update, Reason: plans.Reason{Code: plans.Drift, Text: "a differs"},
		Before: []plans.FileAttr{{Path: "a", Value: before}}, After: []plans.FileAttr{{Path: "a", Value: after}},
	}}}
}

func text(t *testing.T, print func(*view.Printer) error) string {
	t.Helper()
	var out strings.Builder
	if err := print(view.New(view.Options{Stdout: &out, Stderr: &out})); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPlanShowsValuesAsTheyAre(t *testing.T) {
	t.Parallel()
	object := cty.ObjectVal(map[string]cty.Value{"b": cty.True, "x y": cty.UnknownVal(cty.String)})
	for name, c := range map[string]struct {
		before, after cty.Value
		want          []string
	}{
		"space":        {cty.StringVal("a b"), cty.StringVal("a  b "), []string{`a: "a b" -> "a  b "`}},
		"collections":  {cty.MapValEmpty(cty.String), cty.TupleVal([]cty.Value{object, cty.NumberIntVal(2)}), []string{`a: {} -> [{ b = true, "x y" = (known after apply) }, 2]`}},
		"a map":        {cty.NullVal(cty.String), cty.MapVal(map[string]cty.Value{"k": cty.StringVal("v")}), []string{`a: (none) -> { "k" = "v" }`}},
		"escapes":      {cty.StringVal("\x1b[2J"), cty.StringVal("b"), []string{`a: "\u001b[2J" -> "b"`}},
		"escape lines": {cty.StringVal("a\n\x1b[2J\r\n"), cty.StringVal("a\nb\n"), []string{"-\ufffd[2J\ufffd", "+b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := text(t, func(p *view.Printer) error { return p.Plan(update(t, c.before, c.after), nil) })
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("the plan is\n%s\nwant %q in it", got, want)
				}
			}
		})
	}
}

func TestPlanLeavesHintsToTheWarning(t *testing.T) {
	t.Parallel()
	f := &plans.File{Cluster: "cx", Summary: plans.Summary{Unknown: 1}, Changes: []plans.FileChange{{
		Addr: addr(t, "worker.w1/host.sysctl"), Host: "w1", Action: plans.Unknown,
		Reason: plans.Reason{Code: plans.Unreachable, Text: "host w1: no route\nCheck that it is up."},
	}}}
	want := `
worker.w1
  ? host.sysctl  host w1: no route

Plan: 0 to create, 0 to change, 0 to replace, 0 to remove, 0 unchanged, 1 unknown.
`
	got := text(t, func(p *view.Printer) error { return p.Plan(f, nil) })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestMarkdownIsNotBrokenByValues(t *testing.T) {
	t.Parallel()
	want := "### cxha plan of cluster `cx`\n\nPlan: 0 to create, 0 to change, 0 to replace, 0 to remove, 0 unchanged.\n\n" +
		"| | resource | why |\n|---|---|---|\n| update | `worker.w1/host.file[\"/etc/a\\|b\"]` | a differs |\n\n" +
		"<details><summary>Attributes</summary>\n\n````diff\n# worker.w1/host.file[\"/etc/a|b\"] (update)\n" +
		"- a = \"x\"\n+ a = ```\n+ </details>\n````\n\n</details>\n"
	got := text(t, func(p *view.Printer) error {
		return p.Markdown(update(t, cty.StringVal("x"), cty.StringVal("```\n</details>\n")))
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

func TestStatusLineOnANarrowTerminal(t *testing.T) {
	t.Parallel()
	for _, width := range []int{1, 2, 3, 12} {
		var out strings.Builder
		p := view.New(view.Options{Stdout: &out, Stderr: &out, Live: true, Width: width})
		p.Probe(engine.ProbeStarted{Hosts: 3})
		p.Probe(engine.HostProbed{Host: "w1", Err: errors.New("no route")})
		line, _, _ := strings.Cut(strings.TrimPrefix(out.String(), "\r\x1b[K"), "\r")
		if n := len([]rune(line)); n >= width && width > 1 {
			t.Errorf("width %d: the status line %q has %d columns", width, line, n)
		}
	}
}
