package kube_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

func objectsOf(rs []providers.Resource) []providers.Resource {
	var os []providers.Resource
	for _, r := range rs {
		if r.Addr.Type == "kube.object" {
			os = append(os, r)
		}
	}
	return os
}

func withManifests(texts ...string) *blueprint.Blueprint {
	bp := cluster(1)
	for i, text := range texts {
		bp.Manifests = append(bp.Manifests, blueprint.Manifest{
			Common: blueprint.Common{Addr: schema.BlockAddr{Type: "manifest", Name: string(rune('a' + i))}, Timeout: time.Minute},
			Texts:  []blueprint.Text{{Name: "objects.yaml", Content: cty.StringVal(text)}},
		})
	}
	return bp
}

func TestCompileObjectsOrder(t *testing.T) {
	t.Parallel()
	bp := withManifests(`
apiVersion: v1
kind: List
items:
- {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: cx}, spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}}}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}
- {apiVersion: example.org/v1, kind: Gadget, metadata: {name: one}}
- {apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: hook}}
---
# nothing in here
---
{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "all", "namespace": "ignored"}}
`, `
apiVersion: v1
kind: Namespace
metadata: {name: cx}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.org}
spec: {group: example.org, scope: Cluster, names: {kind: Gadget, plural: gadgets}}
---
apiVersion: other.example.org/v1
kind: Widget
metadata: {name: unknown-scope}
`)
	bp.Manifests[0].Namespace = "cx"
	bp.Manifests[0].After = []schema.Addr{{Block: schema.BlockAddr{Type: "manifest", Name: "a"}, Type: "helm.release"}}
	want := `manifest.a/kube.object["ClusterRole.rbac.authorization.k8s.io/all"] <- control_plane.cp1/kube.node <- manifest.a/helm.release
manifest.a/kube.object["ConfigMap/cx/settings"] <- control_plane.cp1/kube.node <- manifest.b/kube.object["Namespace/cx"] <- manifest.a/helm.release
manifest.a/kube.object["Deployment.apps/cx/web"] <- control_plane.cp1/kube.node <- manifest.b/kube.object["Namespace/cx"] <- manifest.a/helm.release
manifest.a/kube.object["Gadget.example.org/one"] <- control_plane.cp1/kube.node <- manifest.b/kube.object["CustomResourceDefinition.apiextensions.k8s.io/gadgets.example.org"] <- manifest.a/helm.release
manifest.a/kube.object["ValidatingWebhookConfiguration.admissionregistration.k8s.io/hook"] <- control_plane.cp1/kube.node <- manifest.a/kube.object["ClusterRole.rbac.authorization.k8s.io/all"] <- manifest.a/kube.object["ConfigMap/cx/settings"] <- manifest.a/kube.object["Deployment.apps/cx/web"] <- manifest.a/kube.object["Gadget.example.org/one"] <- manifest.a/helm.release
manifest.b/kube.object["CustomResourceDefinition.apiextensions.k8s.io/gadgets.example.org"] <- control_plane.cp1/kube.node
manifest.b/kube.object["Namespace/cx"] <- control_plane.cp1/kube.node
manifest.b/kube.object["Widget.other.example.org/unknown-scope"] <- control_plane.cp1/kube.node
`
	if diff := cmp.Diff(want, edges(objectsOf(compile(t, kube.New(kube.Options{}), bp)))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCompileObjectsRefuses(t *testing.T) {
	t.Parallel()
	const good = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
	tests := map[string]struct {
		texts []string
		want  []string // part of each diagnostic's detail
	}{
		"no YAML":             {[]string{"a: [\n"}, []string{"objects.yaml of manifest.a cannot be read: document 1: "}},
		"a name twice":        {[]string{good + "---\na: 1\na: 2\n"}, []string{"document 2: "}},
		"no mapping":          {[]string{"- a\n"}, []string{"it is no object with apiVersion, kind and metadata"}},
		"no kind":             {[]string{"apiVersion: v1\nmetadata: {name: x}\n"}, []string{"it has no kind"}},
		"no version":          {[]string{"kind: ConfigMap\nmetadata: {name: x}\n"}, []string{"it has no apiVersion"}},
		"no metadata":         {[]string{"apiVersion: v1\nkind: ConfigMap\n"}, []string{"the ConfigMap has no metadata"}},
		"no name":             {[]string{"apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}\n"}, []string{"the ConfigMap has no metadata.name"}},
		"generateName":        {[]string{"apiVersion: v1\nkind: Pod\nmetadata: {generateName: x-}\n"}, []string{"the Pod has generateName, so every apply would make another one"}},
		"a label of a number": {[]string{"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {a: 1}}\n"}, []string{"the labels of ConfigMap x are not all texts"}},
		"a wrong type":        {[]string{"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: two}\n"}, []string{"Deployment x does not fit its kind: "}},
		"a file of kustomize": {[]string{"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nmetadata: {name: x}\n"}, []string{"name its directory in a kustomization block"}},
		"an item of a list":   {[]string{"apiVersion: v1\nkind: List\nitems: [1]\n"}, []string{"item 1 of the List is no object"}},
		"twice in a block":    {[]string{good + "---\n" + good}, []string{"ConfigMap default/x is declared in objects.yaml of manifest.a and in objects.yaml of manifest.a"}},
		"twice in two blocks": {[]string{good, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: default}\n"}, []string{"of manifest.a and in objects.yaml of manifest.b. An object has one owner"}},
		"three mistakes":      {[]string{"kind: x\n---\napiVersion: v1\n---\n" + good, "a: ["}, []string{"no apiVersion", "no kind", "manifest.b cannot be read"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diags := kube.New(kube.Options{}).Compile(withManifests(test.texts...))
			if len(diags) != len(test.want) {
				t.Fatalf("%d diagnostics, want %d: %v", len(diags), len(test.want), diags)
			}
			for i, want := range test.want {
				found := false
				for _, d := range diags {
					found = found || strings.Contains(d.Detail, want)
				}
				if !found {
					t.Errorf("no diagnostic %d: %q in %v", i, want, diags)
				}
			}
		})
	}
}

func TestCompileNeverQuotesASecret(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"a sensitive text":  "hunter2: [",
		"its type":          "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: hunter2}\n",
		"data of a Secret":  "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {a: {hunter2: hunter2}}\n",
		"data, not encoded": "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\ndata: {a: hunter2!}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp := withManifests(text)
			if !strings.Contains(text, "Secret") {
				bp.Manifests[0].Texts[0].Content = bp.Manifests[0].Texts[0].Content.Mark(schema.Sensitive)
			}
			_, diags := kube.New(kube.Options{}).Compile(bp)
			if !diags.HasErrors() || strings.Contains(diags.Error(), "hunter2") {
				t.Errorf("diagnostics %v", diags)
			}
		})
	}
}

