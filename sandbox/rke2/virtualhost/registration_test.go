package virtualhost_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/expertflow/cxha/sandbox/rke2/virtualhost"
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
			labels, err := virtualhost.ParseLabels(c.given)
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
	got, err := virtualhost.ParseTaints([]string{"node-role.kubernetes.io/control-plane=:NoSchedule", "a=b:NoExecute", "c:PreferNoSchedule"})
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
		if got, err := virtualhost.ParseTaints([]string{bad}); err == nil {
			t.Errorf("%q is taken for %v", bad, got)
		}
	}
}

func FuzzParseNodeOptions(f *testing.F) {
	f.Add("a=b:NoSchedule")
	f.Add("node-role.kubernetes.io/worker=true")
	f.Fuzz(func(t *testing.T, text string) {
		if taints, err := virtualhost.ParseTaints([]string{text}); err == nil && taints[0].Key == "" {
			t.Errorf("%q: a taint without a key", text)
		}
		if labels, err := virtualhost.ParseLabels([]string{text}); err == nil && len(labels) != 1 {
			t.Errorf("%q: labels %v", text, labels)
		}
	})
}
