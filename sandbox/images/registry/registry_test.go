package registry_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/expertflow/cxha/sandbox/images"
	"github.com/expertflow/cxha/sandbox/images/imagestest"
	"github.com/expertflow/cxha/sandbox/images/registry"
)

// references are the names of the image in the tests.
var references = []string{"docker.io/rancher/mirrored-pause:3.6", "registry.example/b/pause:1", "registry.example/b/pause:2", "docker.io/b/pause:1"}

// program compiles the lab's smallest program.
func program(t testing.TB) string {
	t.Helper()
	return imagestest.Program(t, "../pause", "CGO_ENABLED=0", "GOOS=linux")
}

// write makes the archive of an image with these names.
func write(t testing.TB, program, archive string, references ...string) {
	t.Helper()
	if _, err := (images.Image{Program: "pause", References: references}).Write(program, archive); err != nil {
		t.Fatal(err)
	}
}

// open opens a directory whose archives are all sound.
func open(t testing.TB, directory string) *registry.Registry {
	t.Helper()
	opened, err := registry.Open(directory, func(file string, why error) { t.Errorf("archive %s: %v", file, why) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return opened
}

// served is a registry of one archive, of the image with all of these names.
func served(t testing.TB, references ...string) *registry.Registry {
	t.Helper()
	directory := t.TempDir()
	write(t, program(t), filepath.Join(directory, "pause.tar"), references...)
	return open(t, directory)
}

// mirrored asks as containerd asks a mirror: ns names the registry that is meant.
type mirrored string

func (m mirrored) RoundTrip(request *http.Request) (*http.Response, error) {
	request = request.Clone(request.Context())
	query := request.URL.Query()
	query.Set("ns", string(m))
	request.URL.RawQuery = query.Encode()
	return http.DefaultTransport.RoundTrip(request)
}

func TestPull(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(served(t, references...))
	t.Cleanup(server.Close)
	at := strings.TrimPrefix(server.URL, "http://")
	for _, reference := range references {
		t.Run(reference, func(t *testing.T) {
			t.Parallel()
			host, path, _ := strings.Cut(reference, "/")
			tag, err := name.NewTag(at+"/"+path, name.Insecure)
			if err != nil {
				t.Fatal(err)
			}
			image, err := remote.Image(tag, remote.WithTransport(mirrored(host)), remote.WithContext(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Image(image, validate.Fast); err != nil { // without layers, which it wants to be compressed
				t.Errorf("what was pulled is not sound: %v", err)
			}
			digest, err := image.Digest()
			if err != nil {
				t.Fatal(err)
			}
			// The same by its digest, as kubelet asks for what it has already resolved.
			again, err := remote.Image(tag.Digest(digest.String()), remote.WithTransport(mirrored(host)), remote.WithContext(t.Context()))
			if err != nil {
				t.Fatal(err)
			}
			layers, err := again.Layers()
			if err != nil || len(layers) != 1 {
				t.Fatalf("%d layers, %v", len(layers), err)
			}
			media, err := layers[0].MediaType()
			if err != nil || media != types.OCIUncompressedLayer {
				t.Errorf("layer of type %s, %v", media, err)
			}
			checkLayer(t, layers[0])
		})
	}
}

// checkLayer reads a layer, whose digest has to be that of its bytes.
func checkLayer(t *testing.T, layer v1.Layer) {
	t.Helper()
	content, err := layer.Compressed() // as it is served
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	got, _, err := v1.SHA256(content)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := layer.Digest(); err != nil || got != want {
		t.Errorf("the layer's bytes have the digest %s, want %s, %v", got, want, err)
	}
}

// answer is what a client sees of an answer.
type answer struct {
	Status int
	Codes  []string
}

// ask sends a request to the handler.
func ask(t testing.TB, handler http.Handler, method, target string) (answer, *http.Response) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, target, nil))
	got := answer{Status: recorder.Code}
	if recorder.Code >= http.StatusBadRequest && method != http.MethodHead {
		var body struct {
			Errors []struct{ Code, Message string }
		}
		if err := json.Unmarshal(recorder.Body.Bytes(), &body); err != nil {
			t.Fatalf("%s %s: %v in %q", method, target, err, recorder.Body)
		}
		for _, e := range body.Errors {
			got.Codes = append(got.Codes, e.Code)
		}
	}
	return got, recorder.Result()
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	handler := served(t, references...)
	_, head := ask(t, handler, http.MethodHead, "/v2/b/pause/manifests/1")
	manifest := head.Header.Get("Docker-Content-Digest")
	const none = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	unknown := func(code string) answer { return answer{http.StatusNotFound, []string{code}} }
	for name, c := range map[string]struct {
		method, target string
		want           answer
	}{
		"the API":                     {http.MethodGet, "/v2/", answer{Status: 200}},
		"a tag":                       {http.MethodGet, "/v2/b/pause/manifests/1", answer{Status: 200}},
		"head of a tag":               {http.MethodHead, "/v2/b/pause/manifests/1", answer{Status: 200}},
		"a digest":                    {http.MethodGet, "/v2/b/pause/manifests/" + manifest, answer{Status: 200}},
		"a tag of one registry":       {http.MethodGet, "/v2/b/pause/manifests/2?ns=registry.example", answer{Status: 200}},
		"not of another":              {http.MethodGet, "/v2/b/pause/manifests/2?ns=docker.io", unknown("MANIFEST_UNKNOWN")},
		"no such registry":            {http.MethodGet, "/v2/b/pause/manifests/1?ns=quay.io", unknown("NAME_UNKNOWN")},
		"no such repository":          {http.MethodGet, "/v2/pause/manifests/1", unknown("NAME_UNKNOWN")},
		"no such tag":                 {http.MethodGet, "/v2/b/pause/manifests/3", unknown("MANIFEST_UNKNOWN")},
		"no such digest":              {http.MethodGet, "/v2/b/pause/manifests/" + none, unknown("MANIFEST_UNKNOWN")},
		"no such blob":                {http.MethodGet, "/v2/b/pause/blobs/" + none, unknown("BLOB_UNKNOWN")},
		"a blob that is a manifest":   {http.MethodGet, "/v2/b/pause/blobs/" + manifest, unknown("BLOB_UNKNOWN")},
		"a blob by a tag":             {http.MethodGet, "/v2/b/pause/blobs/1", unknown("BLOB_UNKNOWN")},
		"head of what is not there":   {http.MethodHead, "/v2/b/pause/manifests/3", answer{Status: 404}},
		"something else":              {http.MethodGet, "/v2/b/pause/tags/list", unknown("UNSUPPORTED")},
		"too short":                   {http.MethodGet, "/v2/pause", unknown("UNSUPPORTED")},
		"outside":                     {http.MethodGet, "/metrics", unknown("UNSUPPORTED")},
		"a push":                      {http.MethodPut, "/v2/b/pause/manifests/1", answer{http.StatusMethodNotAllowed, []string{"UNSUPPORTED"}}},
		"a push of a blob":            {http.MethodPost, "/v2/b/pause/blobs/uploads/", answer{http.StatusMethodNotAllowed, []string{"UNSUPPORTED"}}},
		"a path that leads elsewhere": {http.MethodGet, "/v2/../../etc/manifests/passwd", unknown("NAME_UNKNOWN")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _ := ask(t, handler, c.method, c.target)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", c.method, c.target, diff)
			}
		})
	}
}

