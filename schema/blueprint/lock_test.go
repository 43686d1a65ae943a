package blueprint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/schema/blueprint"
)

const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func exampleLock(dir string) blueprint.Lock {
	chart := func(name, repository, version string) blueprint.LockedChart {
		return blueprint.LockedChart{Chart: blueprint.Chart{Name: name, Repository: repository, Version: version}, Digest: digest}
	}
	return blueprint.Lock{Path: filepath.Join(dir, blueprint.LockFile), RKE2: "v1.35.7+rke2r1", Charts: []blueprint.LockedChart{
		chart("oci://registry.cx.internal/charts/cx", "", "1.1.0"),
		chart("metallb", "https://metallb.github.io/metallb", "0.16.1"),
		chart("oci://registry.cx.internal/charts/cx", "", "1.0.0"),
		chart(filepath.Join(dir, "charts", `odd "name" ${x} %{y}`), "", ""),
		chart(filepath.Join(filepath.Dir(dir), "shared.tgz"), "", ""),
		chart(dir, "", ""),
	}}
}

func TestFormatLock(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "blueprint")
	want := "# Written by `cxha lock`. It belongs to the blueprint: keep it under version control, and let `cxha lock` change it.\n" + `
rke2 = "v1.35.7+rke2r1"

chart "." {
  digest = "` + digest + `"
}

chart "../shared.tgz" {
  digest = "` + digest + `"
}

chart "./charts/odd \"name\" $${x} %%{y}" {
  digest = "` + digest + `"
}

chart "metallb" {
  repository = "https://metallb.github.io/metallb"
  version    = "0.16.1"
  digest     = "` + digest + `"
}

chart "oci://registry.cx.internal/charts/cx" {
  version = "1.0.0"
  digest  = "` + digest + `"
}

chart "oci://registry.cx.internal/charts/cx" {
  version = "1.1.0"
  digest  = "` + digest + `"
}
`
	lock := exampleLock(dir)
	first := lock.Charts[0]
	if diff := cmp.Diff(want, string(blueprint.FormatLock(lock, dir))); diff != "" {
		t.Errorf("lock file (-want +got):\n%s", diff)
	}
	if lock.Charts[0] != first {
		t.Error("the lock was sorted in place")
	}
}

// TestLockRoundTrip: what is written is read as the same, on another machine as well.
func TestLockRoundTrip(t *testing.T) {
	t.Parallel()
	here, there := filepath.Join(t.TempDir(), "here"), filepath.Join(t.TempDir(), "there")
	text := blueprint.FormatLock(exampleLock(here), here)
	got, diags := blueprint.ParseLock(text, "lock", there)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if diff := cmp.Diff(string(text), string(blueprint.FormatLock(*got, there))); diff != "" {
		t.Errorf("written again (-first +second):\n%s", diff)
	}
	if want := filepath.Join(there, "charts", `odd "name" ${x} %{y}`); got.Charts[2].Name != want {
		t.Errorf("local chart = %q, want %q", got.Charts[2].Name, want)
	}
	if got.Path != filepath.Join(there, blueprint.LockFile) || got.RKE2 != "v1.35.7+rke2r1" || len(got.Charts) != 6 {
		t.Errorf("lock = %+v", got)
	}
}

func TestLoadReadsTheLock(t *testing.T) {
	t.Parallel()
	files := base(t, "")
	if bp := load(t, blueprint.LoadOptions{}, files); bp.Lock != nil {
		t.Errorf("without a file the lock is %+v", bp.Lock)
	}
	files[blueprint.LockFile] = "rke2 = \"v1.35.7+rke2r1\"\nchart \"./cx\" {\n  digest = \"" + digest + "\"\n}\n"
	bp := load(t, blueprint.LoadOptions{}, files)
	if bp.Lock == nil || bp.Lock.RKE2 != "v1.35.7+rke2r1" || bp.Lock.Charts[0].Name != filepath.Join(bp.Dir, "cx") || bp.Lock.Path != filepath.Join(bp.Dir, blueprint.LockFile) {
		t.Errorf("lock = %+v", bp.Lock)
	}
}

