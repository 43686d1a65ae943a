package helm_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// store is a chart with data: a claim, settings, a Secret, and what uses them. Its workloads have no replicas, and the test's API server no
// controllers.
func stateful(version string) files {
	return files{
		"Chart.yaml":  "apiVersion: v2\nname: stateful\nversion: " + version + "\n",
		"values.yaml": "claim: true\nextra: true\nsetting: a\npassword: \"\"\nimage: one\npolicy: RollingUpdate\nfail: false\nport: 80\nkeep: false\n",
		"templates/data.yaml": `{{- if .Values.fail }}{{ fail "say a size" }}{{ end }}
{{- if .Values.claim }}
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], volumeName: none, storageClassName: "", resources: {requests: {storage: 1Gi}}}
---
{{- end }}
{{- if .Values.extra }}
apiVersion: v1
kind: ConfigMap
metadata: {name: extra}
---
{{- end }}
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {setting: {{ .Values.setting }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: hashed-{{ .Values.setting | sha256sum | trunc 8 }}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: None, selector: {app: web}, ports: [{port: {{ .Values.port }}}]}
`,
	}
}

// settingsUsers is a chart of one Deployment that uses the ConfigMap settings. It is used where nothing is applied.
func settingsUsers(version string) files {
	return files{
		"Chart.yaml":  "apiVersion: v2\nname: workload\nversion: " + version + "\n",
		"values.yaml": "image: one\nsetting: a\npolicy: RollingUpdate\n",
		"templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {setting: {{ .Values.setting }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: {{ .Values.image }}, envFrom: [{configMapRef: {name: settings}}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  updateStrategy: {type: {{ .Values.policy }}}
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: main, image: {{ .Values.image }}}]
      volumes: [{name: settings, projected: {sources: [{configMap: {name: settings}}]}}]
