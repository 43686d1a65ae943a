package helm_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers/helm"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// leaky is a chart that puts a secret where charts put one: into a ConfigMap, alone and in longer texts, in base64, in a URL, in JSON, into
// an annotation, and what is computed from it.
func leaky(version string) files {
	return files{
		"Chart.yaml":  "apiVersion: v2\nname: leaky\nversion: " + version + "\n",
		"values.yaml": "password: \"\"\nbroken: false\n",
		"templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata:
  name: leaky
  annotations: {note: {{ printf "login with %s please" .Values.password | quote }}}
data:
  plain: {{ .Values.password | quote }}
  text: {{ printf "the password is %s, keep it" .Values.password | quote }}
  long: {{ printf "%s %s" (repeat 55 "x") .Values.password | quote }}
  base64: {{ .Values.password | b64enc }}
  basic: {{ printf "Basic %s" (printf "admin:%s@" .Values.password | b64enc) | quote }}
  url: {{ printf "redis://:%s@redis:6379/0" (.Values.password | urlquery) | quote }}
  json: {{ dict "password" .Values.password | toJson | quote }}
  sum: {{ .Values.password | sha256sum }}
  open: shown
{{- if .Values.broken }}
---
apiVersion: v1
kind: Service
metadata: {name: leaky}
spec: {type: {{ .Values.password | quote }}, ports: [{port: 80}]}
{{- end }}
`,
	}
}

// formsOf are the forms of a secret that nobody may see.
func formsOf(secret string) []string {
	forms := []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), url.QueryEscape(secret), strings.Trim(fmt.Sprintf("%q", secret), `"`)}
	for before := range 3 {
		text := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", before) + secret + "aaa"))
		forms = append(forms, text[4:len(text)-8])
	}
	return forms
}

func (w *world) leaks(when, secret, text string) {
	w.t.Helper()
	for _, form := range formsOf(secret) {
		if strings.Contains(text, form) {
			w.t.Errorf("%s: %q shows the secret %q as %q", when, text, secret, form)
		}
	}
}

// everything is all that a plan shows.
func (w *world) everything(changes map[string]plans.Change, err error) string {
	w.t.Helper()
	p := &plans.Plan{Cluster: "cx"}
	for _, c := range changes {
		p.Changes = append(p.Changes, c)
	}
	var b strings.Builder
	must(w.t, plans.WriteFile(&b, p, plans.FileOptions{}))
	for _, c := range changes {
		b.WriteString(c.Reason.Text)
	}
	b.WriteString(strings.Join(w.notes, "\n"))
	if err != nil {
		b.WriteString(err.Error())
	}
	return b.String()
}

// TestIntegrationSecretStaysSecret: nothing that is shown of a release, and nothing that is recorded about its changes, holds a secret of its
// values, in whatever form the chart has it.
func TestIntegrationSecretStaysSecret(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 1))
	for i := range 6 {
		secret := canary(random)
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.shop.put("leaky", "1.0.0", pack(t, leaky("1.0.0")))
			r := release(strings.ReplaceAll(name(t), " ", "-"), w.shop.inRepository("leaky", "1.0.0"))
			r.Values = object(map[string]cty.Value{"password": schema.Secret(secret)})
			changes, err := w.plan(r)
			w.leaks("a new release", secret, w.everything(changes, err))
			w.mustApply(r)
			maps := w.api.client.CoreV1().ConfigMaps(r.Namespace)
			cm, err := maps.Get(t.Context(), "leaky", metav1.GetOptions{})
			must(t, err)
			for key := range cm.Data {
				cm.Data[key] = "by hand " + key
			}
			_, err = maps.Update(t.Context(), cm, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
			must(t, err)
			changes, err = w.plan(r)
			shown := w.everything(changes, err)
			w.leaks("edited by hand", secret, shown)
			if !strings.Contains(shown, "by hand open") {
				t.Errorf("what is no secret is hidden too: %s", shown)
			}
			if strings.Contains(shown, "by hand sum") || strings.Contains(shown, "by hand plain") {
				t.Errorf("what takes the place of a secret is shown: %s", shown)
			}
			// What the API server says of a value, and what Helm records of it.
			r.Values = object(map[string]cty.Value{"password": schema.Secret(secret), "broken": cty.True})
			changes, err = w.plan(r)
			if err == nil {
				t.Error("a type that there is none of is not refused")
			}
			w.leaks("refused", secret, w.everything(changes, err))
			w.leaks("its history", secret, w.history(r))
			// Without the sensitive mark in the blueprint, the record remembers it.
			r.Values = object(map[string]cty.Value{"password": cty.StringVal("other-" + canary(rand.New(rand.NewPCG(2, 2))))})
			changes, err = w.plan(r)
			w.leaks("another password", secret, w.everything(changes, err))
			changes, err = w.plan()
			w.leaks("its removal", secret, w.everything(changes, err))
		})
	}
}

