package kube_test

import (
	"strings"
	"testing"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func (s *site) scale(namespace, name, manager string, replicas int32) {
	s.t.Helper()
	_, err := s.api.client.AppsV1().Deployments(namespace).UpdateScale(s.t.Context(), name, &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Spec: autoscalingv1.ScaleSpec{Replicas: replicas},
	}, metav1.UpdateOptions{FieldManager: manager})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) replicas(namespace, name string) int32 {
	s.t.Helper()
	d, err := s.api.client.AppsV1().Deployments(namespace).Get(s.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	return *d.Spec.Replicas
}

// What an autoscaler scales is its own: said once, and not fought for. What people scale is put back.
func TestIntegrationFieldsOfControllersAreLeftToThem(t *testing.T) {
	s := newSite(t, "scaled")
	playDeployments(t, s.api.client)
	namespace(t, s.api.client, "scaled")
	const addr = `manifest.m/kube.object["Deployment.apps/scaled/web"]`
	text := strings.Replace(strings.ReplaceAll(deploymentText, "tried", "scaled"), "spec:\n", "spec:\n  replicas: 2\n", 1)
	s.manifest("m", text)
	s.apply()
	s.scale("scaled", "web", "kube-controller-manager", 2) // which changes nothing
	s.plan()
	if len(s.notes) > 0 {
		t.Errorf("notes about a field that is as it should be: %v", s.notes)
	}
	s.scale("scaled", "web", "kube-controller-manager", 5)
	s.settled()
	want := "spec.replicas of Deployment scaled/web belongs to kube-controller-manager (by scaling it): it is 5, the blueprint says 2. It is left to its owner; take it out of the manifest"
	if notes := s.notes[addr]; len(notes) != 1 || notes[0] != want {
		t.Errorf("notes %q, want %q", notes, want)
	}
	s.scale("scaled", "web", "kube-controller-manager", 4)
	s.settled()

	// Another change of the object leaves it alone, too.
	s.manifest("m", strings.Replace(text, "none:1", "none:2", 1))
	if got, want := drift(s.plan()[addr]), `content.spec.template.spec.containers["name=main"].image: none:1 -> none:2`; got != want {
		t.Errorf("plan %q, want %q", got, want)
	}
	s.apply()
	if n := s.replicas("scaled", "web"); n != 4 {
		t.Errorf("%d replicas after an apply, want the autoscaler's 4", n)
	}

	// People's are drift.
	s.scale("scaled", "web", "kubectl", 7)
	if got := drift(s.plan()[addr]); got != "content.spec.replicas: 7 -> 2" {
		t.Errorf("scaled by kubectl: plan %q", got)
	}
	if cause := s.causes[addr]; !strings.HasPrefix(cause, "changed by kubectl") {
		t.Errorf("cause %q, want who did it", cause)
	}
	s.apply()
	if n := s.replicas("scaled", "web"); n != 2 {
		t.Errorf("%d replicas, want 2", n)
	}

	// The way out.
	s.scale("scaled", "web", "kube-controller-manager", 6)
	s.manifest("m", strings.Replace(strings.ReplaceAll(deploymentText, "tried", "scaled"), "none:1", "none:2", 1))
	s.settled()
	if len(s.notes) > 0 {
		t.Errorf("notes though the manifest does not say how many: %v", s.notes)
	}
	if n := s.replicas("scaled", "web"); n != 6 {
		t.Errorf("%d replicas, want 6", n)
	}
}

// Of the kind: an operator that sets a container's image, and one that owns a whole list.
func TestIntegrationFieldsOfOperators(t *testing.T) {
	s := newSite(t, "operated")
	playDeployments(t, s.api.client)
	namespace(t, s.api.client, "operated")
	const addr = `manifest.m/kube.object["Deployment.apps/operated/web"]`
	s.manifest("m", strings.Replace(strings.ReplaceAll(deploymentText, "tried", "operated"), `image: "none:1"}]`, `image: "none:1", args: [a, b]}], tolerations: [{key: x, operator: Exists}]`, 1))
	s.apply()
	patch := func(manager, text string) {
		t.Helper()
		if _, err := s.api.client.AppsV1().Deployments("operated").Patch(t.Context(), "web", types.StrategicMergePatchType, []byte(text), metav1.PatchOptions{FieldManager: manager}); err != nil {
			t.Fatal(err)
		}
	}
	patch("image-operator", `{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"none:3"}],"tolerations":[{"key":"y","operator":"Exists"}]}}}}`)
	s.settled()
	for i, want := range []string{`spec.template.spec.containers["name=main"].image of Deployment operated/web belongs to image-operator: it is none:3`, "spec.template.spec.tolerations of Deployment operated/web belongs to image-operator"} {
		if notes := s.notes[addr]; len(notes) != 2 || !strings.HasPrefix(notes[i], want) {
			t.Errorf("notes %q, want %q", notes, want)
		}
	}
	patch("kubectl-patch", `{"spec":{"template":{"spec":{"containers":[{"name":"main","args":["c"]}]}}}}`)
	if got := drift(s.plan()[addr]); !strings.HasPrefix(got, `content.spec.template.spec.containers["name=main"].args`) || strings.Contains(got, "image") {
		t.Errorf("plan %q, want the arguments alone", got)
	}
	s.apply()
}
