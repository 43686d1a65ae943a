package helm_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	helmkube "helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// careless is a chart of the shape that the field's older ones have: what only Helm's older apply takes can be switched on.
func careless(version string) files {
	return files{
		"Chart.yaml":  "apiVersion: v2\nname: careless\nversion: " + version + "\n",
		"values.yaml": "twice: false\nunknown: false\nhost: false\nlevel: info\ndebug: \"\"\n",
		"templates/pods.yaml": `apiVersion: v1
kind: PodTemplate
metadata:
  name: {{ .Release.Name }}
template:
  metadata: {labels: {app: web}}
  spec:
    {{- if .Values.unknown }}
    serviceName: web
    {{- end }}
    containers:
    - name: main
      image: none
      env:
      - {name: LEVEL, value: {{ .Values.level }}}
      {{- if .Values.twice }}
      - {name: LEVEL, value: {{ .Values.level }}}
      {{- end }}
      {{- with .Values.debug }}
      - {name: DEBUG, value: {{ . | quote }}}
      {{- end }}
`,
		"templates/ingress.yaml": `{{- if .Values.host }}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ .Release.Name }}
spec:
  tls: [{host: cx.internal, hosts: [cx.internal]}]
  defaultBackend: {service: {name: web, port: {number: 80}}}
{{- end }}
`,
	}
}

func (w *world) careless(attrs map[string]cty.Value) blueprint.Release {
	w.shop.put("careless", "1.0.0", pack(w.t, careless("1.0.0")))
	r := release(name(w.t), w.shop.inRepository("careless", "1.0.0"))
	r.Values, r.Apply = object(attrs), schema.ApplyAuto
	return r
}

func (w *world) pods(r blueprint.Release) *corev1.PodTemplate {
	w.t.Helper()
	d, err := w.api.client.CoreV1().PodTemplates(r.Namespace).Get(w.t.Context(), r.Name, metav1.GetOptions{})
	must(w.t, err)
	return d
}

func (w *world) env(r blueprint.Release) []string {
	w.t.Helper()
	var names []string
	for _, e := range w.pods(r).Template.Spec.Containers[0].Env {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (w *world) noted(part string) bool {
	return slices.ContainsFunc(w.notes, func(n string) bool { return strings.Contains(n, part) })
}

// What the server's own apply refuses is seen before anything is changed, and a new release goes the way that works.
func TestIntegrationApplyMethodOfNewRelease(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct{ value, says string }{
		"a variable twice": {"twice", "duplicate entries for key [name=\"LEVEL\"]"},
		"unknown field":    {"unknown", "field not declared in schema"},
		"unknown in list":  {"host", "field not declared in schema"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.careless(map[string]cty.Value{c.value: cty.True})
			r.Name, r.Namespace = c.value, c.value+"-method"
			change := w.mustPlan(r)[addr(r)]
			if got := change.After.GetAttr("apply"); !got.RawEquals(cty.StringVal(schema.ApplyClient)) {
				t.Errorf("a new release is applied by %#v", got)
			}
			if !w.noted(c.says) || !w.noted("by the client") {
				t.Errorf("the plan does not say why: %v", w.notes)
			}
			r.Apply = schema.ApplyServer
			if _, err := w.plan(r); err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), `apply = "client"`) {
				t.Errorf("plan with the server's apply: %v", err)
			}
			r.Apply = schema.ApplyAuto
			w.mustApply(r)
			if got := w.decode(r).ApplyMethod; got != "csa" {
				t.Errorf("it was applied by %s", got)
			}
			// It stays with that, and what is wrong with the objects is no matter any more.
			r.Values = object(map[string]cty.Value{c.value: cty.True, "level": cty.StringVal("warn")})
			w.mustApply(r)
			r.Values = object(map[string]cty.Value{"level": cty.StringVal("warn")})
			w.mustApply(r)
			if got := w.decode(r).ApplyMethod; got != "csa" {
				t.Errorf("after an upgrade it is applied by %s", got)
			}
			r.Apply = schema.ApplyServer
			if c := w.mustApply(r)[addr(r)]; !strings.Contains(c.Reason.Text, "applied by the server instead of the client") {
				t.Errorf("plan of the other way: %s", c.Reason.Text)
			}
			if got := w.decode(r).ApplyMethod; got != "ssa" {
				t.Errorf("it is applied by %s", got)
			}
		})
	}
}

