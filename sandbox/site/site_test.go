package site_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/site"
)

func TestLayout(t *testing.T) {
	t.Parallel()
	hosts, err := site.Layout(4)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range hosts {
		got = append(got, fmt.Sprint(h.Name, "=", h.Address, h.Site, h.Stretched))
	}
	if want := "cp1=10.10.1.10a10.10.3.10 w1=10.10.1.11a10.10.3.11 w2=10.10.2.11b10.10.3.12 w3=10.10.1.12a10.10.3.13 w4=10.10.2.12b10.10.3.14"; strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
	for _, n := range []int{-1, 221} {
		if _, err := site.Layout(n); err == nil {
			t.Errorf("%d workers were taken", n)
		}
	}
}

func TestFindExample(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	at := filepath.Join(root, "examples", "worker-ha")
	deep := filepath.Join(root, "sandbox", "cmd")
	if err := errors.Join(os.MkdirAll(at, 0o755), os.MkdirAll(deep, 0o755)); err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	for name, c := range map[string]struct{ executable, dir, want string }{
		"beside the program":          {filepath.Join(root, "bin", "cxha-sandbox"), elsewhere, at},
		"above the working directory": {filepath.Join(elsewhere, "bin", "x"), deep, at},
		"nowhere":                     {filepath.Join(elsewhere, "bin", "x"), elsewhere, ""},
	} {
		if got := site.FindExample(c.executable, c.dir); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestUpReportsWhyTheServerEnded(t *testing.T) {
	t.Parallel()
	p, err := site.NewPaths(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	start := func() (<-chan struct{}, error) {
		ended := make(chan struct{})
		close(ended)
		return ended, os.WriteFile(p.Log(), []byte("no room\n"), 0o644)
	}
	if _, _, err := site.Up(t.Context(), p, start); err == nil || !strings.Contains(err.Error(), "no room") {
		t.Errorf("got %v", err)
	}
}

func TestRemoveLeavesForeignDirectoriesAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "hosts"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := site.NewPaths(dir)
	if err = errors.Join(err, p.Remove()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "hosts")); err != nil {
		t.Errorf("a directory that no sandbox made was removed: %v", err)
	}
}

// TestLayoutLeavesAddressesFree keeps hosts away from the addresses of load balancers and of the NFS server.
func TestLayoutLeavesAddressesFree(t *testing.T) {
	t.Parallel()
	hosts, err := site.Layout(220)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[netip.Addr]string{}
	for _, h := range hosts {
		for _, addr := range []netip.Addr{h.Address, h.Stretched} {
			if last := addr.As4()[3]; last >= 50 && last < 70 || last >= 254 || seen[addr] != "" {
				t.Errorf("%s has %s, which is free for others or %q's", h.Name, addr, seen[addr])
			}
			seen[addr] = h.Name
		}
	}
}
