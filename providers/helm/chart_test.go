package helm_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/expertflow/cxha/providers/helm"
	"github.com/expertflow/cxha/schema/blueprint"
)

// charts returns charts with an empty cache of their own.
func charts(t *testing.T) (*helm.Charts, string) {
	t.Helper()
	cache := filepath.Join(t.TempDir(), "cache")
	return helm.NewCharts(helm.ChartOptions{Cache: cache}), cache
}

// noNetwork fails the test at any call.
type noNetwork struct{ t *testing.T }

func (n noNetwork) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("asked the network for %s", r.URL)
	return nil, errors.New("no network")
}

func TestChartsComeFromTheNetworkOnce(t *testing.T) {
	t.Parallel()
	shop := openShop(t)
	archive := pack(t, greeting("1.2.3"))
	shop.put("greeting", "1.2.3", archive)
	for name, ref := range map[string]blueprint.Chart{
		"repository": shop.inRepository("greeting", "1.2.3"),
		"registry":   shop.inRegistry("greeting", "1.2.3"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cs, cache := charts(t)
			ch, err := cs.Load(t.Context(), ref, sum(archive))
			if err != nil {
				t.Fatal(err)
			}
			if ch.Name() != "greeting" || ch.Metadata.Version != "1.2.3" {
				t.Errorf("loaded %s %s", ch.Name(), ch.Metadata.Version)
			}
			kept, err := os.ReadDir(cache)
			if err != nil || len(kept) != 1 || kept[0].Name() != "sha256-"+strings.TrimPrefix(sum(archive), "sha256:")+".tgz" {
				t.Errorf("cache holds %v, %v", kept, err)
			}
			offline := helm.NewCharts(helm.ChartOptions{Cache: cache, Transport: noNetwork{t}})
			if _, err := offline.Load(t.Context(), ref, sum(archive)); err != nil {
				t.Errorf("without network: %v", err)
			}
		})
	}
}

func TestChartThatDiffersFromTheLock(t *testing.T) {
	t.Parallel()
	shop := openShop(t)
	archive := pack(t, greeting("1.2.3"))
	shop.put("greeting", "1.2.3", archive)
	agreed := sum([]byte("agreed"))
	for name, ref := range map[string]blueprint.Chart{
		"repository": shop.inRepository("greeting", "1.2.3"),
		"registry":   shop.inRegistry("greeting", "1.2.3"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cs, cache := charts(t)
			_, err := cs.Load(t.Context(), ref, agreed)
			var wrong *helm.DigestError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), agreed) || !strings.Contains(err.Error(), sum(archive)) {
				t.Errorf("error %v does not name both digests", err)
			}
			if kept, err := os.ReadDir(cache); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("what nobody agreed on was kept: %v, %v", kept, err)
			}
		})
	}
}

