//go:build linux

package linuxnode_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/rke2/linuxnode"
	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// status is the status of an answer at a URL.
func status(t *testing.T, url string) (int, error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func TestServeImages(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "bad.tar"), []byte("no archive"), 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	o := options(t, settings.Agent, "")
	o.Log.Out = &log
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	mirror, wait, err := linuxnode.ServeImages(ctx, o, directory, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "bad.tar is not served") {
		t.Errorf("log: %q", log.String())
	}
	if got, err := status(t, mirror+"/v2/"); err != nil || got != http.StatusOK {
		t.Errorf("the API: status %d, %v", got, err)
	}
	if got, err := status(t, mirror+"/v2/b/manifests/1?ns=quay.io"); err != nil || got != http.StatusNotFound {
		t.Errorf("an image that is not there: status %d, %v", got, err)
	}
	if _, _, err := linuxnode.ServeImages(ctx, o, directory, strings.TrimPrefix(mirror, "http://")); err == nil {
		t.Error("an address that is taken is no error")
	}
	cancel()
	wait()
	if got, err := status(t, mirror+"/v2/"); err == nil {
		t.Errorf("after its end: status %d", got)
	}
}

func TestServeImagesOnOtherHosts(t *testing.T) {
	t.Parallel()
	mirror, wait, err := linuxnode.ServeImages(t.Context(), options(t, settings.Agent, ""), filepath.Join(t.TempDir(), "no"), "127.0.0.1:0")
	wait()
	if mirror != "" || err != nil {
		t.Errorf("without images: mirror %q, %v", mirror, err)
	}
}

// What an earlier start wrote for a mirror that is not named any more is gone.
func TestWriteRegistries(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "registries.yaml")
	o := options(t, settings.Agent, "private-registry: "+file+"\n")
	const last = "[host.\"http://127.0.0.1:1\"]\n  capabilities = [\"pull\", \"resolve\"]\n"
	for _, step := range []struct {
		text, mirror string
		want         map[string]string
	}{
		{"mirrors: {docker.io: {endpoint: [\"http://a\"]}}\n", "http://127.0.0.1:1", map[string]string{
			"docker.io": strings.ReplaceAll(last, "127.0.0.1:1", "a") + last, "_default": last,
		}},
		{"", "http://127.0.0.1:1", map[string]string{"_default": last}},
		{"", "", map[string]string{}},
	} {
		if err := os.WriteFile(file, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if step.text == "" {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		if err := linuxnode.WriteRegistries(o, step.mirror); err != nil {
			t.Fatal(err)
		}
		written, err := filepath.Glob(filepath.Join(o.DataDir, "agent", "etc", "containerd", "certs.d", "*", "hosts.toml"))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, name := range written {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			got[filepath.Base(filepath.Dir(name))] = string(text)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("with %q and mirror %q (-want +got):\n%s", step.text, step.mirror, diff)
		}
	}
}
