package kube_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// site is a blueprint of objects on the shared API server, with a cluster name of its own: what other tests left there does not
// carry its mark.
type site struct {
	t     *testing.T
	api   *apiServer
	bp    *blueprint.Blueprint
	p     *kube.Provider
	s     *session
	calls *counter

	refused map[string]error    // by the last plan
	notes   map[string][]string // of the last plan
	causes  map[string]string   // of the last plan
}

func newSite(t *testing.T, name string) *site {
	t.Helper()
	api := realAPI(t)
	bp := cluster(1)
	bp.Cluster.Name = name
	calls := &counter{}
	p := kube.New(kube.Options{Wrap: calls.wrap, NamespacePatience: time.Millisecond})
	return &site{t: t, api: api, bp: bp, p: p, s: &session{kubeconfig: api.kubeconfig}, calls: calls}
}

// manifest gives the blueprint a manifest block with this text, in the place of an earlier one of that name.
func (s *site) manifest(name, text string) *blueprint.Manifest {
	return s.put(blueprint.Manifest{Common: common("manifest", name), Texts: []blueprint.Text{{Name: "content", Content: cty.StringVal(text)}}})
}

func common(typ, name string) blueprint.Common {
	return blueprint.Common{Addr: schema.BlockAddr{Type: typ, Name: name}, Timeout: 10 * time.Minute}
}

func (s *site) put(m blueprint.Manifest) *blueprint.Manifest {
	s.remove(m.Addr.Name)
	s.bp.Manifests = append(s.bp.Manifests, m)
	return &s.bp.Manifests[len(s.bp.Manifests)-1]
}

func (s *site) remove(name string) {
	s.bp.Manifests = slices.DeleteFunc(s.bp.Manifests, func(m blueprint.Manifest) bool { return m.Addr.Name == name })
}

// planned is a plan of the objects alone.
type planned map[string]plans.Change

func (p planned) actions() string {
	var lines []string
	for _, addr := range slices.Sorted(maps.Keys(p)) {
		lines = append(lines, p[addr].Action.String()+" "+addr)
	}
	return strings.Join(lines, "\n")
}

// plan compares as the engine does. Changes that nothing has to be done for are left out.
func (s *site) plan() planned {
	s.t.Helper()
	obs := probe(s.t, s.p, s.s, s.bp)
	result := planned{}
	s.refused, s.notes = map[string]error{}, map[string][]string{}
	s.causes = map[string]string{}
	for _, r := range append(compile(s.t, s.p, s.bp), obs.Found...) {
		if r.Addr.Type != "kube.object" {
			continue
		}
		live := obs.Live[r.Addr]
		s.causes[r.Addr.String()] = live.Cause
		if len(live.Notes) > 0 {
			s.notes[r.Addr.String()] = live.Notes
		}
		if live.Unknown != "" {
			text := live.Unknown
			if live.Deferred {
				text = "deferred: " + text
			}
			result[r.Addr.String()] = plans.Change{Addr: r.Addr, Action: plans.Unknown, Reason: plans.Reason{Text: text}}
			continue
		}
		d, err := plans.Diff(r.Desired, live.Value, plans.DiffOptions{})
		if live.Result != cty.NilVal {
			d, err = plans.Between(live.Value, live.Result, plans.DiffOptions{})
		}
		if err != nil {
			s.t.Fatalf("diff of %s: %v", r.Addr, err)
		}
		if d.Action != plans.NoOp {
			result[r.Addr.String()] = plans.Change{Addr: r.Addr, Action: d.Action, Before: live.Value, After: d.After, Desired: r.Desired}
			if live.Refuse != nil {
				s.refused[r.Addr.String()] = live.Refuse
			}
		}
	}
	return result
}

// drift is what a plan shows of an update, field by field.
func drift(c plans.Change) string {
	var lines []string
	for _, a := range plans.Attrs(c.Before, c.After) {
		lines = append(lines, fmt.Sprintf("%s: %s -> %s", a.Path, shownAttr(a.Before), shownAttr(a.After)))
	}
	return strings.Join(lines, "\n")
}

func shownAttr(v cty.Value) string {
	hidden, err := schema.HideSensitive(v, "salt")
	if err != nil {
		return err.Error()
	}
	switch {
	case hidden.IsNull():
		return "null"
	case hidden.Type() == cty.String:
		return hidden.AsString()
	case hidden.Type() == cty.Number:
		return hidden.AsBigFloat().String()
	}
	return hidden.GoString()
}

// apply makes the planned changes one after the other: what is needed first, first.
func (s *site) apply() {
	s.t.Helper()
	changes := s.plan()
	for _, addr := range s.order(changes) {
		if _, err := apply(s.t, s.p, s.s, changes[addr]); err != nil {
			s.t.Fatalf("apply %s: %v", addr, err)
		}
	}
	s.settled()
}

func (s *site) settled() {
	s.t.Helper()
	if left := s.plan(); len(left) > 0 {
		s.t.Errorf("there is something left to do:\n%s", left.actions())
		for _, c := range left {
			s.t.Logf("%s %s\n%s\n%s", c.Addr, c.Action, c.Reason.Text, drift(c))
		}
	}
}

