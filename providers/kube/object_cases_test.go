package kube_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

const gadgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.GROUP}
spec:
  group: GROUP
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}, color: {type: string, default: red}}}}}}
`

const gadget = "---\napiVersion: GROUP/v1\nkind: Gadget\nmetadata: {name: one}\nspec: {size: 3}\n"

// An object cannot be there while the API does not have its kind: one plan makes the definition and the object.
func TestIntegrationKindOfThePlanIsCreatedWithIt(t *testing.T) {
	s := newSite(t, "after")
	in := strings.NewReplacer("GROUP", "after.example.org")
	s.manifest("m", in.Replace(gadgets+gadget))
	const cr, crd = `manifest.m/kube.object["Gadget.after.example.org/default/one"]`, `manifest.m/kube.object["CustomResourceDefinition.apiextensions.k8s.io/gadgets.after.example.org"]`
	namespace(t, s.api.client, "default")
	changes := s.plan()
	if c := changes[cr]; c.Action != plans.Create {
		t.Errorf("custom object: %s %q, want it created", c.Action, c.Reason.Text)
	}
	s.apply()
	s.remove("m")
	want := "delete " + crd + "\ndelete " + cr
	if got := s.plan().actions(); got != want {
		t.Errorf("plan:\n%s\nwant (the kind is known by the inventory):\n%s", got, want)
	}
	if order := s.order(s.plan()); !slices.Equal(order, []string{cr, crd}) {
		t.Errorf("order of removal %v, want the definition last", order)
	}
	s.apply()
}

func TestIntegrationKindThatNobodyBringsIsTold(t *testing.T) {
	s := newSite(t, "nokind")
	s.manifest("m", strings.ReplaceAll(gadget, "GROUP", "nowhere.example.org"))
	const addr = `manifest.m/kube.object["Gadget.nowhere.example.org/one"]`
	if c := s.plan()[addr]; c.Action != plans.Unknown || !strings.Contains(c.Reason.Text, "the API has no kind Gadget of nowhere.example.org/v1, and nothing that the block depends on brings it") {
		t.Errorf("%s %q", c.Action, c.Reason.Text)
	}
	s.bp.Manifests[0].DependsOn = []blueprint.Ref{{To: schema.BlockAddr{Type: "helm_release", Name: "gadgets"}}}
	if c := s.plan()[addr]; c.Action != plans.Create {
		t.Errorf("%s %q, want it created when what the block depends on has brought its kind", c.Action, c.Reason.Text)
	}
}

// A kind whose scope only the API knows goes to the block's namespace.
func TestIntegrationNamespaceOfUnknownKinds(t *testing.T) {
	s := newSite(t, "scope")
	in := strings.NewReplacer("GROUP", "scope.example.org")
	namespace(t, s.api.client, "scope")
	s.manifest("crd", in.Replace(gadgets))
	s.apply()
	crd := s.bp.Manifests
	s.bp.Manifests = nil // as if a chart had brought the definition
	s.manifest("m", in.Replace(gadget)).Namespace = "scope"
	s.bp.Manifests[0].Keep = true
	c, ok := s.plan()[`manifest.m/kube.object["Gadget.scope.example.org/one"]`]
	if !ok || c.Action != plans.Create {
		t.Fatalf("plan %s", s.plan().actions())
	}
	if _, err := apply(t, s.p, s.s, c); err != nil {
		t.Fatal(err)
	}
	s.bp.Manifests = append(s.bp.Manifests, crd...)
	err := s.api.client.RESTClient().Get().AbsPath("/apis/scope.example.org/v1/namespaces/scope/gadgets/one").Do(t.Context()).Error()
	if err != nil {
		t.Errorf("in the block's namespace: %v", err)
	}
	s.bp.Manifests = s.bp.Manifests[:1]
	if c, ok := s.plan()[c.Addr.String()]; ok {
		t.Errorf("there is something left to do: %s\n%s", c.Action, drift(c))
	}
}

func TestIntegrationWebhookThatDoesNotAnswerIsWaitedFor(t *testing.T) {
	s := newSite(t, "hook")
	namespace(t, s.api.client, "hook")
	const hook = `{"apiVersion":"admissionregistration.k8s.io/v1","kind":"ValidatingWebhookConfiguration","metadata":{"name":"hook"},"webhooks":[{"name":"hook.example.org",
"clientConfig":{"url":"https://127.0.0.1:1/"},"rules":[{"apiGroups":[""],"apiVersions":["v1"],"operations":["CREATE"],"resources":["configmaps"]}],
"namespaceSelector":{"matchLabels":{"kubernetes.io/metadata.name":"hook"}},"sideEffects":"None","admissionReviewVersions":["v1"],"timeoutSeconds":1}]}`
	hooks := s.api.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	if _, err := hooks.Patch(t.Context(), "hook", types.ApplyPatchType, []byte(hook), metav1.PatchOptions{FieldManager: "test"}); err != nil {
		t.Fatal(err)
	}
	s.manifest("m", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: hook}\n")
	eventually(t, "the webhook refuses", func() bool {
		_, err := s.api.client.CoreV1().ConfigMaps("hook").Patch(t.Context(), "y", types.ApplyPatchType, []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"y"}}`), metav1.PatchOptions{FieldManager: "test", DryRun: []string{"All"}})
		return err != nil
	})
	c := s.plan()[`manifest.m/kube.object["ConfigMap/hook/x"]`]
	done := applying(t, s.p, s.s, c)
	eventually(t, "progress about the webhook", func() bool { return s.s.said("waiting for a webhook that does not answer: ") })
	if err := hooks.Delete(t.Context(), "hook", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	ended(t, done)
	s.settled()
}