func TestDamagedCacheIsFetchedAnew(t *testing.T) {
	t.Parallel()
	shop := openShop(t)
	archive := pack(t, greeting("1.0.0"))
	shop.put("greeting", "1.0.0", archive)
	cs, cache := charts(t)
	ref := shop.inRepository("greeting", "1.0.0")
	if _, err := cs.Load(t.Context(), ref, sum(archive)); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(cache, "sha256-"+strings.TrimPrefix(sum(archive), "sha256:")+".tgz")
	if err := os.WriteFile(name, archive[:len(archive)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := cs.Load(t.Context(), ref, sum(archive)); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(name); err != nil || sum(text) != sum(archive) {
		t.Errorf("the cache was not mended: %v", err)
	}
}

func TestChartsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	shop := openShop(t)
	good := pack(t, greeting("1.0.0"))
	library := pack(t, greeting("1.0.0").with(files{"Chart.yaml": "apiVersion: v2\nname: library\nversion: 1.0.0\ntype: library\n"}))
	needy := pack(t, greeting("1.0.0").with(files{"Chart.yaml": "apiVersion: v2\nname: needy\nversion: 1.0.0\ndependencies: [{name: other, version: 1.0.0, repository: 'https://charts.invalid'}]\n"}))
	shop.put("greeting", "1.0.0", good)
	shop.put("renamed", "1.0.0", good)
	shop.put("greeting", "2.0.0", good)
	shop.put("garbage", "1.0.0", []byte("garbage"))
	shop.put("library", "1.0.0", library)
	shop.put("needy", "1.0.0", needy)
	shop.put("lied", "1.0.0", good)
	shop.claim("lied", "1.0.0", sum([]byte("something else")))
	missing := shop.inRepository("greeting", "9.9.9")
	for name, c := range map[string]struct {
		ref    blueprint.Chart
		digest string
		want   string
	}{
		"no such version in the repository": {missing, sum(good), "does not have that version (it has 1.0.0, 2.0.0)"},
		"no such chart in the repository":   {shop.inRepository("none", "1.0.0"), sum(good), "has no chart of that name"},
		"no such chart in the registry":     {shop.inRegistry("none", "1.0.0"), sum(good), "does not have that chart or version"},
		"other name inside":                 {shop.inRepository("renamed", "1.0.0"), sum(good), "the archive there is of the chart greeting"},
		"other version inside":              {shop.inRegistry("greeting", "2.0.0"), sum(good), "the archive there is of version 1.0.0"},
		"no archive":                        {shop.inRepository("garbage", "1.0.0"), sum([]byte("garbage")), "no archive of a chart"},
		"library":                           {shop.inRepository("library", "1.0.0"), sum(library), "cannot be installed"},
		"dependencies missing":              {shop.inRepository("needy", "1.0.0"), sum(needy), "helm dependency build"},
		"index tells another digest":        {shop.inRepository("lied", "1.0.0"), sum(good), "the repository's index has"},
		"nobody there":                      {blueprint.Chart{Name: "x", Repository: "http://127.0.0.1:1", Version: "1.0.0"}, sum(good), "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cs, _ := charts(t)
			_, err := cs.Load(t.Context(), c.ref, c.digest)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "chart ") {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	asked := make(chan struct{}, 8)
	hangs := roundTripper(func(r *http.Request) (*http.Response, error) {
		asked <- struct{}{}
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-release:
			return nil, errors.New("released")
		}
	})
	t.Cleanup(func() { close(release) })
	for name, ref := range map[string]blueprint.Chart{
		"repository": {Name: "x", Repository: "https://charts.invalid", Version: "1.0.0"},
		"registry":   {Name: "oci://charts.invalid/x", Version: "1.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() { <-asked; cancel(why) }()
			cs := helm.NewCharts(helm.ChartOptions{Cache: t.TempDir(), Transport: hangs})
			if _, err := cs.Load(ctx, ref, sum(nil)); !errors.Is(err, why) {
				t.Errorf("got %v, want %v", err, why)
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestLogins uses the environment, as Helm does.
func TestLogins(t *testing.T) {
	shop := openShop(t)
	archive := pack(t, greeting("1.0.0"))
	shop.put("greeting", "1.0.0", archive)
	shop.ask("ops:secret")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"repositories.yaml":   "apiVersion: ''\nrepositories:\n- {name: shop, url: '" + shop.server.URL + "/charts', username: ops, password: secret}\n",
		"docker/config.json":  `{"auths": {"` + strings.TrimPrefix(shop.server.URL, "http://") + `": {"auth": "b3BzOnNlY3JldA=="}}}`,
		"helm/registry/x.yml": "",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range []blueprint.Chart{shop.inRepository("greeting", "1.0.0"), shop.inRegistry("greeting", "1.0.0")} {
		for name, env := range map[string]map[string]string{
			"":      {"HELM_REPOSITORY_CONFIG": filepath.Join(dir, "none.yaml"), "DOCKER_CONFIG": t.TempDir(), "HELM_CONFIG_HOME": t.TempDir()},
			"login": {"HELM_REPOSITORY_CONFIG": filepath.Join(dir, "repositories.yaml"), "DOCKER_CONFIG": filepath.Join(dir, "docker"), "HELM_CONFIG_HOME": t.TempDir()},
		} {
			for key, value := range env {
				t.Setenv(key, value)
			}
			cs, _ := charts(t)
			_, err := cs.Load(t.Context(), ref, sum(archive))
			if (err == nil) != (name == "login") {
				t.Errorf("%s, login %q: %v", ref.Name, name, err)
			}
		}
	}
}

func writeChart(t *testing.T, dir string, f files) {
	t.Helper()
	for name, text := range f {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDigestOfADirectory(t *testing.T) {
	t.Parallel()
	digest := func(t *testing.T, f files, touch func(dir string)) string {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "chart")
		writeChart(t, dir, f)
		if touch != nil {
			touch(dir)
		}
		cs, _ := charts(t)
		lock, err := cs.Resolve(t.Context(), site(t, release("cx", blueprint.Chart{Name: dir})), nil)
		if err != nil {
			t.Fatal(err)
		}
		return lock.Charts[0].Digest
	}
	base := greeting("1.0.0").with(files{".helmignore": "*.bak\nnotes/\n"})
	want := digest(t, base, nil)
	for name, c := range map[string]struct {
		files files
		touch func(string)
		same  bool
	}{
		"again":              {base, nil, true},
		"other modes":        {base, func(d string) { must(t, os.Chmod(filepath.Join(d, "values.yaml"), 0o600)) }, true},
		"ignored file":       {base.with(files{"values.yaml.bak": "x"}), nil, true},
		"ignored directory":  {base.with(files{"notes/a": "x"}), nil, true},
		"ignored by default": {base.with(files{"templates/.swp": "x"}), nil, true},
		"other content":      {base.with(files{"values.yaml": "text: bye\n"}), nil, false},
		"one more":           {base.with(files{"files/a": ""}).with(files{"files/b": "x"}), nil, false},
		"moved text":         {base.with(files{"files/ab": "c"}), nil, false},
		"linked file":        {base.with(files{"values.yaml": ""}), func(d string) { link(t, d, base["values.yaml"]) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := digest(t, c.files, c.touch); (got == want) != c.same {
				t.Errorf("digest %s, of the chart as it was %s", got, want)
			}
		})
	}
}

func link(t *testing.T, dir, text string) {
	t.Helper()
	other := filepath.Join(t.TempDir(), "values")
	must(t, os.WriteFile(other, []byte(text), 0o644))
	must(t, os.Symlink(other, filepath.Join(dir, "values.yaml")))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinksInCircles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "chart")
	writeChart(t, dir, greeting("1.0.0"))
	must(t, os.Symlink(dir, filepath.Join(dir, "files")))
	cs, _ := charts(t)
	_, err := cs.Resolve(t.Context(), site(t, release("cx", blueprint.Chart{Name: dir})), nil)
	if err == nil || !strings.Contains(err.Error(), "circles") {
		t.Errorf("got %v", err)
	}
}