func (s *site) order(changes planned) []string {
	s.t.Helper()
	var ordered []string
	done := map[string]bool{}
	rs := append(compile(s.t, s.p, s.bp), probe(s.t, s.p, s.s, s.bp).Found...)
	byAddr := map[schema.Addr]providers.Resource{}
	for _, r := range rs {
		byAddr[r.Addr] = r
	}
	var visit func(a schema.Addr)
	visit = func(a schema.Addr) {
		if done[a.String()] {
			return
		}
		done[a.String()] = true
		for _, e := range byAddr[a].After {
			visit(e.To)
		}
		if _, ok := changes[a.String()]; ok {
			ordered = append(ordered, a.String())
		}
	}
	for _, r := range rs {
		visit(r.Addr)
	}
	return ordered
}

// namespace makes a namespace that nobody manages.
func namespace(t *testing.T, c *kubernetes.Clientset, name string) {
	t.Helper()
	_, err := c.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// playDeployments makes Deployments ready, as their controller and kubelets would, until the test ends. Those with the annotation
// test/broken never become ready.
func playDeployments(t *testing.T, c *kubernetes.Clientset) {
	t.Helper()
	play(t, func(ctx context.Context) { makeReady(ctx, t, c) })
}

// playWorkloads does so for StatefulSets and DaemonSets as well.
func playWorkloads(t *testing.T, c *kubernetes.Clientset) {
	t.Helper()
	play(t, func(ctx context.Context) {
		makeReady(ctx, t, c)
		makeSetsReady(ctx, t, c)
	})
}

// play runs a part of a controller again and again until the test ends.
func play(t *testing.T, step func(context.Context)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	t.Cleanup(func() { cancel(); <-ended })
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			err := providertest.Poll(ctx, func() error {
				step(ctx)
				return errors.New("go on")
			})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}()
}

func makeReady(ctx context.Context, t *testing.T, c *kubernetes.Clientset) {
	list, err := c.AppsV1().Deployments("").List(ctx, metav1.ListOptions{})
	if err != nil {
		if ctx.Err() == nil {
			t.Errorf("deployments: %v", err)
		}
		return
	}
	for i := range list.Items {
		d := &list.Items[i]
		if d.Status.ObservedGeneration == d.Generation || d.Annotations["test/broken"] != "" {
			continue
		}
		n := *d.Spec.Replicas
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, ReadyReplicas: n, AvailableReplicas: n, Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable"},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		}}
		_, err := c.AppsV1().Deployments(d.Namespace).UpdateStatus(ctx, d, metav1.UpdateOptions{FieldManager: "deployment-controller"})
		if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			t.Errorf("status of deployment %s: %v", d.Name, err)
		}
	}
}

func makeSetsReady(ctx context.Context, t *testing.T, c *kubernetes.Clientset) {
	sets, err1 := c.AppsV1().StatefulSets("").List(ctx, metav1.ListOptions{})
	daemons, err2 := c.AppsV1().DaemonSets("").List(ctx, metav1.ListOptions{})
	if err := errors.Join(err1, err2); err != nil {
		if ctx.Err() == nil {
			t.Error(err)
		}
		return
	}
	var errs []error
	for i := range sets.Items {
		s := &sets.Items[i]
		if s.Status.ObservedGeneration == s.Generation {
			continue
		}
		n := *s.Spec.Replicas
		s.Status = appsv1.StatefulSetStatus{ObservedGeneration: s.Generation, Replicas: n, UpdatedReplicas: n, CurrentReplicas: n, ReadyReplicas: n, AvailableReplicas: n}
		_, err := c.AppsV1().StatefulSets(s.Namespace).UpdateStatus(ctx, s, metav1.UpdateOptions{FieldManager: "statefulset-controller"})
		errs = append(errs, err)
	}
	for i := range daemons.Items {
		d := &daemons.Items[i]
		if d.Status.ObservedGeneration == d.Generation {
			continue
		}
		d.Status = appsv1.DaemonSetStatus{ObservedGeneration: d.Generation, DesiredNumberScheduled: 1, CurrentNumberScheduled: 1, UpdatedNumberScheduled: 1, NumberReady: 1, NumberAvailable: 1}
		_, err := c.AppsV1().DaemonSets(d.Namespace).UpdateStatus(ctx, d, metav1.UpdateOptions{FieldManager: "daemonset-controller"})
		errs = append(errs, err)
	}
	for _, err := range errs {
		if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			t.Error(err)
		}
	}
}

// playNamespaces ends namespaces that are being removed, as their controller would, until stop is called.
func playNamespaces(t *testing.T, c *kubernetes.Clientset) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = providertest.Poll(ctx, func() error { // ends with the context
			list, err := c.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
			if err != nil {
				return err
			}
			for i := range list.Items {
				if ns := &list.Items[i]; ns.DeletionTimestamp != nil {
					ns.Spec.Finalizers = nil
					if _, err := c.CoreV1().Namespaces().Finalize(ctx, ns, metav1.UpdateOptions{}); err != nil {
						return err
					}
				}
			}
			return errors.New("go on")
		})
	}()
	return func() { cancel(); <-ended }
}

// breakPod makes a pod whose image cannot be pulled.
func breakPod(t *testing.T, c *kubernetes.Clientset, name string, labels map[string]string) {
	t.Helper()
	p := pod(t, c, name, "", func(p *corev1.Pod) { p.Labels = labels })
	p.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
		{Name: "main", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}},
	}}
	if _, err := c.CoreV1().Pods("default").UpdateStatus(t.Context(), p, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}
