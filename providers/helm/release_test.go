package helm_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

func addr(r blueprint.Release) string { return r.Addr.String() + "/helm.release" }

func TestIntegrationLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.greet("", "1.0.0"), w.greet("-b", "1.0.0")
	changes := w.mustApply(a, b)
	if len(changes) != 2 || changes[addr(a)].Action != plans.Create {
		t.Fatalf("first plan: %v", changes)
	}
	if diff := cmp.Diff(map[string]string{"text": "hello", "size": "1", "version": "1.0.0"}, w.configMap(a.Namespace, "hello")); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}

	a.Values = object(map[string]cty.Value{"text": cty.StringVal("bye"), "size": cty.NumberIntVal(10485760)})
	changes = w.mustApply(a, b)
	if len(changes) != 1 || changes[addr(a)].Reason.Text != "values differ" {
		t.Errorf("after a value changed: %v", changes)
	}
	if got := w.configMap(a.Namespace, "hello"); got["text"] != "bye" || got["size"] != "10485760" {
		t.Errorf("objects: %v", got)
	}

	a.Chart.Version = "1.1.0"
	changes = w.mustApply(a, b)
	if len(changes) != 1 || changes[addr(a)].Reason.Text != "chart 1.0.0 -> 1.1.0" {
		t.Errorf("after a chart's version changed: %v", changes)
	}
	if got := w.records(a); !slices.Equal(got, []string{"superseded", "superseded", "deployed"}) {
		t.Errorf("revisions: %v", got)
	}
	if got := w.records(b); !slices.Equal(got, []string{"deployed"}) {
		t.Errorf("revisions of the neighbour: %v", got)
	}

	changes = w.mustApply(b)
	if c := changes[addr(a)]; len(changes) != 1 || c.Action != plans.Delete {
		t.Errorf("after the block went: %v", changes)
	}
	if got, kept := w.configMap(a.Namespace, "hello"), w.configMap(b.Namespace, "hello-b"); got != nil || kept == nil || len(w.records(a)) != 0 {
		t.Errorf("after the removal: %v, neighbour %v, records %v", got, kept, w.records(a))
	}
}

func TestIntegrationNamespaceOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	// As a manifest block leaves it: applied by cxha's own field manager.
	namespaces := w.api.client.CoreV1().Namespaces()
	_, err := namespaces.Apply(t.Context(), applycorev1.Namespace(r.Namespace).WithLabels(map[string]string{"cx.example/tier": "app"}), metav1.ApplyOptions{FieldManager: "cxha"})
	must(t, err)
	w.mustApply(r)
	ns, err := namespaces.Get(t.Context(), r.Namespace, metav1.GetOptions{})
	must(t, err)
	if ns.Labels["cx.example/tier"] != "app" {
		t.Errorf("the release took the namespace's labels away: %v", ns.Labels)
	}
}

func TestIntegrationNullTakesAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	r.Values = object(map[string]cty.Value{"text": cty.NullVal(cty.String), "extra": object(map[string]cty.Value{"a": cty.True})})
	w.mustApply(r)
	if got := w.configMap(r.Namespace, "hello"); got["text"] != "" {
		t.Errorf("a null left the chart's own value: %v", got)
	}
	r.Values = object(map[string]cty.Value{"extra": object(map[string]cty.Value{"a": cty.True})})
	if changes := w.mustApply(r); changes[addr(r)].Reason.Text != "values differ" {
		t.Errorf("plan without the null: %v", changes)
	}
}

