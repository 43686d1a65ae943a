package helm_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/expertflow/cxha/providers/helm"
	"github.com/expertflow/cxha/providers/providertest"
)

// TestIntegrationHook also shows that a release which was cut off in its first installation gets the hooks of an installation again.
func TestIntegrationHook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shop.put("greeting", "1.0.0", pack(t, greeting("1.0.0").with(files{"templates/hook.yaml": `apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {helm.sh/hook: pre-install}
spec:
  template: {spec: {restartPolicy: Never, containers: [{name: main, image: none}]}}
`})))
	r := w.greet("", "1.0.0")
	for _, round := range []string{"first", "again"} {
		done := w.start(t.Context(), w.mustPlan(r)[addr(r)])
		w.eventually(round+": it waits for the hook", func() bool { return w.said("waiting for a hook: Job migrate: running") })
		if got := w.configMap(r.Namespace, "hello"); round == "first" && got != nil {
			t.Errorf("%s: the objects were there before the hook was done: %v", round, got)
		}
		w.finishJob(r.Namespace, "migrate")
		if err := <-done; err != nil {
			t.Fatalf("%s: %v", round, err)
		}
		w.mu.Lock()
		w.progress = nil
		w.mu.Unlock()
		if round == "first" {
			w.setStatus(r, "pending-install")
		}
	}
	if changes := w.mustPlan(r); len(changes) > 0 {
		t.Errorf("there are still %d changes", len(changes))
	}
}

// finishJob does what the Job's controller would do, when the Job is there.
func (w *world) finishJob(namespace, name string) {
	w.t.Helper()
	jobs := w.api.client.BatchV1().Jobs(namespace)
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Minute)
	defer cancel()
	must(w.t, providertest.Poll(ctx, func() error {
		j, err := jobs.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		now := metav1.Now()
		j.Status = batchv1.JobStatus{Succeeded: 1, StartTime: &now, CompletionTime: &now, Ready: ptr.To[int32](0), UncountedTerminatedPods: &batchv1.UncountedTerminatedPods{},
			Conditions: []batchv1.JobCondition{
				{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue}, {Type: batchv1.JobComplete, Status: corev1.ConditionTrue},
			}}
		_, err = jobs.UpdateStatus(ctx, j, metav1.UpdateOptions{})
		return err
	}))
}

// TestHelmIsSilent: what Helm logs through the process's logger must not reach the terminal.
func TestHelmIsSilent(t *testing.T) {
	t.Parallel()
	helm.New(nil, helm.Options{})
	if slog.Default().Enabled(t.Context(), slog.LevelError) {
		t.Error("errors that Helm logs would be printed")
	}
}
