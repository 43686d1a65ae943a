package charts

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	"sigs.k8s.io/yaml"
)

// RepositoryPath is where the HTTP repository is: index.yaml and the archives. RegistryPath is what comes before a chart's
// name in the registry: charts/metallb.
const (
	RepositoryPath = "/charts"
	RegistryPath   = "charts"
)

// Media types of a chart in a registry (Helm's documentation, "Use OCI-based registries").
const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.cncf.helm.config.v1+json"
	contentType  = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
)

// published is the time that the index gives for every version; it is fixed so that the index never changes.
func published() time.Time { return time.Date(2026, time.August, 1, 0, 0, 0, 0, time.UTC) }

// Handler serves all charts twice: as an HTTP repository below RepositoryPath, and as an OCI registry, which takes pushes too.
func Handler() (http.Handler, error) {
	archives, err := Archives()
	if err != nil {
		return nil, err
	}
	oci := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	mux := http.NewServeMux()
	mux.Handle("/v2/", oci)
	index := map[string][]map[string]any{}
	for _, a := range archives {
		if err := push(oci, a); err != nil {
			return nil, fmt.Errorf("chart %s: %w", a.File(), err)
		}
		entry := map[string]any{"urls": []string{a.File()}, "created": published(), "digest": fmt.Sprintf("%x", sha256.Sum256(a.Data))}
		for key, value := range a.Metadata {
			entry[key] = value
		}
		// Helm lists the newest first.
		index[a.Name()] = append([]map[string]any{entry}, index[a.Name()]...)
		mux.Handle("GET "+RepositoryPath+"/"+a.File(), serve(a.File(), a.Data))
	}
	encoded, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "generated": published(), "entries": index})
	if err != nil {
		return nil, err
	}
	mux.Handle("GET "+RepositoryPath+"/index.yaml", serve("index.yaml", encoded))
	return mux, nil
}

func serve(name string, content []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, name, published(), bytes.NewReader(content))
	})
}

// descriptor names a blob of a registry.
type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

// push puts a chart into a registry by its own interface, without a network in between.
func push(oci http.Handler, a Archive) error {
	config, err := json.Marshal(a.Metadata)
	if err != nil {
		return err
	}
	repository := "/v2/" + RegistryPath + "/" + a.Name()
	describe := func(mediaType string, data []byte) (descriptor, error) {
		d := descriptor{mediaType, fmt.Sprintf("sha256:%x", sha256.Sum256(data)), len(data)}
		return d, call(oci, http.MethodPost, repository+"/blobs/uploads/?digest="+d.Digest, "application/octet-stream", data)
	}
	configBlob, err := describe(configType, config)
	if err != nil {
		return err
	}
	contentBlob, err := describe(contentType, a.Data)
	if err != nil {
		return err
	}
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": configBlob, "layers": []descriptor{contentBlob},
		"annotations": map[string]string{
			"org.opencontainers.image.title": a.Name(), "org.opencontainers.image.version": a.Version(),
			"org.opencontainers.image.created": published().Format(time.RFC3339),
		},
	})
	if err != nil {
		return err
	}
	return call(oci, http.MethodPut, repository+"/manifests/"+a.Version(), manifestType, manifest)
}

func call(handler http.Handler, method, path, mediaType string, body []byte) error {
	request := httptest.NewRequest(method, "http://registry"+path, bytes.NewReader(body))
	request.Header.Set("Content-Type", mediaType)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusCreated {
		return fmt.Errorf("%s %s: %d: %s", method, path, recorder.Code, recorder.Body)
	}
	return nil
}