func TestIntegrationWhatIsNotReadyTellsWhy(t *testing.T) {
	s := newSite(t, "broken")
	namespace(t, s.api.client, "default")
	text := strings.ReplaceAll(strings.Split(web, "---\n")[2], "labels: {tier: front}", `annotations: {test/broken: "yes"}`)
	s.manifest("m", strings.ReplaceAll(text, "NAMESPACE", "default")).Timeout = 1500 * time.Millisecond
	breakPod(t, s.api.client, "web-1", map[string]string{"app": "web"})
	c := s.plan()[`manifest.m/kube.object["Deployment.apps/default/web"]`]
	_, err := apply(t, s.p, s.s, c)
	if err == nil {
		t.Fatal("a Deployment that never gets ready is done")
	}
	for _, want := range []string{"Deployment default/web: not done after 1.5s", "Pod web-1: container main: ImagePullBackOff: no such image"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want %q in it", err, want)
		}
	}
	if err := s.api.client.AppsV1().Deployments("default").Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

// A wait tells of the node that keeps a pod from being ready, while it lasts.
func TestIntegrationNodeThatDoesNotAnswerIsTold(t *testing.T) {
	s := newSite(t, "silent")
	s.p = kube.New(kube.Options{ReasonsAfter: time.Millisecond})
	namespace(t, s.api.client, "default")
	text := strings.ReplaceAll(strings.Split(web, "---\n")[2], "labels: {tier: front}", `annotations: {test/broken: "yes"}`)
	s.manifest("m", strings.ReplaceAll(text, "NAMESPACE", "default"))
	register(t, s.api.client, "w2", "10.10.1.12", false)
	pod(t, s.api.client, "web-1", "w2", func(p *corev1.Pod) { p.Labels = map[string]string{"app": "web"} })
	done := applying(t, s.p, s.s, s.plan()[`manifest.m/kube.object["Deployment.apps/default/web"]`])
	eventually(t, "progress about the node", func() bool { return s.s.said("Pod web-1: its node w2 does not answer") })
	playDeployments(t, s.api.client)
	s.patch("deployments", "default", "web", `{"metadata":{"annotations":{"test/broken":null}},"spec":{"minReadySeconds":1}}`)
	ended(t, done)
	if err := s.api.client.AppsV1().Deployments("default").Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

func TestIntegrationImmutableFieldsAreRefusedInThePlan(t *testing.T) {
	s := newSite(t, "fixed")
	playDeployments(t, s.api.client)
	s.manifest("web", webIn("fixed"))
	s.apply()
	s.manifest("web", strings.ReplaceAll(webIn("fixed"), "app: web", "app: other"))
	s.plan()
	err := s.refused[`manifest.web/kube.object["Deployment.apps/fixed/web"]`]
	want := "Deployment fixed/web: what it has in spec.selector cannot be changed while it lives. Put back what was there, or delete it with `kubectl delete deployment.apps web -n fixed` and apply: it is made anew"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestIntegrationSensitiveTextIsNeverShown(t *testing.T) {
	s := newSite(t, "hidden")
	namespace(t, s.api.client, "hidden")
	m := s.manifest("m", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: hidden}\ndata: {a: battery}\n")
	m.Texts[0].Content = m.Texts[0].Content.Mark(schema.Sensitive)
	const addr = `manifest.m/kube.object["ConfigMap/hidden/x"]`
	if text := drift(s.plan()[addr]); strings.Contains(text, "battery") || !strings.Contains(text, "content: ") {
		t.Errorf("plan shows %s", text)
	}
	s.apply()
	s.patch("configmaps", "hidden", "x", `{"data":{"a":"staple"}}`)
	if text := drift(s.plan()[addr]); strings.Contains(text, "staple") || strings.Contains(text, "battery") || !strings.Contains(text, "content: (sensitive ") {
		t.Errorf("plan shows %s", text)
	}
	s.apply()
}

// The number of calls depends on the kinds, not on the objects.
func TestIntegrationProbeCostsOneListPerKind(t *testing.T) {
	s := newSite(t, "many")
	playDeployments(t, s.api.client)
	var text strings.Builder
	deployment := strings.Split(webIn("many"), "---\n")[2]
	var counts []int
	for _, n := range []int{1, 100} {
		text.Reset()
		for i := range n {
			fmt.Fprintf(&text, "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d, namespace: many}\ndata: {n: \"%d\"}\n", i, i)
			fmt.Fprintf(&text, "---\napiVersion: v1\nkind: Service\nmetadata: {name: s%d, namespace: many}\nspec: {ports: [{port: 80}]}\n", i)
			fmt.Fprintf(&text, "---\n%s", strings.ReplaceAll(deployment, "name: web", fmt.Sprintf("name: web%d", i)))
		}
		namespace(t, s.api.client, "many")
		s.manifest("many", text.String())
		s.applyTogether()
		s.calls.take()
		s.s.dials = 0
		if left := s.plan(); len(left) > 0 {
			t.Fatalf("%d objects of a kind: there is something left to do:\n%s", n, left.actions())
		}
		calls := s.calls.take()
		counts = append(counts, len(calls))
		full := 0
		for _, call := range calls {
			if slices.Contains([]string{"GET /api/v1/configmaps", "GET /api/v1/services", "GET /apis/apps/v1/deployments"}, call) {
				full++
			}
			if !strings.HasPrefix(call, "GET ") {
				t.Errorf("a plan without changes made the call %s", call)
			}
		}
		if full != 3 {
			t.Errorf("%d lists of the kinds of the blueprint, want 3: %v", full, calls)
		}
	}
	if counts[0] != counts[1] || counts[1] > 24 {
		t.Errorf("%d calls for 3 objects and %d for 300, want the same and at most 24", counts[0], counts[1])
	}
}

// applyTogether makes all changes, none of which needs another, at the same time.
func (s *site) applyTogether() {
	s.t.Helper()
	changes := s.plan()
	errs := make(chan error)
	limit := make(chan struct{}, 32)
	for _, c := range changes {
		go func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			_, err := apply(s.t, s.p, s.s, c)
			errs <- err
		}()
	}
	for range changes {
		if err := <-errs; err != nil {
			s.t.Errorf("apply: %v", err)
		}
	}
}

// The inventory is a hint: without it the usual kinds are looked through.
func TestIntegrationRemovalWithoutTheInventory(t *testing.T) {
	s := newSite(t, "lost")
	namespace(t, s.api.client, "lost")
	s.manifest("m", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: lost}\n")
	s.apply()
	register(t, s.api.client, "cp1", "10.10.1.10", true)
	s.patch("nodes", "", "cp1", `{"metadata":{"labels":{"cxha.io/cluster":"lost"}}}`)
	if err := s.api.client.CoreV1().ConfigMaps("kube-system").Delete(t.Context(), "cxha-inventory", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.remove("m")
	if got, want := s.plan().actions(), `delete manifest.m/kube.object["ConfigMap/lost/x"]`; got != want {
		t.Errorf("plan %q, want %q", got, want)
	}
	s.apply()
}
