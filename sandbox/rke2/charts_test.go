package rke2_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/expertflow/cxha/sandbox/rke2"
)

// A HelmChartConfig's values are laid over the chart's as Helm does: maps by key, lists as a whole.
func TestRenderChart(t *testing.T) {
	t.Parallel()
	defaults := rke2.ChartDefaults("10.43.0.10")["rke2-coredns"]
	objects, err := rke2.RenderChart("rke2-coredns", defaults, "tolerations: []\naffinity: {nodeAffinity: {x: y}}\nreplicaCount: 1")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		spec := object.Object["spec"].(map[string]any)
		pod := spec["template"].(map[string]any)["spec"].(map[string]any)
		affinity := pod["affinity"].(map[string]any)
		if affinity["nodeAffinity"] == nil || affinity["podAntiAffinity"] == nil {
			t.Errorf("affinity: got %v, want the default's and the config's", affinity)
		}
		if diff := cmp.Diff([]any{}, pod["tolerations"]); diff != "" {
			t.Errorf("tolerations (-want +got):\n%s", diff)
		}
		if spec["replicas"] != int64(1) {
			t.Errorf("replicas: got %v, want 1", spec["replicas"])
		}
	}
	for _, kind := range []string{"ServiceAccount", "Deployment", "Service"} {
		if !slices.ContainsFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind }) {
			t.Errorf("no %s among %d objects", kind, len(objects))
		}
	}
	if _, err := rke2.RenderChart("rke2-coredns", defaults, "a: ["); err == nil {
		t.Error("values that are no YAML are taken")
	}
}
