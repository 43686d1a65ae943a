package helm_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/helm"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// world is a cluster, the charts there are, and a provider that works on them.
type world struct {
	t    *testing.T
	api  *apiServer
	shop *shop
	helm *helm.Provider
	bp   *blueprint.Blueprint

	mu       sync.Mutex // guards the rest
	calls    []string
	progress []string
	notes    []string                // of the last plan
	down     error                   // what reaching the API fails with
	words    string                  // of such answers
	refusing func(*http.Request) int // the code that a request is answered with instead; 0: none
}

// newWorld returns a world whose blueprint has the releases, and the name of its cluster is the test's own: releases of other
// tests are others'.
func newWorld(t *testing.T, rs ...blueprint.Release) *world {
	t.Helper()
	w := &world{t: t, api: realAPI(t), shop: openShop(t)}
	for _, v := range []string{"1.0.0", "1.1.0"} {
		w.shop.put("greeting", v, pack(t, greeting(v)))
	}
	cs, _ := charts(t)
	w.helm = helm.New(w, helm.Options{Charts: cs, ReportEvery: 20 * time.Millisecond, RetryEvery: 20 * time.Millisecond, RemovalTimeout: 10 * time.Minute})
	w.bp = site(t, rs...)
	w.bp.Cluster.Name = name(t)
	return w
}

// name is a name of the test's own.
func name(t *testing.T) string {
	return strings.ToLower(strings.NewReplacer("/", "-", "_", "-", " ", "-").Replace(strings.TrimPrefix(t.Name(), "TestIntegration")))
}

// greet is the release of the chart greeting that a test has, in a namespace of its own.
func (w *world) greet(suffix, version string) blueprint.Release {
	r := release(name(w.t)+suffix, w.shop.inRepository("greeting", version))
	r.Name = "hello" + suffix
	return r
}

func (w *world) RESTConfig(context.Context, providers.Session) (*rest.Config, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down != nil {
		return nil, w.down
	}
	config := rest.CopyConfig(w.api.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			w.mu.Lock()
			w.calls = append(w.calls, r.Method+" "+r.URL.Path)
			refusing, words := w.refusing, "not now: "+w.words
			w.mu.Unlock()
			if refusing != nil {
				if code := refusing(r); code != 0 {
					return answer(r, code, words), nil
				}
			}
			return next.RoundTrip(r)
		})
	})
	return config, nil
}

// Differences compares the data of ConfigMaps, and whether Jobs are there.
func (w *world) Differences(ctx context.Context, _ providers.Session, manifest, namespace string) ([]kube.Difference, error) {
	var found []kube.Difference
	for doc := range strings.SplitSeq(manifest, "\n---\n") {
		var cm corev1.ConfigMap
		if err := yaml.Unmarshal([]byte(doc), &cm); err != nil {
			return nil, err
		}
		namespace := namespace
		if cm.Namespace != "" {
			namespace = cm.Namespace
		}
		if cm.Kind == "Job" {
			id := "Job.batch/" + namespace + "/" + cm.Name
			if _, err := w.api.client.BatchV1().Jobs(namespace).Get(ctx, cm.Name, metav1.GetOptions{}); apierrors.IsNotFound(err) {
				found = append(found, kube.Difference{Object: id})
			} else if err != nil {
				return nil, err
			}
		}
		if cm.Kind != "ConfigMap" {
			continue
		}
		id := "ConfigMap/" + namespace + "/" + cm.Name
		live, err := w.api.client.CoreV1().ConfigMaps(namespace).Get(ctx, cm.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			found = append(found, kube.Difference{Object: id})
			continue
		}
		if err != nil {
			return nil, err
		}
		for key, want := range cm.Data {
			if got := live.Data[key]; got != want {
				found = append(found, kube.Difference{Object: id, Path: "data." + key, Live: cty.StringVal(got), Wanted: cty.StringVal(want)})
			}
		}
	}
	return found, nil
}

func (w *world) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	calls := w.calls
	w.calls = nil
	return calls
}

func (w *world) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = err
}

// refuse answers requests that code returns a status for with that; nil ends it.
func (w *world) refuse(code func(*http.Request) int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusing = code
}