// Part of a layer can be asked for, which is how a pull goes on that was cut.
func TestRange(t *testing.T) {
	t.Parallel()
	handler := served(t, references...)
	_, response := ask(t, handler, http.MethodGet, "/v2/b/pause/manifests/1")
	manifest, err := v1.ParseManifest(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	get := func(part string) (*http.Response, []byte) {
		recorder := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v2/b/pause/blobs/"+manifest.Layers[0].Digest.String(), nil)
		request.Header.Set("Range", part)
		handler.ServeHTTP(recorder, request)
		return recorder.Result(), recorder.Body.Bytes()
	}
	_, whole := get("")
	if int64(len(whole)) != manifest.Layers[0].Size {
		t.Fatalf("%d bytes, and the manifest says %d", len(whole), manifest.Layers[0].Size)
	}
	got, rest := get("bytes=512-")
	if got.StatusCode != http.StatusPartialContent || !strings.HasPrefix(got.Header.Get("Content-Range"), "bytes 512-") {
		t.Errorf("status %s, %s", got.Status, got.Header.Get("Content-Range"))
	}
	if string(rest) != string(whole[512:]) {
		t.Errorf("%d bytes, and not the last %d of the layer", len(rest), len(whole)-512)
	}
}

func TestUnsoundArchivesAreLeftOut(t *testing.T) {
	t.Parallel()
	file := program(t)
	sound := filepath.Join(t.TempDir(), "sound.tar")
	write(t, file, sound, references...)
	archive, err := os.ReadFile(sound)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"cut short":   {archive[:len(archive)/2], "unexpected EOF"},
		"no archive":  {[]byte(strings.Repeat("x", 4096)), "invalid tar header"},
		"empty":       {nil, `there is no "manifest.json"`},
		"other names": {tarOf(t, map[string]string{"manifest.json": `[{"Config":"c","RepoTags":["B:1"],"Layers":["l"]}]`}), "repository can only contain"},
		"no config":   {tarOf(t, map[string]string{"manifest.json": `[{"Config":"c","RepoTags":["b:1"],"Layers":["l"]}]`}), `there is no "c"`},
		"a layer too many": {tarOf(t, map[string]string{
			"manifest.json": `[{"Config":"c","RepoTags":["b:1"],"Layers":["l"]}]`, "c": `{}`, "l": "",
		}), "1 layers, and sums of 0"},
		"compressed layer": {tarOf(t, map[string]string{
			"manifest.json": `[{"Config":"c","RepoTags":["b:1"],"Layers":["l"]}]`, "l": "\x1f\x8b\x08" + strings.Repeat("\x01", 1021),
			"c": `{"rootfs":{"type":"layers","diff_ids":["sha256:0000000000000000000000000000000000000000000000000000000000000000"]}}`,
		}), "layer l: archive/tar: invalid tar header"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			directory := t.TempDir()
			write(t, file, filepath.Join(directory, "sound.tar"), references...)
			if err := os.WriteFile(filepath.Join(directory, "bad.tar"), c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			var unsound []string
			opened, err := registry.Open(directory, func(file string, why error) {
				unsound = append(unsound, filepath.Base(file))
				if !strings.Contains(why.Error(), c.want) {
					t.Errorf("%v, want %q in it", why, c.want)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"bad.tar"}, unsound); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
			if got, _ := ask(t, opened, http.MethodGet, "/v2/b/pause/manifests/1"); got.Status != http.StatusOK {
				t.Errorf("the other archive: %v", got)
			}
			if err := opened.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// An archive that is replaced while it is served is served as it was: descriptors and content fit.
func TestArchiveIsReplaced(t *testing.T) {
	t.Parallel()
	file, directory := program(t), t.TempDir()
	archive := filepath.Join(directory, "pause.tar")
	write(t, file, archive, references...)
	handler := open(t, directory)
	write(t, file, archive, "registry.example/b/pause:3")
	if got, _ := ask(t, handler, http.MethodGet, "/v2/b/pause/manifests/1"); got.Status != http.StatusOK {
		t.Errorf("after the archive was replaced: %v", got)
	}
	if got, _ := ask(t, open(t, directory), http.MethodGet, "/v2/b/pause/manifests/3?ns=registry.example"); got.Status != http.StatusOK {
		t.Errorf("opened anew: %v", got)
	}
	if none, err := registry.Open(filepath.Join(directory, "no"), nil); err != nil || none.Close() != nil {
		t.Errorf("a directory that is not there: %v", err)
	}
}
