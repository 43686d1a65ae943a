package helm_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema/blueprint"
)

// TestIntegrationChartsOwnFreedoms: what real charts do that is not in the books, installed and found to be as it should.
func TestIntegrationChartsOwnFreedoms(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		name, version string // in the repository and the blueprint
		chart         string // its Chart.yaml
		more          files
	}{
		"short version":       {"greeting", "5.0", "apiVersion: v2\nname: greeting\nversion: \"5.0\"\n", nil},
		"version as a number": {"greeting", "5.0", "apiVersion: v2\nname: greeting\nversion: 5.0\n", nil},
		"version with a v":    {"greeting", "v5.0.1", "apiVersion: v2\nname: greeting\nversion: v5.0.1\n", nil},
		"capital letters":     {"Greeting", "1.0.0", "apiVersion: v2\nname: Greeting\nversion: 1.0.0\n", nil},
		"capitals differ":     {"greeting", "1.0.0", "apiVersion: v2\nname: Greeting\nversion: 1.0.0\n", nil},
		"a key twice":         {"greeting", "1.0.0", "apiVersion: v2\nname: greeting\nversion: 1.0.0\n", files{"values.yaml": "text: a\nsize: 1\nextra: {}\ntext: hello\n"}},
		"on as a key":         {"greeting", "1.0.0", "apiVersion: v2\nname: greeting\nversion: 1.0.0\n", files{"values.yaml": "text: hello\nsize: 1\nextra: {on: {y: 1}}\non: yes\n"}},
		"fixed namespace":     {"greeting", "1.0.0", "apiVersion: v2\nname: greeting\nversion: 1.0.0\n", files{"templates/fixed.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-fixed, namespace: default}\ndata: {on: \"y\", no: \"1\"}\n"}},
		"list of objects":     {"greeting", "1.0.0", "apiVersion: v2\nname: greeting\nversion: 1.0.0\n", files{"templates/list.yaml": "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: one}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}\n"}},
		"empty and commented": {"greeting", "1.0.0", "apiVersion: v2\nname: greeting\nversion: 1.0.0\n", files{"templates/empty.yaml": "---\n# nothing\n---\n\n---\n"}},
		"unknown hook":        {"greeting", "1.0.0", "apiVersion: v2\nname: greeting\nversion: 1.0.0\n", files{"templates/hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: never, annotations: {helm.sh/hook: crd-install}}\n"}},
		"hook of settings":    {"greeting", "1.0.0", "apiVersion: v2\nname: greeting\nversion: 1.0.0\n", files{"templates/hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first, annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: hook-succeeded}}\n"}},
		"random each time":    {"greeting", "1.0.0", "apiVersion: v2\nname: greeting\nversion: 1.0.0\n", files{"templates/random.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: random}\nstringData: {password: {{ randAlphaNum 12 | quote }}}\n"}},
		"asks for capability": {"greeting", "1.0.0", "apiVersion: v2\nname: greeting\nversion: 1.0.0\n", files{"templates/caps.yaml": "{{- if not (.Capabilities.APIVersions.Has \"batch/v1/CronJob\") }}{{ fail \"old\" }}{{ end }}\n"}},
		"version of a fork":   {"greeting", "1.0.0", "apiVersion: v2\nname: greeting\nversion: 1.0.0\nkubeVersion: \">=1.20.0-0\"\n", nil},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.shop.put(c.name, c.version, pack(t, greeting("").with(files{"Chart.yaml": c.chart}).with(c.more)))
			r := release("freedom-"+strings.ReplaceAll(what, " ", "-"), w.shop.inRepository(c.name, c.version))
			r.Name = strings.ReplaceAll(what, " ", "-")
			w.mustApply(r)
			if got := w.configMap(r.Namespace, r.Name); got["text"] != "hello" {
				t.Errorf("what it made: %v", got)
			}
			r.Values = object(map[string]cty.Value{"text": cty.StringVal("bye")})
			w.mustApply(r)
			w.mustApply()
		})
	}
}

// TestIntegrationChartOfAnotherDirectory: a chart's name is not that of its directory, nor of its place in a registry.
func TestIntegrationChartOfAnotherDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	writeChart(t, dir, greeting("1.0.0"))
	w.shop.put("other", "1.0.0", pack(t, greeting("1.0.0")))
	local := release(name(t)+"-local", blueprint.Chart{Name: dir})
	registry := release(name(t)+"-registry", w.shop.inRegistry("other", "1.0.0"))
	w.mustApply(local, registry)
}

// TestIntegrationSchemaOfAnotherPlace: a plan asks nobody for a part of a chart's schema, and says what it has not checked.
func TestIntegrationSchemaOfAnotherPlace(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	w := newWorld(t)
	schema := `{"$schema": "` + server.URL + `/dialect", "$id": "` + server.URL + `/values.json", "type": "object", "properties": {
		"size": {"type": "integer"}, "extra": {"$ref": "` + server.URL + `/extra.json"}, "more": {"$ref": "more.json#/x"}, "mine": {"$ref": "#/$defs/mine"}}, "$defs": {"mine": {"type": "string"}}}`
	w.shop.put("greeting", "6.0.0", pack(t, greeting("6.0.0").with(files{"values.schema.json": schema})))
	r := w.greet("", "6.0.0")
	r.Values = object(map[string]cty.Value{"size": cty.StringVal("big")})
	if _, err := w.plan(r); err == nil || !strings.Contains(err.Error(), "size: got string, want integer") {
		t.Errorf("what the schema itself says is not checked: %v", err)
	}
	r.Values = object(map[string]cty.Value{"mine": cty.NumberIntVal(1)})
	if _, err := w.plan(r); err == nil || !strings.Contains(err.Error(), "mine") {
		t.Errorf("what the schema says in another place is not checked: %v", err)
	}
	r.Values = object(map[string]cty.Value{"more": cty.True})
	w.mustPlan(r)
	for _, at := range []string{server.URL + "/extra.json", server.URL + "/dialect", "more.json"} {
		if !w.noted("refers to " + at) {
			t.Errorf("nobody says that %s was not asked for: %q", at, w.notes)
		}
	}
	w.mustApply(r)
	if n := asked.Load(); n > 0 {
		t.Errorf("%d calls to a place that a chart names", n)
	}
}

