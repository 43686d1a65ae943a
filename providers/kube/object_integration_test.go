package kube_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// web has quantities that the API server writes otherwise, defaults, and a secret.
const web = `
apiVersion: v1
kind: Namespace
metadata: {name: NAMESPACE}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAMESPACE}
data: {greeting: hello, size: "3"}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: NAMESPACE
  labels: {tier: front}
  creationTimestamp: null
spec:
  replicas: 2
  strategy: {}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      hostNetwork: false
      containers:
      - name: main
        image: none:1
        resources: {requests: {cpu: 1000m, memory: 1024Mi}}
        ports: [{containerPort: 8080}]
status: {}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: NAMESPACE}
stringData: {password: correct horse}
`

func webIn(namespace string) string { return strings.ReplaceAll(web, "NAMESPACE", namespace) }

func (s *site) patch(resource, namespace, name, text string) {
	s.t.Helper()
	at := map[string]string{"deployments": "/apis/apps/v1", "validatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1"}[resource]
	if at == "" {
		at = "/api/v1"
	}
	if namespace != "" {
		at += "/namespaces/" + namespace
	}
	err := s.api.client.RESTClient().Patch(types.MergePatchType).AbsPath(at+"/"+resource+"/"+name).Param("fieldManager", "somebody").Body([]byte(text)).Do(s.t.Context()).Error()
	if err != nil {
		s.t.Fatalf("patch %s %s: %v", resource, name, err)
	}
}

