package helm_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/schema/blueprint"
)

// workload is the chart greeting with a Deployment.
func workload(version string) files {
	return greeting(version).with(files{"templates/workload.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: main, image: "registry.cx.internal/web:broken"}]}
`})
}

// reportPod makes a pod of the Deployment and lets its kubelet say what is wrong.
func (w *world) reportPod(namespace string, status corev1.PodStatus) {
	w.t.Helper()
	pods := w.api.client.CoreV1().Pods(namespace)
	p, err := pods.Create(w.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.cx.internal/web:broken"}}},
	}, metav1.CreateOptions{})
	must(w.t, err)
	p.Status = status
	_, err = pods.UpdateStatus(w.t.Context(), p, metav1.UpdateOptions{})
	must(w.t, err)
}

// start applies a change beside the test.
func (w *world) start(ctx context.Context, c plans.Change) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := w.apply(ctx, c)
		done <- err
	}()
	return done
}

func waiting(reason, message string) corev1.PodStatus {
	return corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
		{Name: "main", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}},
	}}
}

func TestIntegrationNotReady(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status corev1.PodStatus
		want   string
	}{
		"image": {waiting("ImagePullBackOff", "back-off pulling image"), "pod web-1: ImagePullBackOff: back-off pulling image"},
		"crash": {waiting("CrashLoopBackOff", "back-off restarting"), "pod web-1: CrashLoopBackOff: back-off restarting"},
		"place": {corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available"},
		}}, "pod web-1: Unschedulable: 0/3 nodes are available"},
		"exit": {corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
			{Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 3}}},
		}}, "pod web-1: Error: exit code 3"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.shop.put("greeting", "1.0.0", pack(t, workload("1.0.0")))
			r := w.greet("", "1.0.0")
			over := errors.New("the test has seen enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			done := w.start(ctx, w.mustPlan(r)[addr(r)])
			w.eventually("it waits for the Deployment", func() bool { return w.said("waiting: Deployment web: ") })
			w.reportPod(r.Namespace, c.status)
			w.eventually("the progress has the pod's reason", func() bool { return w.said(c.want) })
			cancel(over)
			err := <-done
			for _, want := range []string{"release hello in namespace " + r.Namespace, "not ready: the test has seen enough", c.want} {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %q has no %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "ConfigMap") {
				t.Errorf("error %q names what is ready", err)
			}
			if got := w.records(r); len(got) != 1 || got[0] != "failed" {
				t.Errorf("records: %v", got)
			}
			w.becomeReady(r)
		})
	}
}

// becomeReady applies a release again, whose Deployment becomes ready while it waits.
func (w *world) becomeReady(r blueprint.Release) {
	w.t.Helper()
	r.Timeout = 10 * time.Minute
	c := w.mustPlan(r)[addr(r)]
	if c.Reason.Text != "its last change failed" {
		w.t.Errorf("plan after the failure: %s", c.Reason.Text)
	}
	done := w.start(w.t.Context(), c)
	deployments := w.api.client.AppsV1().Deployments(r.Namespace)
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Minute)
	defer cancel()
	must(w.t, providertest.Poll(ctx, func() error { // what the controllers would do
		d, err := deployments.Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err
		}
		d.Status.ObservedGeneration = d.Generation
		d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.ReadyReplicas, d.Status.AvailableReplicas = 1, 1, 1, 1
		d.Status.Conditions = []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue}, {Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable"},
		}
		_, err = deployments.UpdateStatus(ctx, d, metav1.UpdateOptions{})
		return err
	}))
	if err := <-done; err != nil {
		w.t.Errorf("second attempt: %v", err)
	}
	if changes := w.mustPlan(r); len(changes) > 0 {
		w.t.Errorf("after the second attempt there are still %d changes", len(changes))
	}
}

func TestIntegrationTimeout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shop.put("greeting", "1.0.0", pack(t, workload("1.0.0")))
	r := w.greet("", "1.0.0")
	r.Timeout = time.Second
	if _, err := w.apply(t.Context(), w.mustPlan(r)[addr(r)]); err == nil || !strings.Contains(err.Error(), "not done after 1s") {
		t.Errorf("got %v", err)
	}
}

func TestIntegrationStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shop.put("greeting", "1.0.0", pack(t, workload("1.0.0")))
	r := w.greet("", "1.0.0")
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := w.start(ctx, w.mustPlan(r)[addr(r)])
	w.eventually("it waits for the Deployment", func() bool { return w.said("waiting: Deployment web: ") })
	cancel(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	if got := w.records(r); len(got) != 1 || got[0] != "failed" {
		t.Errorf("records: %v", got)
	}
}

const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: greetings.NAME.cxha.test}
spec:
  group: NAME.cxha.test
  scope: Namespaced
  names: {plural: greetings, singular: greeting, kind: Greeting, listKind: GreetingList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {text: {type: string}MORE}}}}}
`

func TestIntegrationDefinitions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	group := name(t)
	define := func(more string) string {
		return strings.NewReplacer("NAME", group, "MORE", more).Replace(definition)
	}
	object := func(spec string) string {
		return "apiVersion: " + group + ".cxha.test/v1\nkind: Greeting\nmetadata: {name: hello}\nspec: " + spec + "\n"
	}
	w.shop.put("greeting", "1.0.0", pack(t, greeting("1.0.0").with(files{"crds/greeting.yaml": define(""), "templates/greeting.yaml": object("{text: one}")})))
	w.shop.put("greeting", "1.1.0", pack(t, greeting("1.1.0").with(files{"crds/greeting.yaml": define(", loud: {type: boolean}"), "templates/greeting.yaml": object("{text: one, loud: true}")})))
	r := w.greet("", "1.0.0")
	w.mustApply(r)
	r.Chart.Version = "1.1.0"
	w.mustApply(r)
	client, err := dynamic.NewForConfig(w.api.config)
	must(t, err)
	greetings := client.Resource(schema.GroupVersionResource{Group: group + ".cxha.test", Version: "v1", Resource: "greetings"}).Namespace(r.Namespace)
	u, err := greetings.Get(t.Context(), "hello", metav1.GetOptions{})
	must(t, err)
	if loud, _, _ := unstructured.NestedBool(u.Object, "spec", "loud"); !loud {
		t.Errorf("the definition was not upgraded: %v", u.Object)
	}
	w.mustApply()
	if list, err := greetings.List(t.Context(), metav1.ListOptions{}); err != nil || len(list.Items) != 0 {
		t.Errorf("after the removal the definition is to stay and its object to go: %v, %v", list, err)
	}
}

func TestIntegrationWebhookThatAnswersLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.greet("", "1.0.0")
	fail, none, url := admissionv1.Fail, admissionv1.SideEffectClassNone, "https://127.0.0.1:1/validate"
	hooks := w.api.client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	_, err := hooks.Create(t.Context(), &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: name(t)},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name: "late.cxha.test", FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			ClientConfig:      admissionv1.WebhookClientConfig{URL: &url},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": r.Namespace}},
			Rules: []admissionv1.RuleWithOperations{{Operations: []admissionv1.OperationType{"CREATE"},
				Rule: admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}}}},
		}},
	}, metav1.CreateOptions{})
	must(t, err)
	done := w.start(t.Context(), w.mustPlan(r)[addr(r)])
	w.eventually("it tries again", func() bool { return w.said("trying again: ") })
	select {
	case err := <-done:
		t.Fatalf("it ended while the webhook did not answer: %v", err)
	default:
	}
	must(t, hooks.Delete(context.WithoutCancel(t.Context()), name(t), metav1.DeleteOptions{}))
	if err := <-done; err != nil {
		t.Error(err)
	}
	if changes := w.mustPlan(r); len(changes) > 0 {
		t.Errorf("after the webhook answered: %v", changes)
	}
	if got := w.records(r); len(got) > 10 {
		t.Errorf("%d revisions are kept", len(got))
	}
}
