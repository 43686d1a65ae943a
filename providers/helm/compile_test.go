package helm_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers/helm"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

func TestCompile(t *testing.T) {
	t.Parallel()
	bp := site(t)
	dir := filepath.Join(bp.Dir, "charts", "greeting")
	writeChart(t, dir, greeting("1.2.3"))
	a := release("a", blueprint.Chart{Name: "oci://registry.cx.internal/charts/a", Version: "1.0.0"})
	a.Keep = true
	a.After = []schema.Addr{{Block: a.Addr, Type: "host.nfs"}}
	b := release("b", blueprint.Chart{Name: dir})
	b.Values = cty.ObjectVal(map[string]cty.Value{"list": cty.ListVal([]cty.Value{cty.StringVal("x")}), "gone": cty.NullVal(cty.String), "secret": schema.Secret("s")})
	bp.Releases = []blueprint.Release{b}
	cs, _ := charts(t)
	lock, err := cs.Resolve(t.Context(), bp, nil)
	must(t, err)
	local := lock.Charts[0].Digest
	lock.Charts = append(lock.Charts, blueprint.LockedChart{Chart: a.Chart, Digest: sum(nil)})
	bp.Releases, bp.Lock = []blueprint.Release{a, b}, &lock

	rs, diags := helm.New(nil, helm.Options{}).Compile(bp)
	if diags.HasErrors() || len(rs) != 2 {
		t.Fatalf("%d resources, %v", len(rs), diags)
	}
	var edges []string
	for _, e := range rs[0].After {
		edges = append(edges, e.To.String())
	}
	if diff := cmp.Diff([]string{"control_plane.cp1/kube.node", "helm_release.a/host.nfs"}, edges); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
	value := func(chart, version, digest string, values cty.Value, keep bool, name string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal(name), "namespace": cty.StringVal(name), "cluster": cty.StringVal("cx"), "chart": cty.StringVal(chart),
			"version": cty.StringVal(version), "digest": cty.StringVal(digest), "values": values, "keep": cty.BoolVal(keep),
			"status": cty.StringVal("deployed"), "drift": cty.MapValEmpty(cty.String),
			"apply": cty.UnknownVal(cty.String), "objects": cty.UnknownVal(cty.Map(cty.String)),
		})
	}
	want := []cty.Value{
		value("oci://registry.cx.internal/charts/a", "1.0.0", sum(nil), cty.EmptyObjectVal, true, "a"),
		value("./charts/greeting", "1.2.3", local, cty.ObjectVal(map[string]cty.Value{
			"list": cty.TupleVal([]cty.Value{cty.StringVal("x")}), "gone": cty.StringVal("(null)"), "secret": schema.Secret("s"),
		}), false, "b"),
	}
	for i, r := range rs {
		if !r.Desired.RawEquals(want[i]) {
			t.Errorf("%s: %#v, want %#v", r.Addr, r.Desired, want[i])
		}
	}
}

func TestCompileWithoutAgreement(t *testing.T) {
	t.Parallel()
	remote := blueprint.Chart{Name: "a", Repository: "https://charts.cx.internal", Version: "1.1.0"}
	locked := func(c blueprint.Chart, version, digest string) *blueprint.Lock {
		c.Version = version
		return &blueprint.Lock{Charts: []blueprint.LockedChart{{Chart: c, Digest: digest}}}
	}
	dir := filepath.Join(t.TempDir(), "chart")
	writeChart(t, dir, greeting("1.0.0"))
	local := blueprint.Chart{Name: dir}
	for name, c := range map[string]struct {
		chart blueprint.Chart
		lock  *blueprint.Lock
		line  int // of the blueprint
		want  []string
	}{
		"no lock file":         {remote, nil, 2, []string{"No lock file", "cxha lock"}},
		"no lock, local chart": {local, nil, 2, []string{"No lock file", "cxha lock"}},
		"not locked":           {remote, &blueprint.Lock{}, 2, []string{"Chart not locked", "cxha lock"}},
		"other repository":     {remote, locked(blueprint.Chart{Name: "a", Repository: "https://other.cx.internal"}, "1.1.0", sum(nil)), 2, []string{"Chart not locked"}},
		"other version":        {remote, locked(remote, "1.0.0", sum(nil)), 3, []string{"wants version 1.1.0", "has 1.0.0", "cxha lock"}},
		"files changed":        {local, locked(local, "", sum(nil)), 2, []string{sum(nil), "cxha lock", "chart"}},
		"files gone":           {blueprint.Chart{Name: dir + "-gone"}, locked(blueprint.Chart{Name: dir + "-gone"}, "", sum(nil)), 2, []string{"cannot be read"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp := site(t, release("a", c.chart), release("b", c.chart))
			bp.Lock = c.lock
			rs, diags := helm.New(nil, helm.Options{}).Compile(bp)
			if len(rs) != 0 || len(diags) != 2 {
				t.Fatalf("%d resources, %d diagnostics", len(rs), len(diags))
			}
			d := diags[0]
			for _, want := range c.want {
				if !strings.Contains(d.Summary+" "+d.Detail, want) {
					t.Errorf("%q: %q has no %q", d.Summary, d.Detail, want)
				}
			}
			if d.Subject == nil || d.Subject.Start.Line != c.line {
				t.Errorf("place %v, want line %d", d.Subject, c.line)
			}
		})
	}
}
