package helm_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/expertflow/cxha/schema/blueprint"
)

// files are the files of a chart by name.
type files map[string]string

// with returns the files and some more; an empty text takes one away.
func (f files) with(more files) files {
	all := maps.Clone(f)
	maps.Copy(all, more)
	maps.DeleteFunc(all, func(_, text string) bool { return text == "" })
	return all
}

// greeting is a chart with a ConfigMap and a Service.
func greeting(version string) files {
	return files{
		"Chart.yaml":  "apiVersion: v2\nname: greeting\nversion: " + version + "\n",
		"values.yaml": "text: hello\nsize: 1\nextra: {}\n",
		"values.schema.json": `{"type": "object", "properties": {"size": {"type": "integer"},
			"password": {"type": "string", "pattern": "^[a-z0-9]*$"}}}`,
		"templates/objects.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  namespace: {{ .Release.Namespace }}
data:
  text: {{ .Values.text | quote }}
  size: {{ .Values.size | quote }}
  version: {{ .Chart.Version | quote }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{port: 80}]
`,
	}
}

// pack makes an archive; the same files give the same bytes.
func pack(t testing.TB, f files) []byte {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	w := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if err := w.WriteHeader(&tar.Header{Name: "chart/" + name, Mode: 0o644, Size: int64(len(f[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f[name]); err != nil {
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

func sum(text []byte) string {
	h := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(h[:])
}

// shop serves charts: as an HTTP repository below /charts, and as an OCI registry.
type shop struct {
	server *httptest.Server

	mu       sync.Mutex // guards the rest
	archives map[string][]byte
	claims   map[string]string // digests that the index has, where they are not the archives'
	login    string            // user:password that is asked for; empty: none
	requests []string
}

func openShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{archives: map[string][]byte{}, claims: map[string]string{}}
	s.server = httptest.NewServer(s)
	t.Cleanup(s.server.Close)
	return s
}

// put offers a chart: name-version.
func (s *shop) put(name, version string, archive []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archives[name+"-"+version] = archive
}

func (s *shop) ask(login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.login = login
}

func (s *shop) claim(name, version, digest string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims[name+"-"+version] = digest
}

// taken returns what was asked for since the last call.
func (s *shop) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.requests
	s.requests = nil
	return r
}

// inRepository is a chart of the HTTP repository.
func (s *shop) inRepository(name, version string) blueprint.Chart {
	return blueprint.Chart{Name: name, Repository: s.server.URL + "/charts", Version: version}
}

// inRegistry is a chart of the OCI registry.
func (s *shop) inRegistry(name, version string) blueprint.Chart {
	return blueprint.Chart{Name: "oci://" + strings.TrimPrefix(s.server.URL, "http://") + "/charts/" + name, Version: version}
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	if user, password, _ := r.BasicAuth(); s.login != "" && user+":"+password != s.login {
		w.Header().Set("WWW-Authenticate", `Basic realm="charts"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch path := r.URL.Path; {
	case path == "/v2/":
	case path == "/charts/index.yaml":
		s.write(w, s.index())
	case strings.HasPrefix(path, "/charts/"):
		s.write(w, s.archives[strings.TrimSuffix(strings.TrimPrefix(path, "/charts/"), ".tgz")])
	case strings.HasPrefix(path, "/v2/charts/"):
		s.registry(w, strings.Split(strings.TrimPrefix(path, "/v2/charts/"), "/"))
	default:
		http.NotFound(w, r)
	}
}

func (s *shop) write(w http.ResponseWriter, text []byte) {
	if text == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write(text) // the client may be gone
}

func (s *shop) index() []byte {
	b := []byte("apiVersion: v1\nentries:\n")
	for _, key := range slices.Sorted(maps.Keys(s.archives)) {
		name, version, _ := strings.Cut(key, "-")
		digest := s.claims[key]
		if digest == "" {
			digest = sum(s.archives[key])
		}
		if !bytes.Contains(b, []byte("\n  "+name+":\n")) {
			b = fmt.Appendf(b, "  %s:\n", name)
		}
		b = fmt.Appendf(b, "  - {apiVersion: v2, name: %s, version: %q, urls: [%s.tgz], digest: %s}\n", name, version, key, strings.TrimPrefix(digest, "sha256:"))
	}
	return b
}

// registry answers NAME/manifests/REFERENCE and NAME/blobs/DIGEST.
func (s *shop) registry(w http.ResponseWriter, path []string) {
	blobs := map[string][]byte{}
	manifests := map[string][]byte{}
	for key, archive := range s.archives {
		name, version, _ := strings.Cut(key, "-")
		config := fmt.Appendf(nil, `{"apiVersion": "v2", "name": %q, "version": %q}`, name, version)
		blobs[sum(archive)], blobs[sum(config)] = archive, config
		manifest, err := json.Marshal(map[string]any{
			"schemaVersion": 2, "mediaType": manifestType,
			"config": map[string]any{"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": sum(config), "size": len(config)},
			"layers": []any{map[string]any{"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": sum(archive), "size": len(archive)}},
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if name == path[0] {
			manifests[version], manifests[sum(manifest)] = manifest, manifest
		}
	}
	if len(path) != 3 {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	text := blobs[path[2]]
	if path[1] == "manifests" {
		if text = manifests[path[2]]; text != nil {
			w.Header().Set("Content-Type", manifestType)
			w.Header().Set("Docker-Content-Digest", sum(text))
		}
	}
	s.write(w, text)
}

const manifestType = "application/vnd.oci.image.manifest.v1+json"