func TestIntegrationObjectsAreAppliedAndMarked(t *testing.T) {
	s := newSite(t, "applied")
	playDeployments(t, s.api.client)
	s.manifest("web", webIn("applied"))
	want := `create manifest.web/kube.object["ConfigMap/applied/settings"]
create manifest.web/kube.object["Deployment.apps/applied/web"]
create manifest.web/kube.object["Namespace/applied"]
create manifest.web/kube.object["Secret/applied/token"]
create manifest.web/kube.object["Service/applied/web"]`
	if got := s.plan().actions(); got != want {
		t.Fatalf("plan:\n%s\nwant:\n%s", got, want)
	}
	s.apply()
	d, err := s.api.client.AppsV1().Deployments("applied").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Labels["cxha.io/cluster"]; got != "applied" {
		t.Errorf("mark %q, want the cluster's name", got)
	}
	if got := d.Annotations["cxha.io/block"]; got != "manifest.web" {
		t.Errorf("block %q, want manifest.web", got)
	}
	for _, m := range d.ManagedFields {
		if m.Operation == metav1.ManagedFieldsOperationApply && m.Manager != "cxha" {
			t.Errorf("field manager %q", m.Manager)
		}
	}
	secret, err := s.api.client.CoreV1().Secrets("applied").Get(t.Context(), "token", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if string(secret.Data["password"]) != "correct horse" {
		t.Errorf("password %q", secret.Data["password"])
	}
}

func TestIntegrationDriftIsShownByFieldAndMended(t *testing.T) {
	s := newSite(t, "drift")
	playDeployments(t, s.api.client)
	s.manifest("web", webIn("drift"))
	s.apply()
	s.patch("deployments", "drift", "web", `{"metadata":{"labels":{"tier":"back","own":"yes"}},"spec":{"replicas":5,"template":{"spec":{"containers":[{"name":"main","image":"none:2"}]}}}}`)
	s.patch("configmaps", "drift", "settings", `{"data":{"greeting":null,"extra":"kept"}}`)
	s.patch("secrets", "drift", "token", `{"stringData":{"password":"wrong horse"}}`)
	s.patch("services", "drift", "web", `{"spec":{"ports":[{"name":"http","port":81,"targetPort":8080}]}}`)
	changes := s.plan()
	want := map[string]string{
		`manifest.web/kube.object["Deployment.apps/drift/web"]`: "content.metadata.labels.tier: back -> front\ncontent.spec.replicas: 5 -> 2\n" +
			"content.spec.template.spec.containers[0].image: none:2 -> none:1\n" +
			`content.spec.template.spec.containers[0].ports: null -> cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"containerPort":cty.NumberIntVal(8080)})})` + "\n" +
			`content.spec.template.spec.containers[0].resources.requests: null -> cty.ObjectVal(map[string]cty.Value{"cpu":cty.StringVal("1"), "memory":cty.StringVal("1Gi")})`,
		`manifest.web/kube.object["ConfigMap/drift/settings"]`: "content.data.greeting: null -> hello",
	}
	for addr, fields := range want {
		c, ok := changes[addr]
		if !ok || c.Action != plans.Update {
			t.Errorf("%s: %s, want an update", addr, c.Action)
			continue
		}
		if diff := cmp.Diff(fields, drift(c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", addr, diff)
		}
	}
	secret := drift(changes[`manifest.web/kube.object["Secret/drift/token"]`])
	if !strings.HasPrefix(secret, "content.data.password: (sensitive ") || strings.Contains(secret, "horse") || strings.Contains(secret, "ZSBob3JzZQ") {
		t.Errorf("a secret's drift is shown as %q", secret)
	}
	if !strings.Contains(drift(changes[`manifest.web/kube.object["Service/drift/web"]`]), "content.spec.ports") {
		t.Errorf("the service's drift is not shown: %v", changes.actions())
	}
	s.apply()
	cm, err := s.api.client.CoreV1().ConfigMaps("drift").Get(t.Context(), "settings", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"greeting": "hello", "size": "3", "extra": "kept"}; !maps.Equal(cm.Data, want) {
		t.Errorf("data %v, want %v: what somebody else added stays", cm.Data, want)
	}
}

func TestIntegrationFieldThatLeavesTheBlueprintIsTakenAway(t *testing.T) {
	s := newSite(t, "shrink")
	namespace(t, s.api.client, "shrink")
	const text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shrink, labels: {a: b}}\ndata: {one: \"1\", two: \"2\"}\n"
	s.manifest("m", text)
	s.apply()
	s.patch("configmaps", "shrink", "settings", `{"data":{"three":"3"}}`)
	s.settled() // what others add is theirs
	s.manifest("m", strings.NewReplacer(`, two: "2"`, "", ", labels: {a: b}", "").Replace(text))
	c := s.plan()[`manifest.m/kube.object["ConfigMap/shrink/settings"]`]
	if got, want := drift(c), "content.data.two: 2 -> null\n"+`content.metadata.labels: cty.ObjectVal(map[string]cty.Value{"a":cty.StringVal("b")}) -> null`; got != want {
		t.Errorf("drift %q, want %q", got, want)
	}
	s.apply()
	cm, err := s.api.client.CoreV1().ConfigMaps("shrink").Get(t.Context(), "settings", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"one": "1", "three": "3"}; !maps.Equal(cm.Data, want) || cm.Labels["a"] != "" {
		t.Errorf("data %v, labels %v; want %v and no label a", cm.Data, cm.Labels, want)
	}
}

func TestIntegrationForeignObjectsAreRefused(t *testing.T) {
	s := newSite(t, "foreign")
	namespace(t, s.api.client, "foreign")
	const object = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","namespace":"foreign"%s},"data":{"a":"%s"}}`
	tests := map[string]struct {
		manager, meta, value string // of the object that is there
		want                 string // part of the refusal; empty: it is taken
	}{
		"helm":           {meta: `,"annotations":{"meta.helm.sh/release-name":"web","meta.helm.sh/release-namespace":"prod"}`, want: "the Helm release prod/web owns it"},
		"flux":           {meta: `,"labels":{"kustomize.toolkit.fluxcd.io/name":"apps","kustomize.toolkit.fluxcd.io/namespace":"flux-system"}`, want: "the Flux Kustomization flux-system/apps owns it"},
		"argo":           {meta: `,"annotations":{"argocd.argoproj.io/tracking-id":"shop:/ConfigMap:foreign/x"}`, want: "the Argo CD application shop owns it"},
		"a label":        {meta: `,"labels":{"app.kubernetes.io/managed-by":"pulumi"}`, want: "pulumi (its label"},
		"another site":   {meta: `,"labels":{"cxha.io/cluster":"elsewhere"}`, want: "cxha's cluster elsewhere owns it"},
		"an applier":     {manager: "terraform", want: "the field manager terraform owns it"},
		"nobody obvious": {want: "it differs in data.a. Delete it, make it equal, or hand it over with `kubectl label configmap x -n foreign cxha.io/cluster=foreign`"},
		"equal":          {value: "blueprint"},
		"equal of helm":  {value: "blueprint", meta: `,"labels":{"app.kubernetes.io/managed-by":"Helm"}`},
	}
	s.manifest("m", fmt.Sprintf(object, "", "blueprint"))
	const addr = `manifest.m/kube.object["ConfigMap/foreign/x"]`
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if test.manager == "" {
				test.manager = "kubectl"
			}
			if test.value == "" {
				test.value = "live"
			}
			_, err := s.api.client.CoreV1().ConfigMaps("foreign").Patch(t.Context(), "x", types.ApplyPatchType, fmt.Appendf(nil, object, test.meta, test.value), metav1.PatchOptions{FieldManager: test.manager})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.api.client.CoreV1().ConfigMaps("foreign").Delete(t.Context(), "x", metav1.DeleteOptions{}); err != nil {
					t.Error(err)
				}
			}()
			c := s.plan()[addr]
			_, err = explain(t, s.p, c)
			if test.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				s.apply()
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("plan: error %v, want %q", err, test.want)
			}
			// Nor is one taken that came between plan and apply.
			if _, err := apply(t, s.p, s.s, plans.Change{Addr: c.Addr, Before: cty.NullVal(c.After.Type()), After: c.After}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("apply: error %v, want %q", err, test.want)
			}
		})
	}
}