// refuseWith answers changes of ConfigMaps with an error that has a text in it, as the API server's have the value that they refuse.
func (w *world) refuseWith(text string) {
	w.refuse(func(r *http.Request) int {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/configmaps") {
			return 0
		}
		return http.StatusForbidden
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.words = text
}

// answer is an API server's answer without success.
func answer(r *http.Request, code int, words string) *http.Response {
	reason := metav1.StatusReasonForbidden
	if code == http.StatusInternalServerError {
		reason = metav1.StatusReasonInternalError
	}
	if code == http.StatusServiceUnavailable {
		reason = metav1.StatusReasonServiceUnavailable
	}
	body := fmt.Sprintf(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": %q, "reason": %q, "code": %d}`, words, reason, code)
	return &http.Response{
		StatusCode: code, Status: http.StatusText(code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}

// pretend stores a release's record as an apply would leave it, without its objects.
func (w *world) pretend(r blueprint.Release) {
	w.t.Helper()
	w.mustPlan(r) // locks it
	cs, _ := charts(w.t)
	ch, err := cs.Load(w.t.Context(), r.Chart, w.bp.Lock.Charts[0].Digest)
	must(w.t, err)
	values, err := helm.HelmValues(r.Values)
	must(w.t, err)
	w.helmCLI(r.Namespace, true, func(cfg *action.Configuration) error {
		i := action.NewInstall(cfg)
		i.ReleaseName, i.Namespace, i.CreateNamespace, i.WaitStrategy = r.Name, r.Namespace, true, helmkube.HookOnlyStrategy
		i.Labels = map[string]string{kube.ClusterLabel: w.bp.Cluster.Name, helm.DigestLabel: strings.TrimPrefix(w.bp.Lock.Charts[0].Digest, "sha256:")[:40]}
		_, err := i.Run(ch, values)
		return err
	})
}

// The world is the session too.

func (w *world) Host(context.Context, string) (providers.Host, error) {
	return nil, fmt.Errorf("no host is asked here")
}
func (w *world) Fact(string, string) (providers.Reply, bool) { return providers.Reply{}, false }
func (w *world) Progress(_ schema.Addr, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.progress = append(w.progress, text)
}

func (w *world) said(part string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.progress, func(s string) bool { return strings.Contains(s, part) })
}

// lock writes the blueprint's lock.
func (w *world) lock() {
	w.t.Helper()
	cs, _ := charts(w.t)
	lock, err := cs.Resolve(w.t.Context(), w.bp, nil)
	if err != nil {
		w.t.Fatalf("lock: %v", err)
	}
	w.bp.Lock = &lock
}

// plan returns the changes that a plan of the releases would have, by address, and refusals.
func (w *world) plan(rs ...blueprint.Release) (map[string]plans.Change, error) {
	w.t.Helper()
	w.bp.Releases = rs
	w.lock()
	return w.replan()
}

// replan plans with the blueprint and lock as they are.
func (w *world) replan() (map[string]plans.Change, error) {
	w.t.Helper()
	resources, diags := w.helm.Compile(w.bp)
	if diags.HasErrors() {
		w.t.Fatalf("compile: %v", diags)
	}
	obs, err := w.helm.Probe(w.t.Context(), w, w.bp, resources)
	if err != nil {
		w.t.Fatalf("probe: %v", err)
	}
	kind := w.helm.Kinds()[0]
	w.notes = nil
	changes := map[string]plans.Change{}
	for _, r := range slices.Concat(resources, obs.Found) {
		live := obs.Live[r.Addr]
		c := plans.Change{Addr: r.Addr, Salt: "salt"}
		if live.Unknown != "" {
			c.Action, c.Reason.Text = plans.Unknown, live.Unknown
			if live.Deferred {
				c.Reason.Code = plans.KnownAfter
			}
			changes[r.Addr.String()] = c
			continue
		}
		w.notes = append(w.notes, live.Notes...)
		o := plans.DiffOptions{Replace: kind.Type().Replace}
		delta, err := plans.Diff(r.Desired, live.Value, o)
		if live.Result != cty.NilVal {
			delta, err = plans.Between(live.Value, live.Result, o)
		}
		if err != nil {
			w.t.Fatalf("%s: %v", r.Addr, err)
		}
		c.Action, c.Before, c.After = delta.Action, live.Value, delta.After
		if !c.Action.Changes() {
			continue
		}
		if live.Refuse != nil {
			return nil, live.Refuse
		}
		c.Reason.Code = plans.Drift
		if c.Reason, err = kind.(providers.Explainer).Explain(c); err != nil {
			return nil, err
		}
		changes[r.Addr.String()] = c
	}
	return changes, nil
}

func (w *world) mustPlan(rs ...blueprint.Release) map[string]plans.Change {
	w.t.Helper()
	changes, err := w.plan(rs...)
	if err != nil {
		w.t.Fatalf("plan: %v", err)
	}
	return changes
}

func (w *world) apply(ctx context.Context, c plans.Change) (cty.Value, error) {
	return w.helm.Kinds()[0].(providers.CallKind).Apply(ctx, w, c)
}

// mustApply makes the releases be, and checks that nothing is left to do. It returns what was planned.
func (w *world) mustApply(rs ...blueprint.Release) map[string]plans.Change {
	w.t.Helper()
	changes := w.mustPlan(rs...)
	for _, addr := range slices.Sorted(maps.Keys(changes)) {
		c := changes[addr]
		got, err := w.apply(w.t.Context(), c)
		if err != nil {
			w.t.Fatalf("apply %s: %v", addr, err)
		}
		if left, err := plans.Diff(c.After, got, plans.DiffOptions{}); err != nil || left.Action.Changes() {
			w.t.Errorf("apply %s returned %#v, want %#v (%v)", addr, got, c.After, err)
		}
	}
	for addr, c := range w.mustPlan(rs...) {
		w.t.Errorf("after the apply there is still %s %s: %s", c.Action, addr, c.Reason.Text)
	}
	return changes
}

// configMap returns a ConfigMap's data; nil: it is not there.
func (w *world) configMap(namespace, name string) map[string]string {
	w.t.Helper()
	cm, err := w.api.client.CoreV1().ConfigMaps(namespace).Get(w.t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	must(w.t, err)
	return cm.Data
}

// records returns the statuses of a release's revisions, the oldest first.
func (w *world) records(r blueprint.Release) []string {
	w.t.Helper()
	list, err := w.api.client.CoreV1().Secrets(r.Namespace).List(w.t.Context(), metav1.ListOptions{LabelSelector: "owner=helm,name=" + r.Name})
	must(w.t, err)
	slices.SortFunc(list.Items, func(a, b corev1.Secret) int { return strings.Compare(a.Name, b.Name) })
	var statuses []string
	for _, s := range list.Items {
		statuses = append(statuses, s.Labels["status"])
	}
	return statuses
}

// eventually waits for a condition.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Minute)
	defer cancel()
	if providertest.Poll(ctx, func() error {
		if ok() {
			return nil
		}
		return fmt.Errorf("not yet")
	}) != nil {
		w.t.Errorf("never happened: %s", what)
	}
}