// helmCLI does what the helm program does, with its field manager.
func (w *world) helmCLI(namespace string, server bool, do func(*action.Configuration) error) {
	w.t.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	flags.APIServer, flags.BearerToken, flags.Namespace = &w.api.config.Host, &w.api.config.BearerToken, &namespace
	flags.WrapConfigFn = func(*rest.Config) *rest.Config { return rest.CopyConfig(w.api.config) }
	cfg := action.NewConfiguration(action.ConfigurationSetLogger(slog.DiscardHandler))
	must(w.t, cfg.Init(flags, namespace, "secret"))
	must(w.t, do(cfg))
}

func (w *world) load(f files) *chart.Chart {
	w.t.Helper()
	ch, err := loader.LoadArchive(strings.NewReader(string(pack(w.t, f))))
	must(w.t, err)
	return ch
}

// TestIntegrationTakeOver: what helm has installed is handed over with its fields, whichever way it was applied, and helm can go back.
func TestIntegrationTakeOver(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		server bool // helm's way
		apply  string
	}{
		"client stays": {false, schema.ApplyAuto}, "client to server": {false, schema.ApplyServer},
		"server stays": {true, schema.ApplyAuto}, "server to client": {true, schema.ApplyClient},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.careless(map[string]cty.Value{"level": cty.StringVal("warn")})
			r.Namespace = name(t)
			r.Name, r.Apply = "over", c.apply
			w.helmCLI(r.Namespace, c.server, func(cfg *action.Configuration) error {
				i := action.NewInstall(cfg)
				i.ReleaseName, i.Namespace, i.CreateNamespace = r.Name, r.Namespace, true
				i.ServerSideApply, i.WaitStrategy = c.server, helmkube.HookOnlyStrategy
				_, err := i.Run(w.load(careless("1.0.0")), map[string]any{"debug": "yes"})
				return err
			})
			if !c.server { // as Helm 3 leaves it
				rel := w.decode(r)
				rel.ApplyMethod = ""
				w.encode(rel)
			}
			if got := w.env(r); !slices.Equal(got, []string{"DEBUG", "LEVEL"}) {
				t.Fatalf("environment before: %v", got)
			}
			secrets := w.api.client.CoreV1().Secrets(r.Namespace)
			s, err := secrets.Get(t.Context(), "sh.helm.release.v1.over.v1", metav1.GetOptions{})
			must(t, err)
			s.Labels[kube.ClusterLabel] = w.bp.Cluster.Name
			_, err = secrets.Update(t.Context(), s, metav1.UpdateOptions{})
			must(t, err)
			w.mustApply(r)
			if got := w.env(r); !slices.Equal(got, []string{"LEVEL"}) {
				t.Errorf("environment after a variable left the values: %v", got)
			}
			server := w.decode(r).ApplyMethod == "ssa"
			if want := c.apply == schema.ApplyServer || c.apply == schema.ApplyAuto && c.server; server != want {
				t.Errorf("applied by the server: %v, want %v", server, want)
			}
			w.helmCLI(r.Namespace, server, func(cfg *action.Configuration) error {
				b := action.NewRollback(cfg)
				b.Version, b.ServerSideApply, b.WaitStrategy = 1, "auto", helmkube.HookOnlyStrategy
				return b.Run(r.Name)
			})
			if got := w.env(r); !slices.Equal(got, []string{"DEBUG", "LEVEL"}) {
				t.Errorf("environment after helm rollback: %v", got)
			}
		})
	}
}

