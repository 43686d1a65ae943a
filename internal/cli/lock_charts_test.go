package cli_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/expertflow/cxha/internal/cli"
)

const lockSite = `cluster "cx" {
  version  = "v1.35.7+rke2r1"
  endpoint = "cp.cx.internal"
  ssh { user = "ops" }
}

control_plane "cp1" { address = "10.10.1.10" }
worker "w1" { address = "10.10.1.11" }

helm_release "greeting" {
  chart      = "greeting"
  repository = "%s"
  version    = "1.0.0"
}
`

// chartArchive is a chart whose bytes differ with its text.
func chartArchive(t *testing.T, text string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	w := tar.NewWriter(zip)
	for _, f := range [][2]string{{"Chart.yaml", "apiVersion: v2\nname: greeting\nversion: 1.0.0\n"}, {"values.yaml", "text: " + text + "\n"}} {
		if err := w.WriteHeader(&tar.Header{Name: "greeting/" + f[0], Mode: 0o644, Size: int64(len(f[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// run runs a command line and returns its exit code and what it printed.
func run(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	var buf bytes.Buffer
	code = cli.Main(args, cli.Env{Stdin: strings.NewReader(""), Stdout: &buf, Stderr: &buf, Environ: os.Environ(), Width: 80})
	return code, buf.String()
}

// TestLockOfChangedChart keeps its cache where the environment says.
func TestLockOfChangedChart(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var archive atomic.Pointer[[]byte]
	one, two := chartArchive(t, "one"), chartArchive(t, "two")
	archive.Store(&one)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := *archive.Load()
		if strings.HasSuffix(r.URL.Path, "index.yaml") {
			text = []byte("apiVersion: v1\nentries:\n  greeting:\n  - {apiVersion: v2, name: greeting, version: 1.0.0, urls: [greeting.tgz]}\n")
		}
		_, _ = w.Write(text) // the client may be gone
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.cxha.hcl"), fmt.Appendf(nil, lockSite, server.URL), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		archive *[]byte
		args    []string
		code    int
		want    string
	}{
		{&one, nil, cli.ExitOK, "chart greeting 1.0.0 (new)"},
		{&one, []string{"--check"}, cli.ExitOK, "up to date"},
		{&two, nil, cli.ExitFailed, "add --accept-changed"},
		{&two, []string{"--check"}, cli.ExitFailed, "another digest under the same version"},
		{&two, []string{"--check", "--accept-changed"}, cli.ExitChanges, "another digest under the same version"},
		{&one, []string{"--check"}, cli.ExitOK, "up to date"}, // nothing was written
		{&two, []string{"--accept-changed"}, cli.ExitOK, "written"},
		{&two, []string{"--check", "--json"}, cli.ExitOK, `"written":false`},
	} {
		archive.Store(step.archive)
		code, out := run(t, append([]string{"lock", dir}, step.args...)...)
		if code != step.code || !strings.Contains(out, step.want) {
			t.Errorf("lock %v: exit code %d, want %d; want %q in\n%s", step.args, code, step.code, step.want, out)
		}
	}
	// A plan for which the lock holds needs no network.
	server.Close()
	if code, out := run(t, "validate", dir); code != cli.ExitOK {
		t.Errorf("validate without network: %d\n%s", code, out)
	}
}