// TestRelock: whoever writes the lock file anew must not be stopped by what is wrong with the old one.
func TestRelock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text   string
		locked bool
	}{
		"other version": {"rke2 = \"v1.34.1+rke2r1\"\n", true},
		"mistake":       {"rke2 = 1\n", false},
		"no HCL":        {"<<<<<<< ours\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := base(t, "")
			files[blueprint.LockFile] = c.text
			bp, diags := loadAll(t, blueprint.LoadOptions{}, files)
			if !diags.HasErrors() {
				t.Error("want errors without Relock")
			}
			checkPlaces(t, bp, diags)
			bp, diags = loadAll(t, blueprint.LoadOptions{Relock: true}, files)
			if diags.HasErrors() || (bp.Lock != nil) != c.locked {
				t.Errorf("lock = %+v, %v", bp.Lock, diags)
			}
		})
	}
}

func TestLoginsInTheLockAreNotShown(t *testing.T) {
	t.Parallel()
	files := base(t, "")
	files[blueprint.LockFile] = "rke2 = \"v1.35.7+rke2r1\"\nchart \"oci://me:hunter2@registry.cx.internal/cx\" {\n}\nchart \"cx\" {\n  repository = \"https://me:hunter2@charts.cx.internal\"\n}\n"
	bp, diags := loadAll(t, blueprint.LoadOptions{}, files)
	if got := render(t, bp.Dir, bp, diags); len(diags) < 2 || strings.Contains(got, "hunter2") {
		t.Errorf("want mistakes without the password:\n%s", got)
	}
}

func TestUnreadableLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "main.cxha.hcl"), []byte(base(t, "")["main.cxha.hcl"]))
	if err := os.Mkdir(filepath.Join(dir, blueprint.LockFile), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, diags := blueprint.Load(dir, blueprint.LoadOptions{Env: home}); len(diags) != 1 || diags[0].Summary != "Cannot read" {
		t.Errorf("got %v", diags)
	}
}

// FuzzParseLock feeds any text: it never panics, what it says has a place, and what it reads is written and read as the same.
func FuzzParseLock(f *testing.F) {
	f.Add(blueprint.FormatLock(exampleLock("/srv/blueprint"), "/srv/blueprint"))
	for _, s := range []string{"", "rke2 = \"v1.35.7+rke2r1\"\n", "rke2 = 1\nchart {}\n", "chart \"a\" \"b\" {\n}\n", "chart \"~/x\" {\n}\n", "rke2 = x.y\nrke2 = \"\"\n", "chart \"./a\\\\b\" {\n digest = \"" + digest + "\"\n}\n"} {
		f.Add([]byte(s))
	}
	const dir = "/srv/blueprint"
	f.Fuzz(func(t *testing.T, text []byte) {
		if tooDeep(text) {
			t.Skip()
		}
		lock, diags := blueprint.ParseLock(text, "lock", dir)
		bp := &blueprint.Blueprint{Sources: map[string]*hcl.File{"lock": {Bytes: text}}}
		checkPlaces(t, bp, diags)
		if (lock == nil) != diags.HasErrors() {
			t.Fatalf("lock %+v with %v", lock, diags)
		}
		if lock == nil {
			return
		}
		written := blueprint.FormatLock(*lock, dir)
		again, diags := blueprint.ParseLock(written, "lock", dir)
		if diags.HasErrors() {
			t.Fatalf("%s\ncannot be read again: %v", written, diags)
		}
		if diff := cmp.Diff(string(written), string(blueprint.FormatLock(*again, dir))); diff != "" {
			t.Fatalf("not stable:\n%s", diff)
		}
		if !strings.HasSuffix(string(written), "\n") || len(again.Charts) != len(lock.Charts) {
			t.Fatalf("%d charts became %d", len(lock.Charts), len(again.Charts))
		}
	})
}
