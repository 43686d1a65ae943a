package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

// awaitReady waits until the object is what it was applied to be, and returns it. applied is what the API server answered.
func (w *work) awaitReady(ctx context.Context, applied *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	backoff := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 1.5, Jitter: 0.1, Steps: 1000, Cap: 2 * time.Second}
	asked, reasons := w.options.Now(), ""
	for {
		missing, err := w.missing(ctx, applied)
		if err != nil || missing == "" {
			return applied, err
		}
		if now := w.options.Now(); now.Sub(asked) >= w.options.ReasonsAfter {
			asked, reasons = now, w.podReasons(ctx, applied)
		}
		if reasons != "" {
			missing += ". " + reasons
		}
		w.tell(missing)
		if pause(ctx, backoff.Step()) != nil {
			return nil, w.notReady(ctx, applied, missing)
		}
		if applied, err = w.fresh(ctx, applied); err != nil {
			return nil, err
		}
	}
}

// missing tells what an object still waits for; empty: it is ready. What kstatus does not look at closely is looked at here: it calls
// a Job that runs current, and a workload whose pods are replaced only when somebody deletes them.
func (w *work) missing(ctx context.Context, o *unstructured.Unstructured) (string, error) {
	switch {
	case isJob(o):
		text, err := jobMissing(o)
		return text, w.withPods(ctx, o, err)
	case updatedByHand(o):
		return podsMissing(o), nil
	}
	result, err := status.Compute(o)
	if err != nil {
		return "", fmt.Errorf("%s: its status cannot be read: %w", title(o), err)
	}
	switch result.Status {
	case status.CurrentStatus:
		return "", nil
	case status.FailedStatus:
		if o.GroupVersionKind().GroupKind() == definitions {
			return "", fmt.Errorf("%s: failed: %s", title(o), result.Message)
		}
	}
	if o.GetKind() == "PersistentVolumeClaim" && w.bindsLater(ctx, o) {
		return "", nil
	}
	text := result.Message
	if text == "" {
		text = string(result.Status)
	}
	return text, nil
}

// updatedByHand reports whether the pods of a workload are replaced only when somebody deletes them.
func updatedByHand(o *unstructured.Unstructured) bool {
	typ, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type")
	return o.GroupVersionKind().Group == "apps" && typ == "OnDelete"
}

// podsMissing tells which pods of a DaemonSet or StatefulSet are not ready, of whatever version they are.
func podsMissing(o *unstructured.Unstructured) string {
	number := func(path ...string) int64 {
		n, _, _ := unstructured.NestedInt64(o.Object, path...)
		return n
	}
	if number("status", "observedGeneration") < o.GetGeneration() {
		return "its controller has not seen it yet"
	}
	want, ready := number("spec", "replicas"), number("status", "readyReplicas")
	if o.GetKind() == "DaemonSet" {
		want, ready = number("status", "desiredNumberScheduled"), number("status", "numberReady")
	}
	if ready < want {
		return fmt.Sprintf("ready: %d of %d", ready, want)
	}
	return ""
}

// bindsLater reports whether a claim is bound only when a pod uses it: then it is as ready as it can be.
func (w *work) bindsLater(ctx context.Context, o *unstructured.Unstructured) bool {
	name, _, _ := unstructured.NestedString(o.Object, "spec", "storageClassName")
	if name == "" {
		return false
	}
	later := false
	err := w.attempt(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
		class, err := client.StorageV1().StorageClasses().Get(ctx, name, metav1.GetOptions{})
		if err == nil && class.VolumeBindingMode != nil {
			later = *class.VolumeBindingMode == "WaitForFirstConsumer"
		}
		return err
	})
	return err == nil && later
}

// fresh looks at the object anew. One that cannot be seen for now is as it was.
func (w *work) fresh(ctx context.Context, was *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	now := was
	err := w.attemptObject(ctx, func(ctx context.Context, api dynamic.ResourceInterface) (err error) {
		now, err = api.Get(ctx, w.object.GetName(), metav1.GetOptions{})
		return err
	})
	switch {
	case err == nil:
		return now, nil
	case apierrors.IsNotFound(err) && vanishes(w.object):
		return w.last(ctx, was)
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%s: somebody deleted it while cxha waited for it to be ready", title(w.object))
	case transient(err) || ctx.Err() != nil:
		return was, nil
	}
	return nil, fmt.Errorf("%s: %w", title(w.object), err)
}

// last is a Job that has removed itself, as it was then.
func (w *work) last(ctx context.Context, was *unstructured.Unstructured) (last *unstructured.Unstructured, err error) {
	err = w.attemptObject(ctx, func(ctx context.Context, api dynamic.ResourceInterface) (err error) {
		last, err = lastState(ctx, api, was)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: it is gone, and how it ended cannot be seen: %w", title(was), err)
	}
	if missing, err := jobMissing(last); err != nil || missing != "" {
		return nil, errors.Join(err, fmt.Errorf("%s: somebody deleted it before it ended", title(was)))
	}
	return last, nil
}

// notReady is the error of a wait that took too long, with what the object's pods tell.
func (w *work) notReady(ctx context.Context, o *unstructured.Unstructured, missing string) error {
	err := fmt.Errorf("%s: %w; %s", title(o), context.Cause(ctx), missing)
	return w.withPods(ctx, o, err)
}

// withPods adds to an error what the object's pods tell.
func (w *work) withPods(ctx context.Context, o *unstructured.Unstructured, err error) error {
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.options.ProbeTimeout)
	defer cancel()
	reasons := w.podReasons(ctx, o)
	if reasons == "" {
		return err
	}
	return fmt.Errorf("%w. %s", err, reasons)
}
