package rke2_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/expertflow/cxha/sandbox/rke2"
)

func TestParseLabels(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		given []string
		fails string
	}{
		"own":                {given: []string{"cx/role=core", "plain=", "topology.kubernetes.io/zone=a", "node.kubernetes.io/x=y"}},
		"role":               {given: []string{"node-role.kubernetes.io/worker=true"}, fails: "unknown 'kubernetes.io' or 'k8s.io' labels"},
		"value is no value":  {given: []string{"a=b c"}, fails: "invalid node label"},
		"other kubernetes":   {given: []string{"x.k8s.io/y=z"}, fails: "[x.k8s.io/y]"},
		"looks like the one": {given: []string{"mykubernetes.io/a=b"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			labels, err := rke2.ParseLabels(c.given)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error: got %v, want %q in it", err, c.fails)
				}
				return
			}
			if err != nil || len(labels) != len(c.given) {
				t.Fatalf("got %v, %v", labels, err)
			}
		})
	}
}

func TestParseTaints(t *testing.T) {
	t.Parallel()
	got, err := rke2.ParseTaints([]string{"node-role.kubernetes.io/control-plane=:NoSchedule", "a=b:NoExecute", "c:PreferNoSchedule"})
	if err != nil {
		t.Fatal(err)
	}
	want := []corev1.Taint{
		{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule},
		{Key: "a", Value: "b", Effect: corev1.TaintEffectNoExecute}, {Key: "c", Effect: corev1.TaintEffectPreferNoSchedule},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("taints (-want +got):\n%s", diff)
	}
	for _, bad := range []string{"a=b", "a:Never", ":NoSchedule", "a b:NoSchedule"} {
		if got, err := rke2.ParseTaints([]string{bad}); err == nil {
			t.Errorf("%q is taken for %v", bad, got)
		}
	}
}

func FuzzParseNodeOptions(f *testing.F) {
	f.Add("a=b:NoSchedule")
	f.Add("node-role.kubernetes.io/worker=true")
	f.Fuzz(func(t *testing.T, text string) {
		if taints, err := rke2.ParseTaints([]string{text}); err == nil && taints[0].Key == "" {
			t.Errorf("%q: a taint without a key", text)
		}
		if labels, err := rke2.ParseLabels([]string{text}); err == nil && len(labels) != 1 {
			t.Errorf("%q: labels %v", text, labels)
		}
	})
}

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
	if len(objects) != 3 {
		t.Errorf("got %d objects, want 3", len(objects))
	}
	if _, err := rke2.RenderChart("rke2-coredns", defaults, "a: ["); err == nil {
		t.Error("values that are no YAML are taken")
	}
}
