package helm_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/providers/helm"
	"github.com/expertflow/cxha/schema/blueprint"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	shop := openShop(t)
	one, two := pack(t, greeting("1.0.0")), pack(t, greeting("2.0.0"))
	shop.put("greeting", "1.0.0", one)
	shop.put("greeting", "2.0.0", two)
	dir := filepath.Join(t.TempDir(), "chart")
	writeChart(t, dir, greeting("3.0.0"))
	bp := site(t,
		release("a", shop.inRepository("greeting", "1.0.0")), release("b", shop.inRepository("greeting", "1.0.0")),
		release("c", shop.inRegistry("greeting", "2.0.0")), release("d", blueprint.Chart{Name: dir}))
	cs, cache := charts(t)
	var said []string
	lock, err := cs.Resolve(t.Context(), bp, func(s string) { said = append(said, s) })
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range lock.Charts {
		got[c.Name+" "+c.Version] = c.Digest
	}
	want := map[string]string{
		"greeting 1.0.0": sum(one), shop.inRegistry("greeting", "").Name + " 2.0.0": sum(two), dir + " ": got[dir+" "],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lock (-want +got):\n%s", diff)
	}
	if lock.RKE2 != bp.Cluster.Version || lock.Path != filepath.Join(bp.Dir, blueprint.LockFile) || len(said) != 3 {
		t.Errorf("lock of RKE2 %q in %q; said %q", lock.RKE2, lock.Path, said)
	}
	// What was looked up can be used without network, and compiles.
	offline := helm.NewCharts(helm.ChartOptions{Cache: cache, Transport: noNetwork{t}})
	for _, c := range lock.Charts {
		if _, err := offline.Load(t.Context(), c.Chart, c.Digest); err != nil {
			t.Error(err)
		}
	}
	// The written lock is read as it was.
	back, diags := blueprint.ParseLock(blueprint.FormatLock(lock, bp.Dir), "lock", bp.Dir)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if changes := helm.LockChanges(back, lock); len(changes) > 0 {
		t.Errorf("changes of a lock that was written and read: %v", changes)
	}
}

func TestResolveTriesAll(t *testing.T) {
	t.Parallel()
	shop := openShop(t)
	cs, _ := charts(t)
	_, err := cs.Resolve(t.Context(), site(t, release("a", shop.inRepository("one", "1.0.0")), release("b", shop.inRegistry("two", "1.0.0"))), nil)
	for _, want := range []string{"chart one 1.0.0", "/two 1.0.0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
}

func TestLockChanges(t *testing.T) {
	t.Parallel()
	remote := func(name, version, digest string) blueprint.LockedChart {
		return blueprint.LockedChart{Chart: blueprint.Chart{Name: name, Repository: "https://charts.cx.internal", Version: version}, Digest: sum([]byte(digest))}
	}
	local := func(digest string) blueprint.LockedChart {
		return blueprint.LockedChart{Chart: blueprint.Chart{Name: "/site/charts/cx"}, Digest: sum([]byte(digest))}
	}
	lock := func(rke2 string, cs ...blueprint.LockedChart) *blueprint.Lock {
		return &blueprint.Lock{Path: "/site/cxha.lock.hcl", RKE2: rke2, Charts: cs}
	}
	short := func(s string) string { return sum([]byte(s))[:len("sha256:")+12] }
	for name, c := range map[string]struct {
		old       *blueprint.Lock
		now       *blueprint.Lock
		want      []string
		rewritten bool
	}{
		"same":      {lock("v1", remote("a", "1.0.0", "x")), lock("v1", remote("a", "1.0.0", "x")), nil, false},
		"first":     {nil, lock("v1", remote("a", "1.0.0", "x")), []string{"rke2 v1 (new)", "chart a 1.0.0 (new)"}, false},
		"rke2":      {lock("v1"), lock("v2"), []string{"rke2 v1 -> v2"}, false},
		"version":   {lock("v1", remote("a", "1.0.0", "x")), lock("v1", remote("a", "1.1.0", "y")), []string{"chart a 1.0.0 -> 1.1.0"}, false},
		"gone":      {lock("v1", remote("a", "1.0.0", "x")), lock("v1"), []string{"chart a 1.0.0 (no longer in the blueprint)"}, false},
		"rewritten": {lock("v1", remote("a", "1.0.0", "x")), lock("v1", remote("a", "1.0.0", "y")), []string{"chart a 1.0.0: another digest under the same version"}, true},
		"local":     {lock("v1", local("x")), lock("v1", local("y")), []string{"chart ./charts/cx " + short("x") + " -> " + short("y")}, false},
		"two versions": {lock("v1", remote("a", "1.0.0", "x")), lock("v1", remote("a", "1.0.0", "x"), remote("a", "2.0.0", "y")),
			[]string{"chart a 2.0.0 (new)"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			changes := helm.LockChanges(c.old, *c.now)
			for _, ch := range changes {
				got = append(got, ch.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if rewritten := slices.ContainsFunc(changes, func(c helm.LockChange) bool { return c.Rewritten }); rewritten != c.rewritten {
				t.Errorf("rewritten: %v", rewritten)
			}
		})
	}
}
