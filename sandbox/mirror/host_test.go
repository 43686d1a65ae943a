package mirror_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/mirror"
	"github.com/expertflow/cxha/sandbox/rke2/release"
)

// writePrograms makes a directory of small files in the places of built programs.
func writePrograms(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"rke2": "#!/bin/sh\necho rke2\nexit\n", "runtime/containerd": "containerd", "runtime/runc": "runc", "cni/bridge": "bridge",
		"images/system/pause.tar": "pause",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newHostServer(t *testing.T, options mirror.Options) *httptest.Server {
	t.Helper()
	handler, err := mirror.New(options)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func TestHostRelease(t *testing.T) {
	t.Parallel()
	options := mirror.Options{Programs: writePrograms(t), Cache: filepath.Join(t.TempDir(), "cache")}
	server := newHostServer(t, options)
	base := "/releases/download/v1.35.7%2Brke2r1/"
	_, tarball := get(t, server, base+mirror.TarballName(runtime.GOARCH))
	_, sums := get(t, server, base+mirror.SumsName(runtime.GOARCH))
	digest := sha256.Sum256(tarball)
	if want := hex.EncodeToString(digest[:]) + "  " + mirror.TarballName(runtime.GOARCH) + "\n"; string(sums) != want {
		t.Errorf("sums: got %q, want %q", sums, want)
	}
	modes, contents := unpack(t, tarball)
	want := map[string]int64{
		"bin/rke2": 0o755, "bin/rke2-killall.sh": 0o755, "bin/rke2-uninstall.sh": 0o755,
		"lib/systemd/system/rke2-server.service": 0o644, "lib/systemd/system/rke2-server.env": 0o644,
		"lib/systemd/system/rke2-agent.service": 0o644, "lib/systemd/system/rke2-agent.env": 0o644,
		"share/rke2/LICENSE.txt": 0o644, "share/rke2/rke2-cis-sysctl.conf": 0o644,
		"share/rke2/runtime/containerd": 0o755, "share/rke2/runtime/runc": 0o755, "share/rke2/cni/bridge": 0o755,
		"share/rke2/images/pause.tar": 0o644,
	}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if version, err := release.Find(strings.NewReader(contents["bin/rke2"]), int64(len(contents["bin/rke2"]))); err != nil || version != stable {
		t.Errorf("bin/rke2 says that it is %q, %v", version, err)
	}
	if unit := contents["lib/systemd/system/rke2-agent.service"]; !strings.Contains(unit, "ExecStopPost=-/bin/sh") {
		t.Errorf("rke2-agent.service:\n%s", unit)
	}
}

func TestHostReleaseIsKept(t *testing.T) {
	t.Parallel()
	options := mirror.Options{Programs: writePrograms(t), Cache: filepath.Join(t.TempDir(), "cache")}
	path := "/releases/download/v1.35.7%2Brke2r1/" + mirror.TarballName(runtime.GOARCH)
	kept := func() []string {
		names, err := filepath.Glob(filepath.Join(options.Cache, "*.tar.gz"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	_, first := get(t, newHostServer(t, options), path)
	before := kept()
	_, second := get(t, newHostServer(t, options), path)
	if diff := cmp.Diff(before, kept()); diff != "" || len(before) != 1 || !bytes.Equal(first, second) {
		t.Errorf("kept tarballs after the first and the second server: %v, %s", before, diff)
	}
	if err := os.WriteFile(filepath.Join(options.Programs, "runtime", "runc"), []byte("runC"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, third := get(t, newHostServer(t, options), path)
	if _, contents := unpack(t, third); contents["share/rke2/runtime/runc"] != "runC" {
		t.Errorf("runc in the tarball: %q", contents["share/rke2/runtime/runc"])
	}
	if after := kept(); len(after) != 1 || after[0] == before[0] {
		t.Errorf("kept tarballs after a program changed: %v, before: %v", after, before)
	}
}

func TestHostReleaseOfOtherArchitecture(t *testing.T) {
	t.Parallel()
	server := newHostServer(t, mirror.Options{Programs: writePrograms(t), Cache: t.TempDir()})
	if code, _ := get(t, server, "/releases/download/v1.35.7%2Brke2r1/"+mirror.SumsName("s390x")); code != http.StatusNotFound {
		t.Errorf("status %d", code)
	}
}

func TestHostReleaseWithoutPrograms(t *testing.T) {
	t.Parallel()
	if _, err := mirror.New(mirror.Options{Programs: t.TempDir(), Cache: t.TempDir()}); err == nil {
		t.Error("a mirror without programs is made")
	}
}
