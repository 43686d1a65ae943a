package mirror_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/mirror"
)

const stable = "v1.35.7+rke2r1"

func get(t *testing.T, server *httptest.Server, path string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}

func newServer(t *testing.T) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(mirror.Handler())
	t.Cleanup(server.Close)
	return server
}

func TestPaths(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	for path, want := range map[string]int{
		"/install.sh": http.StatusOK,
		"/releases/download/v1.35.7%2Brke2r1/rke2.linux-amd64.tar.gz": http.StatusOK,
		"/releases/download/v1.35.7+rke2r1/sha256sum-arm64.txt":       http.StatusOK,
		"/releases/download/v1.35.99%2Brke2r1/sha256sum-amd64.txt":    http.StatusNotFound,
		"/releases/download/v1.35.7%2Brke2r1/rke2.linux-mips.tar.gz":  http.StatusNotFound,
		"/v1-release/channels/nightly":                                http.StatusNotFound,
		"/":                                                           http.StatusNotFound,
	} {
		if got, _ := get(t, server, path); got != want {
			t.Errorf("GET %s: got %d, want %d", path, got, want)
		}
	}
}

func TestChannels(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	if _, body := get(t, server, "/v1-release/channels/stable"); strings.TrimSpace(string(body)) != stable {
		t.Errorf("stable leads to %q, want %s", body, stable)
	}
	for channel, version := range mirror.Channels() {
		if code, _ := get(t, server, "/releases/download/"+version+"/sha256sum-amd64.txt"); code != http.StatusOK {
			t.Errorf("channel %s: its release %s: status %d", channel, version, code)
		}
	}
}

func TestScriptKnowsItsMirror(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	_, script := get(t, server, "/install.sh")
	if !bytes.Contains(script, []byte(server.URL+mirror.ReleasesPath)) || bytes.Contains(script, []byte("@BASE@")) {
		t.Error("the script does not download from the mirror that it comes from")
	}
}

func TestReleaseFitsItsSum(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	base := "/releases/download/v1.35.7%2Brke2r1/"
	_, tarball := get(t, server, base+mirror.TarballName("amd64"))
	_, sums := get(t, server, base+mirror.SumsName("amd64"))
	digest := sha256.Sum256(tarball)
	if want := hex.EncodeToString(digest[:]) + "  rke2.linux-amd64.tar.gz\n"; string(sums) != want {
		t.Errorf("sums: got %q, want %q", sums, want)
	}
	if _, again := get(t, newServer(t), base+mirror.TarballName("amd64")); !bytes.Equal(again, tarball) {
		t.Error("two tarballs of one version differ")
	}
	if _, other := get(t, server, "/releases/download/v1.36.3%2Brke2r1/"+mirror.TarballName("amd64")); bytes.Equal(other, tarball) {
		t.Error("tarballs of two versions are equal")
	}
}

func TestTarballLayout(t *testing.T) {
	t.Parallel()
	_, tarball := get(t, newServer(t), "/releases/download/v1.35.7%2Brke2r1/"+mirror.TarballName("amd64"))
	modes, contents := unpack(t, tarball)
	want := map[string]int64{
		"bin/rke2": 0o755, "bin/rke2-killall.sh": 0o755, "bin/rke2-uninstall.sh": 0o755,
		"lib/systemd/system/rke2-server.service": 0o644, "lib/systemd/system/rke2-server.env": 0o644,
		"lib/systemd/system/rke2-agent.service": 0o644, "lib/systemd/system/rke2-agent.env": 0o644,
		"share/rke2/LICENSE.txt": 0o644, "share/rke2/rke2-cis-sysctl.conf": 0o644,
	}
	if diff := cmp.Diff(want, modes); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got := contents["bin/rke2"]; got != "#!cxha-sandbox rke2\nversion v1.35.7+rke2r1\n" {
		t.Errorf("bin/rke2: %q", got)
	}
	if unit := contents["lib/systemd/system/rke2-agent.service"]; !strings.Contains(unit, "ExecStart=/usr/local/bin/rke2 agent\n") ||
		!strings.Contains(unit, "is-active --quiet rke2-server.service") {
		t.Errorf("rke2-agent.service:\n%s", unit)
	}
}

// unpack reads a tarball: modes and contents by name.
func unpack(t *testing.T, tarball []byte) (modes map[string]int64, contents map[string]string) {
	t.Helper()
	modes, contents = map[string]int64{}, map[string]string{}
	zipped, err := gzip.NewReader(bytes.NewReader(tarball))
	if err != nil {
		t.Fatal(err)
	}
	for archive := tar.NewReader(zipped); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return modes, contents
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		modes[header.Name], contents[header.Name] = header.Mode, string(content)
	}
}