func TestCompileMarksSecrets(t *testing.T) {
	t.Parallel()
	bp := withManifests("apiVersion: v1\nkind: Secret\nmetadata: {name: x, labels: {a: b}}\nstringData: {password: hunter2}\ndata: {user: aHVudGVyMg==}\n")
	for _, r := range objectsOf(compile(t, kube.New(kube.Options{}), bp)) {
		shown, err := schema.HideSensitive(r.Desired, "salt")
		if err != nil {
			t.Fatal(err)
		}
		text := shown.GoString()
		if strings.Contains(text, "hunter2") || strings.Contains(text, "aHVudGVyMg==") || !strings.Contains(text, `"password":cty.StringVal("(sensitive `) {
			t.Errorf("a Secret is shown as %s", text)
		}
	}
}

func TestCompileLeavesCertificatesOfWebhooksToTheirControllers(t *testing.T) {
	t.Parallel()
	bp := withManifests(`
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks:
- {name: a.example.org, clientConfig: {url: https://a, caBundle: Cg==}}
- {name: b.example.org, clientConfig: {url: https://b, caBundle: ""}}
- {name: c.example.org, clientConfig: {url: https://c, caBundle: Y2VydA==}}
`)
	for _, r := range objectsOf(compile(t, kube.New(kube.Options{}), bp)) {
		if got := strings.Count(r.Desired.GoString(), "caBundle"); got != 1 {
			t.Errorf("%d certificates are stated, want one: %#v", got, r.Desired)
		}
	}
}