`,
	}
}

// objectsOf are the changes of a release's objects in a plan: "before -> after" by object.
func objectsOf(c plans.Change) map[string]string {
	changes := map[string]string{}
	for _, a := range plans.Attrs(c.Before, c.After) {
		if a.Root != "objects" {
			continue
		}
		text := func(v cty.Value) string {
			if v.IsNull() {
				return "none"
			}
			return v.AsString()
		}
		if a.Path == "objects" {
			for _, side := range []cty.Value{a.Before, a.After} {
				if !side.IsNull() {
					for id, v := range side.AsValueMap() {
						changes[id] = text(v)
					}
				}
			}
			continue
		}
		changes[strings.TrimSuffix(strings.TrimPrefix(a.Path, `objects["`), `"]`)] = text(a.Before) + " -> " + text(a.After)
	}
	return changes
}

func (w *world) stateful(attrs map[string]cty.Value) blueprint.Release {
	w.shop.put("stateful", "1.0.0", pack(w.t, stateful("1.0.0")))
	r := release(name(w.t), w.shop.inRepository("stateful", "1.0.0"))
	r.Values = object(attrs)
	return r
}

func (w *world) claim(namespace string) *corev1.PersistentVolumeClaim {
	w.t.Helper()
	c, err := w.api.client.CoreV1().PersistentVolumeClaims(namespace).Get(w.t.Context(), "data", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	must(w.t, err)
	return c
}

// bind does what the volume's controller would do.
func (w *world) bind(namespace string) {
	w.t.Helper()
	c := w.claim(namespace)
	c.Status.Phase = corev1.ClaimBound
	_, err := w.api.client.CoreV1().PersistentVolumeClaims(namespace).UpdateStatus(w.t.Context(), c, metav1.UpdateOptions{})
	must(w.t, err)
}

// TestIntegrationObjectsInThePlan: what comes, goes and stays is in the plan as a part of the value, removals need an approval, and a claim stays.
func TestIntegrationObjectsInThePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.stateful(nil)
	ns := r.Namespace
	changes := w.mustPlan(r)
	want := map[string]string{
		"PersistentVolumeClaim/" + ns + "/data": "made by revision 1", "ConfigMap/" + ns + "/extra": "made by revision 1",
		"ConfigMap/" + ns + "/settings": "made by revision 1", "ConfigMap/" + ns + "/hashed-ca978112": "made by revision 1", "Service/" + ns + "/web": "made by revision 1",
	}
	if diff := cmp.Diff(want, objectsOf(changes[addr(r)])); diff != "" {
		t.Errorf("objects of a new release (-want +got):\n%s", diff)
	}
	done := w.start(t.Context(), changes[addr(r)])
	w.eventually("the claim is there", func() bool { return w.claim(ns) != nil })
	w.bind(ns)
	must(t, <-done)
	if changes := w.mustPlan(r); len(changes) > 0 {
		t.Fatalf("second plan: %v", changes)
	}

	r.Values = object(map[string]cty.Value{"setting": cty.StringVal("b")})
	c := w.mustApply(r)[addr(r)]
	want = map[string]string{
		"ConfigMap/" + ns + "/settings":        "made by revision 1 -> changed by revision 2",
		"ConfigMap/" + ns + "/hashed-ca978112": "made by revision 1 -> none", "ConfigMap/" + ns + "/hashed-3e23e816": "none -> made by revision 2",
	}
	if diff := cmp.Diff(want, objectsOf(c)); diff != "" {
		t.Errorf("objects of a change (-want +got):\n%s", diff)
	}
	if plan := (&plans.Plan{Changes: []plans.Change{c}}); plans.ApprovalDigest(plan) != "" {
		t.Errorf("a ConfigMap whose successor is made needs an approval: %s", c.Reason.Text)
	}

	r.Values = object(map[string]cty.Value{"setting": cty.StringVal("b"), "claim": cty.False, "extra": cty.False})
	c = w.mustPlan(r)[addr(r)]
	want = map[string]string{
		"PersistentVolumeClaim/" + ns + "/data": "made by revision 1 -> left in place: the chart has it no more",
		"ConfigMap/" + ns + "/extra":            "made by revision 1 -> none",
	}
	if diff := cmp.Diff(want, objectsOf(c)); diff != "" {
		t.Errorf("objects of a removal (-want +got):\n%s", diff)
	}
	digest := plans.ApprovalDigest(&plans.Plan{Changes: []plans.Change{c}})
	if digest == "" || !strings.Contains(c.Reason.Text, "removes ConfigMap/"+ns+"/extra") {
		t.Errorf("the removal of an object needs no approval: %s", c.Reason.Text)
	}
	file, err := plans.NewFile(&plans.Plan{Changes: []plans.Change{c}}, plans.FileOptions{})
	must(t, err)
	if got := file.ApprovalDigest(); got != digest {
		t.Errorf("the plan file's approval is %s, the plan's %s", got, digest)
	}
	r.Values = object(map[string]cty.Value{"setting": cty.StringVal("b"), "claim": cty.False, "port": cty.NumberIntVal(81)})
	other := w.mustPlan(r)[addr(r)]
	if plans.ApprovalDigest(&plans.Plan{Changes: []plans.Change{other}}) == digest {
		t.Error("an approval holds for another removal")
	}
	r.Values = object(map[string]cty.Value{"setting": cty.StringVal("b"), "claim": cty.False, "extra": cty.False})
	w.mustApply(r)
	if w.claim(ns) == nil || w.claim(ns).DeletionTimestamp != nil {
		t.Fatal("the claim, and its data, went")
	}
	if w.configMap(ns, "extra") != nil {
		t.Error("the object that the chart has no more is there")
	}

	c = w.mustPlan()[addr(r)]
	if got := objectsOf(c); len(got) != 4 || got["ConfigMap/"+ns+"/settings"] == "" {
		t.Errorf("the removal of a release names %v", got)
	}
	w.mustApply()
	if w.claim(ns) == nil || w.claim(ns).DeletionTimestamp != nil {
		t.Fatal("the claim, and its data, went with the release")
	}
	// A release that comes again has its data.
	r.Values = object(nil)
	w.mustApply(r)
	w.mustApply()
	if !w.noted("PersistentVolumeClaim "+ns+"/data stays") && w.claim(ns) == nil {
		t.Error("the claim went, or nobody said that it stays")
	}
}

// TestIntegrationRestarts: which pods restart, and which do not though they use what changes, also in another release.
func TestIntegrationRestarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shop.put("workload", "1.0.0", pack(t, settingsUsers("1.0.0")))
	r := release(name(t), w.shop.inRepository("workload", "1.0.0"))
	r.Name = "web"
	ns := r.Namespace
	deploy := func(values map[string]cty.Value) { // what an apply leaves, without the pods that nobody makes here
		t.Helper()
		r.Values = object(values)
		w.pretend(r)
	}
	deploy(map[string]cty.Value{})
	for what, c := range map[string]struct {
		values map[string]cty.Value
		want   map[string]string
		notes  []string
	}{
		"an image": {map[string]cty.Value{"image": cty.StringVal("two")}, map[string]string{
			"Deployment.apps/" + ns + "/web": "of revision 1 -> changed by revision 2, its pods restart", "DaemonSet.apps/" + ns + "/agent": "of revision 1 -> changed by revision 2, its pods restart",
		}, nil},
		"an image, on delete": {map[string]cty.Value{"image": cty.StringVal("two"), "policy": cty.StringVal("OnDelete")}, map[string]string{
			"Deployment.apps/" + ns + "/web":  "of revision 1 -> changed by revision 2, its pods restart",
			"DaemonSet.apps/" + ns + "/agent": "of revision 1 -> changed by revision 2, its pods restart when they are deleted",
		}, nil},
		"settings": {map[string]cty.Value{"setting": cty.StringVal("b")}, map[string]string{"ConfigMap/" + ns + "/settings": "of revision 1 -> changed by revision 2"},
			[]string{"Deployment " + ns + "/web keep its old content", "DaemonSet " + ns + "/agent get its new content as files"}},
		"both": {map[string]cty.Value{"setting": cty.StringVal("b"), "image": cty.StringVal("two")}, map[string]string{
			"ConfigMap/" + ns + "/settings": "of revision 1 -> changed by revision 2", "Deployment.apps/" + ns + "/web": "of revision 1 -> changed by revision 2, its pods restart",
			"DaemonSet.apps/" + ns + "/agent": "of revision 1 -> changed by revision 2, its pods restart",
		}, nil},
	} {
		r.Values = object(c.values)
		change := w.mustPlan(r)[addr(r)]
		if diff := cmp.Diff(c.want, objectsOf(change)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
		for _, n := range c.notes {
			if !w.noted(n) {
				t.Errorf("%s: nobody says %q: %q", what, n, w.notes)
			}
		}
		if len(c.notes) == 0 && w.noted("does not restart") {
			t.Errorf("%s: %q", what, w.notes)
		}
	}
}

// TestIntegrationErrorsOfThePlan: what would fail in an apply fails in the plan.
func TestIntegrationErrorsOfThePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.stateful(map[string]cty.Value{"claim": cty.False})
	for what, c := range map[string]struct {
		value cty.Value
		attr  string
		says  []string
	}{
		"fail":      {cty.True, "fail", []string{"say a size"}},
		"wrong":     {cty.StringVal("many"), "port", []string{"Service " + r.Namespace + `/web: spec.ports[0].port is the text "many"`}},
		"broken":    {cty.StringVal("[x"), "port", []string{"templates/data.yaml"}},
		"bad value": {cty.NumberIntVal(800000), "port", []string{"Service " + r.Namespace + "/web", "800000"}},
	} {
		r.Values = object(map[string]cty.Value{"claim": cty.False, c.attr: c.value})
		_, err := w.plan(r)
		for _, says := range c.says {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: plan: %v, want %q", what, err, says)
			}
		}
	}
	r.Values = object(map[string]cty.Value{})
	done := w.start(t.Context(), w.mustPlan(r)[addr(r)])
	w.eventually("the claim is there", func() bool { return w.claim(r.Namespace) != nil })
	w.bind(r.Namespace)
	must(t, <-done)
	// A field that cannot be changed.
	w.shop.put("stateful", "1.1.0", pack(t, stateful("1.1.0").with(files{"templates/data.yaml": strings.ReplaceAll(stateful("")["templates/data.yaml"], "volumeName: none", "volumeName: other")})))
	r.Chart.Version = "1.1.0"
	if _, err := w.plan(r); err == nil || !strings.Contains(err.Error(), "immutable") || !strings.Contains(err.Error(), "kubectl delete --namespace "+r.Namespace+" persistentvolumeclaim data") {
		t.Errorf("plan of what cannot be changed: %v", err)
	}
}

// TestIntegrationRemovalIsSeen: a release whose removal meets an API server that does not answer is not called removed.
func TestIntegrationRemovalIsSeen(t *testing.T) {
	t.Parallel()
	for what, when := range map[string]func(method, path string) bool{
		"records cannot be read":  func(m, p string) bool { return m == http.MethodGet && strings.HasSuffix(p, "/secrets") },
		"objects cannot be seen":  func(m, p string) bool { return m == http.MethodGet && strings.Contains(p, "/configmaps/") },
		"objects cannot go":       func(m, p string) bool { return m == http.MethodDelete && strings.Contains(p, "/services/") },
		"the record cannot go":    func(m, p string) bool { return m == http.MethodDelete && strings.Contains(p, "/secrets/") },
		"nothing answers at all":  func(string, string) bool { return true },
		"what changes is refused": func(m, _ string) bool { return m != http.MethodGet },
	} {
		for _, code := range []int{http.StatusServiceUnavailable, http.StatusForbidden} {
			t.Run(fmt.Sprint(what, " ", code), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				r := w.greet("", "1.0.0")
				r.Namespace = strings.ReplaceAll(name(t), " ", "-")
				w.mustApply(r)
				c := w.mustPlan()[addr(r)]
				var refused atomic.Int32
				w.refuse(func(q *http.Request) int {
					if !when(q.Method, q.URL.Path) || code == http.StatusServiceUnavailable && refused.Load() >= 12 {
						return 0
					}
					refused.Add(1)
					return code
				})
				_, err := w.apply(t.Context(), c)
				w.refuse(nil)
				if refused.Load() == 0 {
					t.Fatal("nothing was refused")
				}
				if code == http.StatusForbidden && err == nil {
					t.Error("it is called done")
				}
				left := w.records(r)
				objects := w.configMap(r.Namespace, "hello") != nil
				if err == nil && (len(left) > 0 || objects) {
					t.Errorf("it is called done: records %v, objects %v", left, objects)
				}
				if len(left) == 0 && objects {
					t.Error("objects are left that no record knows")
				}
				w.mustApply() // the next run goes on
				if left := w.records(r); len(left) > 0 || w.configMap(r.Namespace, "hello") != nil {
					t.Errorf("after the next run there are the records %v", left)
				}
			})
		}
	}
}

// TestIntegrationJobThatGoes: a Job with a time to live is no drift when it is over, and no reason to run it again.
func TestIntegrationJobThatGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := func(more string) string {
		return "apiVersion: batch/v1\nkind: Job\nmetadata: {name: once}\nspec:\n" + more + "  template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}\n"
	}
	w.shop.put("greeting", "1.2.0", pack(t, greeting("1.2.0").with(files{"templates/job.yaml": job("  ttlSecondsAfterFinished: 1\n")})))
	w.shop.put("greeting", "1.3.0", pack(t, greeting("1.3.0").with(files{"templates/job.yaml": job("")})))
	for version, drift := range map[string]bool{"1.2.0": false, "1.3.0": true} {
		r := w.greet("", version)
		r.Namespace += "-" + strings.ReplaceAll(version, ".", "-")
		r.Addr.Name = r.Namespace
		done := w.start(t.Context(), w.mustPlan(r)[addr(r)])
		w.finishJob(r.Namespace, "once")
		must(t, <-done)
		background := metav1.DeletePropagationBackground
		must(t, w.api.client.BatchV1().Jobs(r.Namespace).Delete(t.Context(), "once", metav1.DeleteOptions{PropagationPolicy: &background}))
		changes := w.mustPlan(r)
		if _, got := changes[addr(r)]; got != drift {
			t.Errorf("%s: plan after the Job has gone: %v", version, slices.Collect(maps.Keys(changes)))
		}
		// A change of something else makes it again, as Helm does, and the plan says so.
		r.Values = object(map[string]cty.Value{"text": cty.StringVal("bye")})
		again := w.mustPlan(r)[addr(r)].After.GetAttr("objects").AsValueMap()["Job.batch/"+r.Namespace+"/once"]
		if again == cty.NilVal || !strings.HasPrefix(again.AsString(), "made again by revision 2") {
			t.Errorf("%s: a change of the release does not say that the Job runs again: %#v", version, again)
		}
	}
}

// TestIntegrationWebhookDown: however often a change is tried while a webhook does not answer, it is one line and one revision.
func TestIntegrationWebhookDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	first, second := w.mustPlan(r)[addr(r)], plans.Change{}
	down := func(q *http.Request, n *atomic.Int32) int {
		if q.Method == http.MethodGet || !strings.Contains(q.URL.Path, "/services") || n.Add(1) > 6 {
			return 0
		}
		return http.StatusInternalServerError
	}
	for i, c := range []*plans.Change{&first, &second} {
		if i == 1 {
			r.Values = object(map[string]cty.Value{"text": cty.StringVal("bye")})
			second = w.mustPlan(r)[addr(r)]
		}
		var n atomic.Int32
		w.mu.Lock()
		w.progress, w.words = nil, `Internal error occurred: failed calling webhook "x.cxha.test": connection refused`
		w.mu.Unlock()
		w.refuse(func(q *http.Request) int { return down(q, &n) })
		_, err := w.apply(t.Context(), *c)
		w.refuse(nil)
		must(t, err)
		if n.Load() <= 6 {
			t.Fatal("the webhook was not asked often enough")
		}
		if got := w.records(r); len(got) != i+1 {
			t.Errorf("revisions after it was tried some times: %v", got)
		}
		lines := 0
		w.mu.Lock()
		for _, text := range w.progress {
			if strings.Contains(text, "trying again") {
				lines++
			}
		}
		w.mu.Unlock()
		if lines != 1 {
			t.Errorf("%d lines tell that it is tried again", lines)
		}
	}
}

// TestIntegrationPlanFileOfOneValue: a reviewer has a screen to read, however large the release is.
func TestIntegrationPlanFileOfOneValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shop.put("many", "1.0.0", pack(t, files{"Chart.yaml": "apiVersion: v2\nname: many\nversion: 1.0.0\n", "values.yaml": "setting: a\n",
		"templates/all.yaml": manifests("{{ .Release.Name }}", 40) + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {setting: {{ .Values.setting }}}\n"}))
	r := release(name(t), w.shop.inRepository("many", "1.0.0"))
	r.Name = "many"
	w.mustApply(r)
	r.Values = object(map[string]cty.Value{"setting": cty.StringVal("b")})
	c := w.mustPlan(r)[addr(r)]
	var b strings.Builder
	must(t, plans.WriteFile(&b, &plans.Plan{Cluster: "cx", Changes: []plans.Change{c}}, plans.FileOptions{}))
	if lines := strings.Count(b.String(), "\n"); lines > 40 {
		t.Errorf("%d lines:\n%s", lines, b.String())
	}
}

// TestIntegrationRemovalsHaveAnOrder: what a release came after when it was made, and what it cannot work without, is remembered for the day on
// which its block is gone.
func TestIntegrationRemovalsHaveAnOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shop.put("workload", "1.0.0", pack(t, settingsUsers("1.0.0").with(files{"templates/all.yaml": "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: x}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: of-others}\n"})))
	r := release(name(t), w.shop.inRepository("workload", "1.0.0"))
	r.Name = "client"
	r.After = []schema.Addr{{Block: schema.BlockAddr{Type: "helm_release", Name: "db"}, Type: "helm.release"}}
	w.mustApply(r)
	w.bp.Releases = nil
	obs, err := w.helm.Probe(t.Context(), w, w.bp, nil)
	must(t, err)
	live := obs.Live[schema.Addr{Block: r.Addr, Type: "helm.release"}]
	if !slices.Contains(live.After, schema.BlockAddr{Type: "helm_release", Name: "db"}) {
		t.Errorf("it came after %v", live.After)
	}
	for _, key := range []string{"Namespace/" + r.Namespace, "ClusterRole.rbac.authorization.k8s.io/of-others"} {
		if !slices.Contains(live.Uses, key) {
			t.Errorf("it uses %v, not %s", live.Uses, key)
		}
	}
	if !w.helm.Kinds()[0].Type().RemoveLast {
		t.Error("releases are not removed last")
	}
}