func TestIntegrationDrift(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	w.mustApply(r)
	cms := w.api.client.CoreV1().ConfigMaps(r.Namespace)
	cm, err := cms.Get(t.Context(), "hello", metav1.GetOptions{})
	must(t, err)
	cm.Data["text"] = "edited"
	_, err = cms.Update(t.Context(), cm, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	must(t, err)
	changes := w.mustApply(r)
	want := fmt.Sprintf("objects were changed by hand: ConfigMap/%s/hello data.text", r.Namespace)
	if got := changes[addr(r)].Reason.Text; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
	if got := w.configMap(r.Namespace, "hello"); got["text"] != "hello" {
		t.Errorf("the edit was not mended: %v", got)
	}
	must(t, cms.Delete(t.Context(), "hello", metav1.DeleteOptions{}))
	w.mustApply(r)
	if w.configMap(r.Namespace, "hello") == nil {
		t.Error("the object that was removed by hand did not come back")
	}
}

// setStatus makes the newest record say another status, as a run that was killed leaves it.
func (w *world) setStatus(r blueprint.Release, status string) {
	w.t.Helper()
	rel := w.decode(r)
	rel.Info.Status = statusOf(status)
	w.encode(rel)
}

func TestIntegrationRunThatWasCutOff(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"pending-install", "pending-upgrade", "pending-rollback", "failed", "uninstalling"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.greet("", "1.0.0")
			w.mustApply(r)
			if status == "pending-upgrade" || status == "pending-rollback" {
				r.Values = object(map[string]cty.Value{"text": cty.StringVal("second")})
				w.mustApply(r)
			}
			w.setStatus(r, status)
			cm, err := w.api.client.CoreV1().ConfigMaps(r.Namespace).Get(t.Context(), "hello", metav1.GetOptions{})
			must(t, err)
			// Half of the objects were not made yet.
			must(t, w.api.client.CoreV1().Services(r.Namespace).Delete(t.Context(), "hello", metav1.DeleteOptions{}))
			changes := w.mustApply(r)
			reason := "left " + status + " by a run that was cut off"
			if status == "failed" {
				reason = "its last change failed"
			}
			if got := changes[addr(r)].Reason.Text; got != reason {
				t.Errorf("reason %q, want %q", got, reason)
			}
			if _, err := w.api.client.CoreV1().Services(r.Namespace).Get(t.Context(), "hello", metav1.GetOptions{}); err != nil {
				t.Errorf("the missing half was not made: %v", err)
			}
			after, err := w.api.client.CoreV1().ConfigMaps(r.Namespace).Get(t.Context(), "hello", metav1.GetOptions{})
			must(t, err)
			if same := after.UID == cm.UID; same != (status != "uninstalling") {
				t.Errorf("the object that was there is still the same: %v", same)
			}
			if got := w.records(r); got[len(got)-1] != "deployed" {
				t.Errorf("revisions: %v", got)
			}
		})
	}
}

func TestIntegrationCutOffWithAnotherChart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	extra := greeting("2.0.0").with(files{"templates/extra.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, annotations: {helm.sh/resource-policy: keep}}\n"})
	w.shop.put("greeting", "2.0.0", pack(t, extra))
	r := w.greet("", "2.0.0")
	w.mustApply(r)
	w.setStatus(r, "pending-install")
	r.Chart.Version = "1.0.0"
	w.mustApply(r)
	if w.configMap(r.Namespace, "extra") != nil {
		t.Error("the object that only the cut-off revision had is still there")
	}
	if got, err := w.api.client.CoreV1().ConfigMaps(r.Namespace).Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
		t.Errorf("the object that is to be kept: %v, %v", got, err)
	}
}

func TestIntegrationForeign(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	w.mustApply(r)
	rel := w.decode(r)
	rel.Labels = map[string]string{}
	rel.Chart.Metadata.Annotations = nil
	w.encode(rel)
	_, err := w.plan(r)
	if err == nil || !strings.Contains(err.Error(), "cxha did not make it") {
		t.Fatalf("plan over somebody else's release: %v", err)
	}
	// What the refusal says to do, done.
	_, command, ok := strings.Cut(err.Error(), "kubectl --namespace "+r.Namespace+" label secret --selector ")
	if !ok {
		t.Fatalf("the refusal does not say how to hand the release over: %v", err)
	}
	words := strings.Fields(command)
	key, value, _ := strings.Cut(words[2], "=")
	secrets := w.api.client.CoreV1().Secrets(r.Namespace)
	list, err := secrets.List(t.Context(), metav1.ListOptions{LabelSelector: words[0]})
	must(t, err)
	if len(list.Items) != 1 {
		t.Fatalf("the selector finds %d records", len(list.Items))
	}
	list.Items[0].Labels[key] = value
	_, err = secrets.Update(t.Context(), &list.Items[0], metav1.UpdateOptions{})
	must(t, err)
	if changes := w.mustApply(r); changes[addr(r)].Reason.Text != "the chart's digest is not recorded" {
		t.Errorf("plan of the release that was handed over: %v", changes)
	}
	// That of another cluster is not this one's either, nor is it removed.
	w.bp.Cluster.Name += "-other"
	if _, err := w.plan(r); err == nil || !strings.Contains(err.Error(), "mark of the cluster") {
		t.Errorf("plan over another cluster's release: %v", err)
	}
	if changes := w.mustPlan(); len(changes) != 0 {
		t.Errorf("plan without it: %v", changes)
	}
}

func TestIntegrationForeignObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	_, err := w.api.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.Namespace}}, metav1.CreateOptions{})
	must(t, err)
	_, err = w.api.client.CoreV1().ConfigMaps(r.Namespace).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "hello"}, Data: map[string]string{"text": "mine"}}, metav1.CreateOptions{})
	must(t, err)
	_, err = w.plan(r)
	if err == nil || !strings.Contains(err.Error(), "ConfigMap "+r.Namespace+"/hello") || !strings.Contains(err.Error(), "another release or tool made it") {
		t.Errorf("plan over somebody else's object: %v", err)
	}
	if got := w.configMap(r.Namespace, "hello"); got["text"] != "mine" {
		t.Errorf("somebody else's object is now %v", got)
	}
}

func TestIntegrationKeep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	w.mustApply(r)
	r.Keep = true
	if changes := w.mustApply(r); changes[addr(r)].Reason.Text != "keep differs" {
		t.Errorf("plan: %v", changes)
	}
	if got := w.records(r); len(got) != 1 {
		t.Errorf("a label made a revision: %v", got)
	}
	if changes := w.mustPlan(); len(changes) != 0 {
		t.Errorf("plan without the block: %v", changes)
	}
	r.Keep = false
	w.mustApply(r)
	if changes := w.mustApply(); changes[addr(r)].Action != plans.Delete {
		t.Errorf("plan without the block that keeps nothing: %v", changes)
	}
}

func TestIntegrationMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	w.mustApply(r)
	old := r
	r.Namespace += "-new"
	c := w.mustApply(r)[addr(r)]
	if c.Action != plans.Replace || c.Reason.Text != "moves from "+old.Namespace+"/hello to "+r.Namespace+"/hello" {
		t.Errorf("plan: %s, %s", c.Action, c.Reason.Text)
	}
	if w.configMap(old.Namespace, "hello") != nil || w.configMap(r.Namespace, "hello") == nil {
		t.Error("it did not move")
	}
}

func TestIntegrationSecretsAreHidden(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	list := func(names ...string) cty.Value {
		var vs []cty.Value
		for _, n := range names {
			v := cty.StringVal("public-" + n)
			if n == "a" {
				v = schema.Secret("hunter2")
			}
			vs = append(vs, object(map[string]cty.Value{"name": cty.StringVal(n), "value": v}))
		}
		return object(map[string]cty.Value{"extra": object(map[string]cty.Value{"env": cty.TupleVal(vs)})})
	}
	r.Values = list("a", "b")
	shown := func(changes map[string]plans.Change) string {
		text := ""
		for _, c := range changes {
			for _, a := range plans.Attrs(c.Before, c.After) {
				for _, v := range []cty.Value{a.Before, a.After} {
					hidden, err := schema.HideSensitive(v, "salt")
					must(t, err)
					text += fmt.Sprintf("%s %#v\n", a.Path, hidden)
				}
			}
			text += c.Reason.Text
		}
		return text
	}
	check := func(when string, changes map[string]plans.Change) {
		t.Helper()
		if len(changes) != 1 || strings.Contains(shown(changes), "hunter2") {
			t.Errorf("%s: %s", when, shown(changes))
		}
	}
	check("new", w.mustApply(r))
	r.Values = list("b", "a", "c")
	check("in another order", w.mustPlan(r))
	r.Values = list("b")
	check("without the secret", w.mustPlan(r))
	r.Values = cty.NullVal(cty.DynamicPseudoType)
	check("without values", w.mustPlan(r))
	check("without the block", w.mustPlan())
	rel := w.decode(r)
	rel.Chart.Metadata.Annotations = nil // as after an upgrade by helm itself
	w.encode(rel)
	check("with a record of somebody else", w.mustPlan(r))
	// Nor in what the chart's schema says of them.
	r.Values = object(map[string]cty.Value{"password": schema.Secret("Hunter-2")})
	if _, err := w.plan(r); err == nil || strings.Contains(err.Error(), "Hunter-2") || !strings.Contains(err.Error(), "password") {
		t.Errorf("refusal: %v", err)
	}
}