func explain(t *testing.T, p *kube.Provider, c plans.Change) (plans.Reason, error) {
	t.Helper()
	for _, k := range p.Kinds() {
		if k.Type().Name == c.Addr.Type {
			return k.(providers.Explainer).Explain(c)
		}
	}
	t.Fatalf("no kind %s for %s", c.Addr.Type, c.Addr)
	return plans.Reason{}, nil
}

func TestIntegrationNamespaceThatIsThereIsShared(t *testing.T) {
	s := newSite(t, "shared")
	namespace(t, s.api.client, "shared")
	s.manifest("m", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shared, labels: {team: cx}}\n")
	s.apply()
	s.manifest("m", "apiVersion: v1\nkind: Namespace\nmetadata: {name: shared, labels: {team: other}}\n")
	s.apply()
	s.remove("m")
	if got := s.plan().actions(); got != "" {
		t.Errorf("a namespace that was there before cxha is planned for removal:\n%s", got)
	}
}

func TestIntegrationPruning(t *testing.T) {
	s := newSite(t, "prune")
	playDeployments(t, s.api.client)
	stop := playNamespaces(t, s.api.client)
	defer stop()
	s.manifest("web", webIn("prune"))
	kept := s.manifest("kept", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, namespace: prune}\n")
	kept.Keep = true
	s.apply()
	s.manifest("kept", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, namespace: prune}\n").Keep = true
	s.remove("kept")
	s.manifest("web", strings.Split(webIn("prune"), "---\napiVersion: v1\nkind: Service")[0])
	want := `delete manifest.web/kube.object["Secret/prune/token"]
delete manifest.web/kube.object["Service/prune/web"]`
	if got := s.plan().actions(); got != want {
		t.Errorf("plan:\n%s\nwant:\n%s", got, want)
	}
	for addr, c := range s.plan() {
		if text := fmt.Sprintf("%#v", c.Before); strings.Contains(text, `"data"`) {
			t.Errorf("%s: a removal tells of data: %s", addr, text)
		}
	}
	s.apply()
	if _, err := s.api.client.AppsV1().Deployments("prune").Get(t.Context(), "web", metav1.GetOptions{}); err != nil {
		t.Errorf("the neighbour is gone: %v", err)
	}

	// All the rest goes, but not the namespace with what is kept and what is somebody's.
	s.remove("web")
	if _, err := s.api.client.CoreV1().Secrets("prune").Patch(t.Context(), "own", types.ApplyPatchType, []byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"own"}}`), metav1.PatchOptions{FieldManager: "somebody"}); err != nil {
		t.Fatal(err)
	}
	changes := s.plan()
	const ns = `manifest.web/kube.object["Namespace/prune"]`
	order := s.order(changes)
	if len(order) != 3 || order[2] != ns {
		t.Errorf("order of removal %v, want the namespace last", order)
	}
	for _, addr := range order[:2] {
		if _, err := apply(t, s.p, s.s, changes[addr]); err != nil {
			t.Errorf("remove %s: %v", addr, err)
		}
	}
	_, err := apply(t, s.p, s.s, changes[ns])
	if err == nil || !strings.Contains(err.Error(), "ConfigMap kept, Secret own. Move or delete them") {
		t.Errorf("a namespace with somebody's objects is removed: error %v", err)
	}
	for _, err := range []error{
		s.api.client.CoreV1().Secrets("prune").Delete(t.Context(), "own", metav1.DeleteOptions{}),
		s.api.client.CoreV1().ConfigMaps("prune").Delete(t.Context(), "kept", metav1.DeleteOptions{}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	s.apply()
}

func TestIntegrationObjectMovesBetweenBlocks(t *testing.T) {
	s := newSite(t, "move")
	namespace(t, s.api.client, "move")
	const text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: move}\ndata: {a: b}\n"
	s.manifest("one", text)
	s.apply()
	s.remove("one")
	s.manifest("two", text)
	if got, want := s.plan().actions(), `update manifest.two/kube.object["ConfigMap/move/x"]`; got != want {
		t.Errorf("plan:\n%s\nwant:\n%s", got, want)
	}
	s.apply()
}

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

func TestIntegrationKindOfThePlanIsKnownAfter(t *testing.T) {
	s := newSite(t, "after")
	in := strings.NewReplacer("GROUP", "after.example.org")
	s.manifest("m", in.Replace(gadgets+gadget))
	const cr, crd = `manifest.m/kube.object["Gadget.after.example.org/default/one"]`, `manifest.m/kube.object["CustomResourceDefinition.apiextensions.k8s.io/gadgets.after.example.org"]`
	namespace(t, s.api.client, "default")
	changes := s.plan()
	if c := changes[cr]; c.Action != plans.Unknown || !strings.HasPrefix(c.Reason.Text, "deferred: known after "+crd) {
		t.Errorf("custom object: %s %q, want it known after its definition", c.Action, c.Reason.Text)
	}
	if _, err := apply(t, s.p, s.s, changes[crd]); err != nil {
		t.Fatal(err)
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
	if c := s.plan()[addr]; !strings.HasPrefix(c.Reason.Text, "deferred: ") {
		t.Errorf("%s %q, want it deferred", c.Action, c.Reason.Text)
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
	done := make(chan error, 1)
	c := s.plan()[`manifest.m/kube.object["ConfigMap/hook/x"]`]
	go func() {
		_, err := apply(t, s.p, s.s, c)
		done <- err
	}()
	eventually(t, "progress about the webhook", func() bool { return s.s.said("waiting for a webhook that does not answer: ") })
	if err := hooks.Delete(t.Context(), "hook", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("apply: %v", err)
	}
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

func TestIntegrationImmutableFieldsAreRefusedInThePlan(t *testing.T) {
	s := newSite(t, "fixed")
	playDeployments(t, s.api.client)
	s.manifest("web", webIn("fixed"))
	s.apply()
	s.manifest("web", strings.ReplaceAll(webIn("fixed"), "app: web", "app: other"))
	_, err := explain(t, s.p, s.plan()[`manifest.web/kube.object["Deployment.apps/fixed/web"]`])
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