// TestIntegrationSecretInHistory: what Helm writes of a failure into the record, which `helm history` shows, has no secret.
func TestIntegrationSecretInHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shop.put("leaky", "1.0.0", pack(t, leaky("1.0.0")))
	r := release(name(t), w.shop.inRepository("leaky", "1.0.0"))
	const secret = "Canary/7+x y"
	r.Values = object(map[string]cty.Value{"password": schema.Secret(secret)})
	w.mustApply(r)
	c := w.mustPlan(r)
	if len(c) != 0 {
		t.Fatalf("second plan: %v", c)
	}
	// The plan's dry run cannot see it: the API server refuses from then on only.
	r.Values = object(map[string]cty.Value{"password": schema.Secret(secret), "x": cty.True})
	change := w.mustPlan(r)[addr(r)]
	w.refuseWith(secret)
	_, err := w.apply(t.Context(), change)
	w.refuse(nil)
	if err == nil {
		t.Fatal("the apply succeeded")
	}
	w.leaks("the error", secret, err.Error())
	w.leaks("its history", secret, w.history(r))
	if !strings.Contains(w.history(r), "(sensitive)") {
		t.Errorf("history: %s", w.history(r))
	}
}

func (w *world) history(r blueprint.Release) string {
	w.t.Helper()
	return w.decode(r).Info.Description
}

// canary is a secret of characters that are written otherwise in URLs, in JSON and in YAML.
func canary(random *rand.Rand) string {
	const letters = "abcdefghijKLMNOP0123456789+/&=%<>\"'\\ :@äß"
	all := []rune(letters)
	b := []rune("Kx")
	for range 6 + random.IntN(20) {
		b = append(b, all[random.IntN(len(all))])
	}
	return string(append(b, '7'))
}

func FuzzMasks(f *testing.F) {
	f.Add("hunter2", "", "")
	f.Add("p\"w\n<&>", "redis://:", "@host")
	f.Add("ä/+=", "a", "b")
	f.Fuzz(func(t *testing.T, secret, before, after string) {
		if len(secret) < 8 || strings.TrimSpace(secret) != secret {
			t.Skip()
		}
		masked := func(text string) string { return helm.Mask(text, secret) }
		if got := masked(before + secret + after); strings.Contains(got, secret) && !strings.Contains(before+after, secret) && !strings.Contains("(sensitive)", secret) {
			t.Errorf("raw: %q", got)
		}
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			text := enc.EncodeToString([]byte(before + secret + after))
			if got := masked(text); got == text {
				t.Errorf("in base64 %q is shown", text)
			}
		}
		if text := "x " + url.QueryEscape(secret); masked(text) == text {
			t.Errorf("in a URL %q is shown", text)
		}
	})
}

// TestIntegrationPickySecret: of a chart that takes no other secret it is not known what it computes from the one it has, so no value is shown.
func TestIntegrationPickySecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const secret = "Kx-picky-7"
	picky := leaky("2.0.0")
	picky["templates/all.yaml"] = "{{ if ne .Values.password \"" + secret + "\" }}{{ fail \"wrong\" }}{{ end }}\n" + picky["templates/all.yaml"]
	w.shop.put("leaky", "2.0.0", pack(t, picky))
	r := release(name(t), w.shop.inRepository("leaky", "2.0.0"))
	r.Values = object(map[string]cty.Value{"password": schema.Secret(secret)})
	w.mustApply(r)
	sum := w.configMap(r.Namespace, "leaky")["sum"]
	maps := w.api.client.CoreV1().ConfigMaps(r.Namespace)
	cm, err := maps.Get(t.Context(), "leaky", metav1.GetOptions{})
	must(t, err)
	cm.Data["sum"] = "by hand"
	_, err = maps.Update(t.Context(), cm, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	must(t, err)
	changes, err := w.plan(r)
	if shown := w.everything(changes, err); strings.Contains(shown, sum) || !strings.Contains(shown, "data.sum") {
		t.Errorf("the plan: %s", shown)
	}
}