func TestCompileKustomization(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, files map[string]string) string {
		t.Helper()
		dir := t.TempDir()
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return filepath.Join(dir, "site")
	}
	const settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: b}\n"
	tests := map[string]struct {
		files map[string]string
		want  string // addresses
		fails string // part of the diagnostic
	}{
		"a base and a patch": {
			files: map[string]string{
				"base/kustomization.yaml": "resources: [settings.yaml]\n", "base/settings.yaml": settings,
				"site/kustomization.yaml": "namespace: cx\nresources: [../base]\npatches: [{patch: '[{\"op\":\"replace\",\"path\":\"/data/a\",\"value\":\"c\"}]', target: {kind: ConfigMap}}]\n",
			},
			want: `kustomization.site/kube.object["ConfigMap/cx/settings"]`,
		},
		"a generator": {
			files: map[string]string{"site/kustomization.yaml": "configMapGenerator: [{name: made, literals: [a=b], options: {disableNameSuffixHash: true}}]\n"},
			want:  `kustomization.site/kube.object["ConfigMap/default/made"]`,
		},
		"from the network": {
			files: map[string]string{"site/kustomization.yaml": "resources: ['https://git.example.org/base?ref=main']\n"},
			fails: `names "https://git.example.org/base?ref=main", which is not there; what is not on this disk is not fetched`,
		},
		"from the network, in a base": {
			files: map[string]string{"site/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yml": "components: [github.com/example/base]\n"},
			fails: "github.com/example/base",
		},
		"a chart":    {files: map[string]string{"site/kustomization.yaml": "helmCharts: [{name: x}]\n"}, fails: "use a helm_release block"},
		"a bad file": {files: map[string]string{"site/kustomization.yaml": "resources: [x.yaml]\n", "site/x.yaml": "a: ["}, fails: "cannot be built"},
		"a field twice": {
			files: map[string]string{"site/kustomization.yaml": "namespace: a\nresources: [x.yaml]\nnamespace: b\n", "site/x.yaml": settings},
			fails: `kustomization.yaml, line 3: "namespace" stands twice: it is in line 1 already`,
		},
		"a field twice in a resource": {
			files: map[string]string{"site/kustomization.yaml": "resources: [x.yaml]\n", "site/x.yaml": settings + "---\n" + settings + "data: {}\n"},
			fails: `x.yaml, line 10: "data" stands twice: it is in line 9 already`,
		},
		"a field twice in a base's patch": {
			files: map[string]string{
				"base/kustomization.yaml": "resources: [x.yaml]\npatches: [{path: p.yaml}]\n", "base/x.yaml": settings,
				"base/p.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  b: c\n  b: d\n", "site/kustomization.yaml": "resources: [../base]\n",
			},
			fails: `p.yaml, line 7: "b" stands twice`,
		},
		"a field twice in a patch in place": {
			files: map[string]string{
				"site/kustomization.yaml": "resources: [x.yaml]\npatches:\n- patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: settings}\n    data: {b: c, b: d}\n", "site/x.yaml": settings,
			},
			fails: `in a text of its kustomization, line 4: "b" stands twice`,
		},
		"a field twice in a generator's file": {
			files: map[string]string{"site/kustomization.yaml": "configMapGenerator: [{name: made, files: [app=app.yaml]}]\n", "site/app.yaml": "a: 1\na: 2\n"},
			fails: `app.yaml, line 2: "a" stands twice`,
		},
		"nothing there": {files: map[string]string{"other/x": ""}, fails: "has no kustomization.yaml"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp := cluster(1)
			bp.Kustomizations = []blueprint.Kustomization{{Common: common("kustomization", "site"), Path: write(t, test.files)}}
			rs, diags := kube.New(kube.Options{}).Compile(bp)
			if test.fails != "" {
				if len(diags) != 1 || !strings.Contains(diags[0].Detail, test.fails) {
					t.Errorf("diagnostics %v, want one with %q", diags, test.fails)
				}
				return
			}
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			var addrs []string
			for _, r := range objectsOf(rs) {
				addrs = append(addrs, r.Addr.String())
			}
			if got := strings.Join(addrs, "\n"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// What does not fit its kind is told with its path, its value and what to write.
func TestCompileTellsWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {hostNetwork: false, containers: [{name: main, image: a, FIELD}]}\n"
	tests := map[string]struct{ field, want string }{
		"a number for a text":     {"env: [{name: PORT, value: 8080}]", `spec.containers[0].env[0].value is the number 8080; write "8080"`},
		"a truth value for one":   {"env: [{name: A, value: b}, {name: ON, value: true}]", `spec.containers[0].env[1].value is the truth value true; write "true"`},
		"a text for a number":     {`ports: [{containerPort: "80"}]`, `spec.containers[0].ports[0].containerPort is the text "80"; write 80, without quotes`},
		"a text for a truth":      {`tty: "yes"`, `spec.containers[0].tty is the text "yes", which does not fit there`},
		"a text of a truth value": {`tty: "true"`, `spec.containers[0].tty is the text "true"; write true, without quotes`},
		"a mapping for a list":    {"ports: {containerPort: 80}", "spec.containers[0].ports is a mapping, which does not fit there"},
		"two":                     {"env: [{name: A, value: 1}, {name: B, value: 2}]", `env[0].value is the number 1; write "1"; spec.containers[0].env[1].value is the number 2`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, diags := kube.New(kube.Options{}).Compile(withManifests(strings.Replace(pod, "FIELD", test.field, 1)))
			if len(diags) != 1 || !strings.Contains(diags[0].Detail, test.want) {
				t.Errorf("diagnostics %v, want one with %s", diags, test.want)
			}
		})
	}
}

// Null is absent everywhere.
func TestCompileNullsAreAbsent(t *testing.T) {
	t.Parallel()
	with := `apiVersion: v1
kind: Service
metadata: {name: x, namespace: cx, labels: {a: , b: "1"}, annotations: , creationTimestamp: null}
spec: {selector: , ports: [{port: 80, name: null}]}
`
	without := "apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: cx, labels: {b: \"1\"}}\nspec: {ports: [{port: 80}]}\n"
	var values []cty.Value
	for _, text := range []string{with, without} {
		rs, diags := kube.New(kube.Options{}).Compile(withManifests(text))
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		values = append(values, objectsOf(rs)[0].Desired)
	}
	if !values[0].RawEquals(values[1]) {
		t.Errorf("with nulls %#v, without %#v", values[0], values[1])
	}
}

// Large integers keep all digits.
func TestCompileIntegersAreExact(t *testing.T) {
	t.Parallel()
	rs, diags := kube.New(kube.Options{}).Compile(withManifests("apiVersion: example.org/v1\nkind: Gadget\nmetadata: {name: x}\nspec: {serial: 1234567890123456789, least: -9223372036854775808}\n"))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	spec := objectsOf(rs)[0].Desired.GetAttr("content").GetAttr("spec")
	for name, want := range map[string]string{"serial": "1234567890123456789", "least": "-9223372036854775808"} {
		if got := spec.GetAttr(name).AsBigFloat().Text('f', -1); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if !kube.RoundTrips(objectsOf(rs)[0].Desired) {
		t.Error("what is applied is not what was read")
	}
}

func FuzzNamesTwice(f *testing.F) {
	for _, text := range []string{"a: 1\na: 2\n", "a: [{b: 1, b: 2}]\n", "a: 1\n---\na: 2\n", "&x a: *x\n? [a]\n: b\n", "<<: {a: 1}\na: 2\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		err := kube.NamesTwice([]byte(text))
		if err != nil && !strings.Contains(err.Error(), "stands twice") {
			t.Errorf("error %v", err)
		}
		if again := kube.NamesTwice([]byte("---\n" + text)); err != nil && again == nil && !strings.HasPrefix(text, "%") {
			t.Errorf("%q: a document before it hides that %v", text, err)
		}
	})
}

func FuzzObjects(f *testing.F) {
	f.Add(web)
	f.Add("kind: List\nitems: [{kind: List, items: [1]}]")
	f.Add("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {a: 1}\n---\n{}")
	f.Add("apiVersion: v1\nkind: ConfigMap\nmetadata: []")
	f.Add("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: [], annotations: 1, namespace: {}}")
	p := kube.New(kube.Options{})
	f.Fuzz(func(t *testing.T, text string) {
		bp := withManifests(text)
		rs, diags := p.Compile(bp)
		if diags.HasErrors() {
			return
		}
		for _, r := range objectsOf(rs) {
			if !kube.RoundTrips(r.Desired) {
				t.Errorf("%s: the object of its value is another one", r.Addr)
			}
			if _, err := schema.Fingerprint(r.Desired, "salt"); err != nil {
				t.Errorf("%s: %v", r.Addr, err)
			}
		}
	})
}