// TestIntegrationDefinitionsOfSwitchedOffCharts: the definitions of a chart in the chart come with it, and not without.
func TestIntegrationDefinitionsOfSwitchedOffCharts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	crd := func(kind string) string {
		plural := strings.ToLower(kind) + "s"
		return "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: " + plural + ".freedom.cxha.test}\nspec:\n  group: freedom.cxha.test\n  scope: Namespaced\n" +
			"  names: {kind: " + kind + ", plural: " + plural + ", singular: " + strings.ToLower(kind) + "}\n  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]\n"
	}
	w.shop.put("greeting", "7.0.0", pack(t, greeting("7.0.0").with(files{
		"Chart.yaml":               "apiVersion: v2\nname: greeting\nversion: 7.0.0\ndependencies:\n- {name: wanted, version: 1.0.0, condition: wanted.enabled}\n- {name: unwanted, version: 1.0.0, condition: unwanted.enabled}\n",
		"values.yaml":              "text: hello\nsize: 1\nextra: {}\nwanted: {enabled: true}\nunwanted: {enabled: false}\n",
		"crds/own.yaml":            crd("Own"),
		"charts/wanted/Chart.yaml": "apiVersion: v2\nname: wanted\nversion: 1.0.0\n", "charts/wanted/crds/on.yaml": crd("Wanted"),
		"charts/unwanted/Chart.yaml": "apiVersion: v2\nname: unwanted\nversion: 1.0.0\n", "charts/unwanted/crds/off.yaml": crd("Unwanted"),
	})))
	r := w.greet("", "7.0.0")
	w.mustApply(r)
	groups, err := w.api.client.Discovery().ServerResourcesForGroupVersion("freedom.cxha.test/v1")
	must(t, err)
	var kinds []string
	for _, k := range groups.APIResources {
		kinds = append(kinds, k.Kind)
	}
	if got := strings.Join(kinds, " "); got != "Own Wanted" {
		t.Errorf("defined: %s, want Own Wanted", got)
	}
}

// TestIntegrationExactNumbers: whole numbers of 19 digits reach the objects as they are, come back as they are, and a change of the last digit
// is one.
func TestIntegrationExactNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shop.put("greeting", "8.0.0", pack(t, greeting("8.0.0").with(files{
		"values.schema.json": "", "values.yaml": "text: hello\nsize: 1\nextra: {}\nbig: 1\n",
		"templates/big.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big}\ndata: {big: {{ .Values.big | quote }}, yaml: {{ toYaml .Values.extra | quote }}}\n",
	})))
	r := w.greet("", "8.0.0")
	for _, number := range []string{"1234567890123456789", "1234567890123456788", "9223372036854775807", "9999999999999999999", "-1234567890123456789", "0.1", "0.1234567890123456789"} {
		n, err := cty.ParseNumberVal(number)
		must(t, err)
		r.Values = object(map[string]cty.Value{"big": n, "extra": object(map[string]cty.Value{"num": n})})
		if changes := w.mustApply(r); len(changes) != 1 {
			t.Errorf("%s: %d changes", number, len(changes))
		}
		want := strings.TrimSuffix(number, "3456789")
		if got := w.configMap(r.Namespace, "big"); !strings.HasPrefix(got["big"], want) || !strings.HasPrefix(got["yaml"], "num: "+want) || !strings.Contains(number, ".") && got["big"] != number {
			t.Errorf("%s arrives as %v", number, got)
		}
	}
	r.Keep = true // a label is changed without a new revision, and the values stay exact
	w.mustApply(r)
}

// TestIntegrationNullsInValues: a null takes away what the chart has there, in the chart and in a chart in it, as with Helm.
func TestIntegrationNullsInValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shop.put("greeting", "9.0.0", pack(t, greeting("9.0.0").with(files{
		"Chart.yaml":                  "apiVersion: v2\nname: greeting\nversion: 9.0.0\ndependencies: [{name: sub, version: 1.0.0}]\n",
		"values.yaml":                 "text: hello\nsize: 1\nextra: {a: 1, b: {c: 2, d: 3}}\nsub: {x: 1}\n",
		"templates/extra.yaml":        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {extra: {{ toJson .Values.extra | quote }}}\n",
		"charts/sub/Chart.yaml":       "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
		"charts/sub/values.yaml":      "x: 0\nmore: {z: 1, keep: 2}\n",
		"charts/sub/templates/s.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sub}\ndata: {sub: {{ toJson (omit .Values \"global\") | quote }}}\n",
	})))
	r := w.greet("", "9.0.0")
	null := cty.NullVal(cty.DynamicPseudoType)
	r.Values = object(map[string]cty.Value{"extra": object(map[string]cty.Value{"a": null, "b": object(map[string]cty.Value{"c": null})}),
		"sub": object(map[string]cty.Value{"more": object(map[string]cty.Value{"z": null})})})
	w.mustApply(r)
	if got := w.configMap(r.Namespace, "extra")["extra"]; got != `{"b":{"d":3}}` {
		t.Errorf("values: %s", got)
	}
	if got := w.configMap(r.Namespace, "sub")["sub"]; got != `{"more":{"keep":2},"x":1}` {
		t.Errorf("values of the chart in it: %s", got)
	}
}
