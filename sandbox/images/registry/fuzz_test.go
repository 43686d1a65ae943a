package registry_test

import (
	"archive/tar"
	"bytes"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/expertflow/cxha/sandbox/images/registry"
)

// tarOf is an archive of files.
func tarOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var archive bytes.Buffer
	to := tar.NewWriter(&archive)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := to.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

// tiny is a sound archive of the image docker.io/library/b:1, with a layer of one empty file.
func tiny(t testing.TB) []byte {
	t.Helper()
	layer := tarOf(t, map[string]string{"f": ""})
	digest, _, err := v1.SHA256(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	return tarOf(t, map[string]string{
		"manifest.json": `[{"Config":"c","RepoTags":["docker.io/library/b:1"],"Layers":["l"]}]`,
		"c":             `{"rootfs":{"type":"layers","diff_ids":["` + digest.String() + `"]}}`,
		"l":             string(layer),
	})
}

// FuzzArchive: whatever an archive is, what is served of it has the size that the manifest says, and the manifest and the
// configuration have the digests under which they are served.
func FuzzArchive(f *testing.F) {
	f.Add(tiny(f))
	f.Add(tiny(f)[:2048])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, content []byte) {
		directory := t.TempDir()
		if err := os.WriteFile(filepath.Join(directory, "a.tar"), content, 0o600); err != nil {
			t.Fatal(err)
		}
		opened, err := registry.Open(directory, func(string, error) {})
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		status, body := get(t, opened, "/v2/library/b/manifests/1")
		if status != http.StatusOK {
			return
		}
		manifest, err := v1.ParseManifest(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%v in %q", err, body)
		}
		digest, size, err := v1.SHA256(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		checkContent(t, opened, "manifests/", v1.Descriptor{Digest: digest, Size: size}, true)
		checkContent(t, opened, "blobs/", manifest.Config, true)
		for _, layer := range manifest.Layers {
			checkContent(t, opened, "blobs/", layer, false)
		}
	})
}

// checkContent asks for what a descriptor names: it has to have that size and, where it is summed by the registry, that digest.
func checkContent(t *testing.T, handler http.Handler, of string, want v1.Descriptor, summed bool) {
	t.Helper()
	status, body := get(t, handler, "/v2/library/b/"+of+want.Digest.String())
	digest, size, err := v1.SHA256(bytes.NewReader(body))
	if err != nil || status != http.StatusOK || size != want.Size || summed && digest != want.Digest {
		t.Errorf("%s%s: status %d, digest %s, %d bytes, %v, want %d bytes", of, want.Digest, status, digest, size, err, want.Size)
	}
}

// FuzzRequest: a request that is answered with content is for something of the image; none brings the handler down.
func FuzzRequest(f *testing.F) {
	directory := f.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "a.tar"), tiny(f), 0o600); err != nil {
		f.Fatal(err)
	}
	handler := open(f, directory)
	_, body := get(f, handler, "/v2/library/b/manifests/1")
	manifest, err := v1.ParseManifest(bytes.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("docker.io", "library/b/manifests/1")
	f.Add("", "library/b/blobs/"+manifest.Layers[0].Digest.String())
	f.Add("quay.io", "library/b/manifests/1")
	f.Add("", "/manifests/")
	f.Fuzz(func(t *testing.T, ns, path string) {
		target := url.URL{Path: "/v2/" + path, RawQuery: url.Values{"ns": {ns}}.Encode()}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, &http.Request{Method: http.MethodGet, URL: &target, Header: http.Header{}})
		known := (ns == "" || ns == "docker.io") && len(path) > len("library/b/") && path[:len("library/b/")] == "library/b/"
		switch {
		case path == "" || recorder.Code == http.StatusNotFound:
		case recorder.Code != http.StatusOK || !known:
			t.Errorf("ns %q, path %q: status %d", ns, path, recorder.Code)
		}
	})
}

func get(t testing.TB, handler http.Handler, target string) (status int, body []byte) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil))
	return recorder.Code, recorder.Body.Bytes()
}
