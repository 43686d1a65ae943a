package charts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/sandbox/charts/chartstest"
)

// TestMetalLBDefinitionsAreUpstreams holds the chart's definitions to those of the program that the lab runs: groups, names,
// versions, columns and schemas. Left out are descriptions, and rules that the API server checks beyond types and limits.
func TestMetalLBDefinitionsAreUpstreams(t *testing.T) {
	t.Parallel()
	where := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "go.universe.tf/metallb")
	where.Dir = "../programs/metallb"
	where.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off")
	module, err := where.Output()
	if err != nil || len(strings.TrimSpace(string(module))) == 0 {
		t.Skipf("MetalLB's module is not on this machine (make lab-programs brings it): %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(module)), "config/crd/bases/*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions in %s: %v", module, err)
	}
	manifest, err := chartstest.Render("metallb", "metallb-system", "")
	if err != nil {
		t.Fatal(err)
	}
	have := definitions(t, strings.Split(string(manifest), "\n---\n"))
	var texts []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	want := definitions(t, texts)
	// Upstream adds this to the generated file when it is put together.
	peers, ok := have["bgppeers.metallb.io"].(map[string]any)
	if !ok || peers["conversion"] == nil {
		t.Error("bgppeers: no conversion, which the controller's certificates are for")
	}
	delete(peers, "conversion")
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("definitions (-upstream +ours):\n%s", diff)
	}
}

// definitions are the specs of the definitions among documents, by name.
func definitions(t *testing.T, documents []string) map[string]any {
	t.Helper()
	specs := map[string]any{}
	for _, document := range documents {
		var object struct {
			Kind     string
			Metadata struct{ Name string }
			Spec     map[string]any
		}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if object.Kind == "CustomResourceDefinition" {
			specs[object.Metadata.Name] = plain(object.Spec)
		}
	}
	return specs
}

// plain leaves out of a schema what is no type and no limit of a number. Names of properties are not keys of the schema.
func plain(value any) any {
	switch value := value.(type) {
	case map[string]any:
		result := map[string]any{}
		for key, inner := range value {
			switch key {
			case "description", "pattern", "maxLength", "minLength", "x-kubernetes-validations":
			case "properties":
				properties := map[string]any{}
				if named, ok := inner.(map[string]any); ok {
					for name, schema := range named {
						properties[name] = plain(schema)
					}
				}
				result[key] = properties
			default:
				result[key] = plain(inner)
			}
		}
		return result
	case []any:
		result := make([]any, len(value))
		for n := range value {
			result[n] = plain(value[n])
		}
		return result
	}
	return value
}
