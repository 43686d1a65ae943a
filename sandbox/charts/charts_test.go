package charts_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/sandbox/charts"
)

func serve(t *testing.T) *httptest.Server {
	t.Helper()
	handler, err := charts.Handler()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func get(t *testing.T, url, accept string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s: %v\n%s", url, response.Status, err, data)
	}
	return data
}

func TestArchivesAreDeterministic(t *testing.T) {
	t.Parallel()
	first, err := charts.Archives()
	if err != nil {
		t.Fatal(err)
	}
	second, err := charts.Archives()
	if err != nil {
		t.Fatal(err)
	}
	digests := map[[32]byte]string{}
	for i, a := range first {
		if !bytes.Equal(a.Data, second[i].Data) {
			t.Errorf("%s: packaged twice, the archives differ", a.File())
		}
		if other, ok := digests[sha256.Sum256(a.Data)]; ok {
			t.Errorf("%s and %s are the same archive", a.File(), other)
		}
		digests[sha256.Sum256(a.Data)] = a.File()
	}
}

// index is what the repository says of its charts.
type index struct {
	Entries map[string][]struct {
		Version, AppVersion, Digest string
		URLs                        []string
	}
}

func TestRepositoryAndRegistryHaveTheSame(t *testing.T) {
	t.Parallel()
	server := serve(t)
	var have index
	if err := yaml.Unmarshal(get(t, server.URL+charts.RepositoryPath+"/index.yaml", "*/*"), &have); err != nil {
		t.Fatal(err)
	}
	var versions []string
	for name, entries := range have.Entries {
		for _, e := range entries {
			versions = append(versions, name+" "+e.Version)
			archive := get(t, server.URL+charts.RepositoryPath+"/"+e.URLs[0], "*/*")
			if got := fmt.Sprintf("%x", sha256.Sum256(archive)); got != e.Digest {
				t.Errorf("%s %s: digest %s, the index says %s", name, e.Version, got, e.Digest)
			}
			if pulled := pull(t, server.URL+"/v2/charts/"+name, e.Version); !bytes.Equal(pulled, archive) {
				t.Errorf("%s %s: the registry and the repository have different bytes", name, e.Version)
			}
		}
	}
	for _, want := range []string{
		"metallb 0.16.0", "metallb 0.16.1", "ingress-nginx 4.15.0", "ingress-nginx 4.15.1", "csi-driver-nfs 4.13.4", "cx 1.0.0", "cx 1.1.0",
	} {
		if !strings.Contains(strings.Join(versions, "\n"), want) {
			t.Errorf("there is no %s in %v", want, versions)
		}
	}
	if got := have.Entries["metallb"][0].Version; got != "0.16.1" {
		t.Errorf("the first metallb of the index is %s, want the newest", got)
	}
}

// pull gets a chart's archive from the registry as Helm does.
func pull(t *testing.T, repository, version string) []byte {
	t.Helper()
	type blob struct{ MediaType, Digest string }
	var manifest struct {
		Config blob
		Layers []blob
	}
	if err := json.Unmarshal(get(t, repository+"/manifests/"+version, "application/vnd.oci.image.manifest.v1+json"), &manifest); err != nil {
		t.Fatal(err)
	}
	var metadata struct{ Version string }
	if err := json.Unmarshal(get(t, repository+"/blobs/"+manifest.Config.Digest, "*/*"), &metadata); err != nil || metadata.Version != version {
		t.Errorf("%s %s: configuration says %q: %v", repository, version, metadata.Version, err)
	}
	if len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != "application/vnd.cncf.helm.chart.content.v1.tar+gzip" {
		t.Fatalf("%s %s: layers %v", repository, version, manifest.Layers)
	}
	return get(t, repository+"/blobs/"+manifest.Layers[0].Digest, "*/*")
}