// TestIntegrationOtherManagersFields: fields that an earlier cxha applied under its own name, or another tool with Helm in it, go too.
func TestIntegrationOtherManagersFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.careless(map[string]cty.Value{"debug": cty.StringVal("yes")})
	w.mustApply(r)
	d := w.pods(r)
	for i := range d.ManagedFields {
		if d.ManagedFields[i].Manager == "helm" {
			d.ManagedFields[i].Manager = "cxha"
		}
	}
	_, err := w.api.client.CoreV1().PodTemplates(r.Namespace).Update(t.Context(), d, metav1.UpdateOptions{FieldManager: "terraform-provider-helm_v3"})
	must(t, err)
	rel := w.decode(r)
	delete(rel.Chart.Metadata.Annotations, "cxha.io/objects")
	w.encode(rel)
	r.Values = object(map[string]cty.Value{})
	w.mustApply(r)
	if got := w.env(r); !slices.Equal(got, []string{"LEVEL"}) {
		t.Errorf("environment: %v", got)
	}
}

// nulls is a chart with fields that are left empty.
func nulls(version string) files {
	return files{
		"Chart.yaml":  "apiVersion: v2\nname: nulls\nversion: " + version + "\n",
		"values.yaml": "text: hello\n",
		"templates/objects.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  annotations:
  labels: {x: , y: z}
data:
  text: {{ .Values.text }}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}, annotations: , labels: }
spec: {ports: [{port: 80}], selector: }
`,
	}
}

func TestIntegrationNullsAreAbsent(t *testing.T) {
	t.Parallel()
	for _, method := range []string{schema.ApplyServer, schema.ApplyClient} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.shop.put("nulls", "1.0.0", pack(t, nulls("1.0.0")))
			r := release(name(t), w.shop.inRepository("nulls", "1.0.0"))
			r.Name, r.Apply = "nulls", method
			w.mustApply(r)
			r.Values = object(map[string]cty.Value{"text": cty.StringVal("bye")})
			w.mustApply(r)
			if got := w.configMap(r.Namespace, "nulls"); got["text"] != "bye" {
				t.Errorf("the new values did not arrive: %v", got)
			}
			w.mustApply()
			if got := w.configMap(r.Namespace, "nulls"); got != nil {
				t.Errorf("it was not removed: %v", got)
			}
		})
	}
}

// TestIntegrationBadStoredManifest: what a record holds never stands in the way of the next revision, nor of the removal.
func TestIntegrationBadStoredManifest(t *testing.T) {
	t.Parallel()
	for what, manifest := range map[string]string{
		"no YAML":           "\n---\n# Source: bad.yaml\n\tkind: [\n",
		"no object":         "\n---\n# Source: bad.yaml\ntext: only\n",
		"kind that is gone": "\n---\napiVersion: gone.cxha.test/v1\nkind: Gone\nmetadata: {name: x}\n",
		"null labels":       "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {a: }, annotations: }\n",
		"wrong types":       "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, labels: {a: 1}}\ndata: [1]\n",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.greet("", "1.0.0")
			r.Namespace = name(t)
			r.Namespace = strings.ReplaceAll(r.Namespace[:min(len(r.Namespace), 60)], " ", "-")
			w.mustApply(r)
			rel := w.decode(r)
			rel.Manifest += manifest
			w.encode(rel)
			for addr, c := range w.mustPlan(r) {
				if c.Action == plans.Unknown {
					t.Errorf("plan: %s: %s", addr, c.Reason.Text)
				}
			}
			r.Chart.Version = "1.1.0"
			if c := w.mustApply(r)[addr(r)]; c.Action != plans.Update {
				t.Errorf("plan of the next version: %s %s", c.Action, c.Reason.Text)
			}
			rel = w.decode(r)
			rel.Manifest += manifest
			w.encode(rel)
			w.mustApply()
			if got := w.records(r); len(got) > 0 {
				t.Errorf("records that are left: %v", got)
			}
		})
	}
}