func TestIntegrationValuesThatDoNotFit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	r.Values = object(map[string]cty.Value{"size": cty.StringVal("big")})
	_, err := w.plan(r)
	if err == nil || !strings.Contains(err.Error(), "size: got string, want integer") || !strings.Contains(err.Error(), "greeting 1.0.0") {
		t.Errorf("refusal: %v", err)
	}
	r.Values = object(map[string]cty.Value{"size": cty.NumberIntVal(3)})
	w.mustApply(r)
}

func TestIntegrationChartThatCannotBeHad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a, b := w.greet("", "1.0.0"), w.greet("-b", "1.1.0")
	w.mustApply(a)
	w.bp.Releases = []blueprint.Release{a, b}
	w.lock()
	w.shop.server.Close()
	changes, err := w.replan()
	must(t, err)
	if c := changes[addr(b)]; len(changes) != 1 || c.Action != plans.Unknown || !strings.Contains(c.Reason.Text, "connection refused") {
		t.Errorf("plan without the repository: %v", changes)
	}
	// A chart that is in the cache already needs no repository.
	b.Chart.Version = "1.0.0"
	w.bp.Releases = []blueprint.Release{a, b}
	changes, err = w.replan()
	must(t, err)
	if c := changes[addr(b)]; len(changes) != 1 || c.Action != plans.Create {
		t.Errorf("plan without the repository of a chart in the cache: %v", changes)
	}
}

func TestIntegrationChartWithOtherBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	w.bp.Releases = []blueprint.Release{r}
	w.lock()
	w.bp.Lock.Charts[0].Digest = sum([]byte("something else"))
	_, err := w.replan()
	for _, want := range []string{sum([]byte("something else")), sum(pack(t, greeting("1.0.0"))), "cxha lock --accept-changed"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("refusal %v has no %q", err, want)
		}
	}
}

func TestIntegrationOneCallForManyReleases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var rs []blueprint.Release
	for i := range 20 {
		r := w.greet(fmt.Sprintf("-%d", i), "1.0.0")
		r.Namespace = fmt.Sprintf("%s-%d", name(t), i%3)
		rs = append(rs, r)
	}
	changes := w.mustPlan(rs...)
	counts := map[string]int{}
	for _, c := range w.take() {
		counts[c]++
	}
	for _, once := range []string{"GET /api/v1/secrets", "GET /apis", "GET /version", "GET /api/v1/namespaces/" + rs[0].Namespace} {
		if counts[once] != 1 {
			t.Errorf("probe of %d releases that are not there: %d times %s", len(changes), counts[once], once)
		}
	}
	w.mustApply(rs...)
	w.take()
	w.shop.taken()
	if changes, err := w.replan(); err != nil || len(changes) != 0 {
		t.Fatalf("second plan: %v, %v", changes, err)
	}
	if calls, fetched := w.take(), w.shop.taken(); len(calls) != 1 || len(fetched) != 0 {
		t.Errorf("probe of 20 releases: calls %v, charts %v", calls, fetched)
	}
}

func TestIntegrationRecordThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	w.mustApply(r)
	secrets := w.api.client.CoreV1().Secrets(r.Namespace)
	s, err := secrets.Get(t.Context(), "sh.helm.release.v1.hello.v1", metav1.GetOptions{})
	must(t, err)
	s.Data["release"] = []byte("of another age")
	_, err = secrets.Update(t.Context(), s, metav1.UpdateOptions{})
	must(t, err)
	if c := w.mustPlan(r)[addr(r)]; c.Action != plans.Unknown || !strings.Contains(c.Reason.Text, "cannot be read") {
		t.Errorf("plan: %v", c)
	}
}

func TestIntegrationNoAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	w.fail(fmt.Errorf("get: %w", context.DeadlineExceeded))
	if c := w.mustPlan(r)[addr(r)]; c.Action != plans.Unknown || c.Reason.Code != plans.KnownAfter {
		t.Errorf("plan while the API is away: %v", c)
	}
	w.fail(errors.New("no such host"))
	if c := w.mustPlan(r)[addr(r)]; c.Action != plans.Unknown || c.Reason.Code == plans.KnownAfter {
		t.Errorf("plan while the host is away: %v", c)
	}
}
