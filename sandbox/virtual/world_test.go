package virtual_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/machine"
	"github.com/expertflow/cxha/sandbox/site"
	"github.com/expertflow/cxha/sandbox/virtual"
)

// withVariable is a blueprint that declares the variable of the charts.
func withVariable(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	text := "cluster \"cx\" {}\n\nvariable \"charts\" {\n  type = object({ repository = string, registry = string })\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "main.cxha.hcl"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCharts serves charts on the real loopback, at the same address in every life of the sandbox.
func TestCharts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := virtual.Config{Dir: dir, Example: withVariable(t), Charts: mirror}
	address := ""
	for life := range 2 {
		s, err := virtual.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		charts := status(t, s).Charts
		if charts == nil || !strings.HasPrefix(charts.Repository, "http://127.0.0.1:") || charts.Registry != strings.Replace(charts.Repository, "http://", "oci://", 1) {
			t.Fatalf("charts = %+v", charts)
		}
		if life == 1 && charts.Repository != address {
			t.Errorf("the charts moved from %s to %s", address, charts.Repository)
		}
		address = charts.Repository
		vars, err := os.ReadFile(filepath.Join(s.Paths().Blueprint(), "sandbox.auto.cxhavars"))
		want := fmt.Sprintf("\ncharts = {\n  repository = %q\n  registry   = %q\n}\n", charts.Repository, charts.Registry)
		if err != nil || !strings.Contains(string(vars), want) {
			t.Errorf("variables: %v\n%s\nlack%s", err, vars, want)
		}
		if got := fetch(t, charts.Repository+"/index.yaml"); got != "mirror /charts/index.yaml\n" {
			t.Errorf("index: %q", got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := http.Get(address); err == nil {
			t.Error("the charts are served after the end")
		}
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestUndeclaredCharts leaves the variable out where the blueprint has none: it would be an error.
func TestUndeclaredCharts(t *testing.T) {
	t.Parallel()
	s, err := virtual.Open(t.Context(), virtual.Config{Dir: t.TempDir(), Example: example(t), Charts: mirror})
	if err != nil {
		t.Fatal(err)
	}
	vars, err := os.ReadFile(filepath.Join(s.Paths().Blueprint(), "sandbox.auto.cxhavars"))
	if err != nil || strings.Contains(string(vars), "charts") {
		t.Errorf("variables: %v\n%s", err, vars)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestWorld asks for what is around the hosts: the NFS export, which outlives the server, and a foreign machine.
func TestWorld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	paths, err := site.NewPaths(dir)
	if err != nil {
		t.Fatal(err)
	}
	const mount = "apt-get install -y -qq nfs-common; mount -t nfs 10.10.1.60:/export/cx /mnt && "
	for _, script := range []string{mount + "echo kept > /mnt/f", mount + "cat /mnt/f"} {
		exports := machine.NewExports(paths.Exports(), site.ExportName)
		s, err := virtual.Open(t.Context(), virtual.Config{Dir: dir, Workers: 1, Example: example(t), Exports: exports})
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Exec(t.Context(), "w1", site.ExecRequest{Command: script})
		if want := strings.Repeat("kept\n", strings.Count(script, "cat")); err != nil || res.Code != 0 || string(res.Stdout) != want {
			t.Errorf("%s: %+v, %v, want %q", script, res, err, want)
		}
		if err := exports.Provision("10.10.1.60", "/export/cx", "pvc-1"); err != nil {
			t.Error(err)
		}
		if err := exports.Provision("10.10.1.61", "/export/cx", "pvc-1"); err == nil || !strings.Contains(err.Error(), "Connection timed out") {
			t.Errorf("a directory of a server that is not there: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	s := open(t, dir, 1)
	const foreign = "10.10.3.50"
	arp := func(verb string) error {
		_, err := s.Do(t.Context(), site.Action{Verb: verb, Args: []string{foreign}})
		return err
	}
	if err := arp(site.AddArp); err != nil || len(status(t, s).Foreign) != 1 {
		t.Errorf("add: %v, %v", err, status(t, s).Foreign)
	}
	res, err := s.Exec(t.Context(), "w1", site.ExecRequest{Command: "ping -c 1 -W 0.05 10.10.3.50 >/dev/null; ip neigh show 10.10.3.50"})
	if err != nil || string(res.Stdout) != "10.10.3.50 dev eth1 lladdr 52:00:0a:0a:03:32 REACHABLE\n" {
		t.Errorf("foreign machine: %+v, %v", res, err)
	}
	if err := arp(site.RemoveArp); err != nil || len(status(t, s).Foreign) != 0 {
		t.Errorf("remove: %v, %v", err, status(t, s).Foreign)
	}
	if err := arp(site.Slow); !errors.Is(err, site.ErrUnsupported) {
		t.Errorf("slow: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
