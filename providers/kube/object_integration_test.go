package kube_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers/kube"
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

// applyAs applies an object with a field manager.
func (s *site) applyAs(manager, path, text string) {
	s.t.Helper()
	err := s.api.client.RESTClient().Patch(types.ApplyPatchType).AbsPath(path).Param("fieldManager", manager).Body([]byte(text)).Do(s.t.Context()).Error()
	if err != nil {
		s.t.Fatalf("apply %s: %v", path, err)
	}
}

func (s *site) patch(resource, namespace, name, text string) {
	s.t.Helper()
	at := map[string]string{"deployments": "/apis/apps/v1", "validatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1"}[resource]
	if at == "" {
		at = "/api/v1"
	}
	if namespace != "" {
		at += "/namespaces/" + namespace
	}
	err := s.api.client.RESTClient().Patch(types.MergePatchType).AbsPath(at+"/"+resource+"/"+name).Param("fieldManager", "kubectl-edit").Body([]byte(text)).Do(s.t.Context()).Error()
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
			`content.spec.template.spec.containers["name=main"].image: none:2 -> none:1` + "\n" +
			`content.spec.template.spec.containers["name=main"].ports: null -> cty.ObjectVal(map[string]cty.Value{"containerPort=8080,protocol=TCP":` +
			`cty.ObjectVal(map[string]cty.Value{"containerPort":cty.NumberIntVal(8080), "protocol":cty.StringVal("TCP")})})` + "\n" +
			`content.spec.template.spec.containers["name=main"].resources.requests: null -> cty.ObjectVal(map[string]cty.Value{"cpu":cty.StringVal("1"), "memory":cty.StringVal("1Gi")})`,
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
			err = s.refused[addr]
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
			if _, err := apply(t, s.p, s.s, plans.Change{Addr: c.Addr, Before: cty.NullVal(c.After.Type()), After: c.Desired, Desired: c.Desired}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("apply: error %v, want %q", err, test.want)
			}
		})
	}
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
	s.manifest("kept", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, namespace: prune}\n").Keep = true
	s.apply()
	s.remove("kept")
	owned := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"owned","labels":{"cxha.io/cluster":"prune"},"annotations":{"cxha.io/block":"manifest.web"},
"ownerReferences":[{"apiVersion":"v1","kind":"Secret","name":"token","uid":"1"}]}}`
	copied := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"copied","labels":{"cxha.io/cluster":"prune"}}}`
	for name, object := range map[string]string{"owned": owned, "copied": copied} {
		if _, err := s.api.client.CoreV1().ConfigMaps("prune").Patch(t.Context(), name, types.ApplyPatchType, []byte(object), metav1.PatchOptions{FieldManager: "somebody"}); err != nil {
			t.Fatal(err)
		}
	}
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
}

// A namespace does not take along what is kept, nor what is somebody's.
func TestIntegrationNamespaceThatHoldsMoreIsNotRemoved(t *testing.T) {
	s := newSite(t, "crowded")
	stop := playNamespaces(t, s.api.client)
	defer stop()
	const text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: crowded}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: goes, namespace: crowded}\n"
	s.manifest("web", text)
	s.manifest("kept", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, namespace: crowded}\n").Keep = true
	s.apply()
	s.remove("kept")
	s.remove("web")
	if _, err := s.api.client.CoreV1().Secrets("crowded").Patch(t.Context(), "own", types.ApplyPatchType, []byte(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"own"}}`), metav1.PatchOptions{FieldManager: "somebody"}); err != nil {
		t.Fatal(err)
	}
	changes := s.plan()
	const ns = `manifest.web/kube.object["Namespace/crowded"]`
	order := s.order(changes)
	if len(order) != 2 || order[1] != ns {
		t.Errorf("order of removal %v, want the namespace last", order)
	}
	if _, err := apply(t, s.p, s.s, changes[order[0]]); err != nil {
		t.Errorf("remove %s: %v", order[0], err)
	}
	_, err := apply(t, s.p, s.s, changes[ns])
	if err == nil || !strings.Contains(err.Error(), "ConfigMap kept, Secret own. Move or delete them") {
		t.Errorf("a namespace with somebody's objects is removed: error %v", err)
	}
	release := `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"released","annotations":{"meta.helm.sh/release-name":"r"}}}`
	if _, err := s.api.client.CoreV1().ConfigMaps("crowded").Patch(t.Context(), "released", types.ApplyPatchType, []byte(release), metav1.PatchOptions{FieldManager: "helm"}); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		s.api.client.CoreV1().Secrets("crowded").Delete(t.Context(), "own", metav1.DeleteOptions{}),
		s.api.client.CoreV1().ConfigMaps("crowded").Delete(t.Context(), "kept", metav1.DeleteOptions{}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	// What a release has in it may be leaving at the same time.
	patient := kube.New(kube.Options{})
	probe(t, patient, s.s, s.bp)
	done := applying(t, patient, s.s, changes[ns])
	eventually(t, "progress about the release", func() bool { return s.s.said("waiting for the release in the namespace to go: ConfigMap released") })
	if err := s.api.client.CoreV1().ConfigMaps("crowded").Delete(t.Context(), "released", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	ended(t, done)
	s.settled()
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
