package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// Apply applies the object and waits until it is ready, or removes it and waits until it is gone; both for no longer than the
// block's timeout.
func (k objectKind) Apply(ctx context.Context, s providers.Session, c plans.Change) (cty.Value, error) {
	value := c.Desired
	removed := value == cty.NilVal || value.IsNull()
	if removed {
		if value = c.Before; value == cty.NilVal || value.IsNull() {
			return absent(k), nil
		}
	}
	object, err := objectOf(value)
	if err != nil {
		return cty.NilVal, err
	}
	return k.apply(s, c, func(api call) (cty.Value, error) {
		api.changing()
		b := api.bundleOf(c.Addr.Block)
		ctx, cancel := context.WithTimeoutCause(ctx, b.Timeout, fmt.Errorf("not done after %s", b.Timeout))
		defer cancel()
		w := &work{call: api, bundle: b, object: object, stated: object.GetNamespace(), desired: c.Desired}
		if removed {
			w.desired = absent(k)
			return absent(k), w.remove(ctx)
		}
		applied, err := w.put(ctx)
		if err != nil {
			return cty.NilVal, err
		}
		ready, err := w.awaitReady(ctx, applied)
		if err == nil {
			ready, err = w.seenReady(ctx, ready)
		}
		if err != nil {
			return cty.NilVal, err
		}
		if vanishes(object) {
			if err := w.recordRun(ctx); err != nil {
				return cty.NilVal, fmt.Errorf("%s: it ran, and that could not be kept in %s/%s: %w", title(object), systemNamespace, inventoryName, err)
			}
		}
		return w.value(ready), nil
	})
}

// value is what a probe says of an object that is as desired.
func (w *work) value(o *unstructured.Unstructured) cty.Value {
	wanted, _ := leave(w.object, o)
	content, _ := compared(wanted, o, o)
	if w.stated == "" {
		unstructured.RemoveNestedField(content, "metadata", "namespace")
	}
	f := marksOf(o)
	f.id = attr(w.desired, "id")
	f.keep = f.keep && keeps(w.desired)
	return f.value(contentValue(content, w.desired.GetAttr("content").HasMark(schema.Sensitive)))
}

// work is the change of one object.
type work struct {
	call
	bundle  bundle
	object  *unstructured.Unstructured
	stated  string    // namespace that the blueprint states; empty: none
	desired cty.Value // null: to be removed
	kind    servedKind

	said          string    // what it waits for, as it was last told
	occupiedSince time.Time // when a namespace that is to be removed was first seen with objects of others in it
}

// noKind is what an object waits for whose kind the API does not have.
const noKind = "the definition of its kind"

// laterError is an answer that passes when something else in the cluster is ready.
type laterError struct {
	waits string // what for, in a few words
	err   error
}

func (e *laterError) Error() string { return e.waits + ": " + brief(e.err) }
func (e *laterError) Unwrap() error { return e.err }

// retry runs try until it succeeds or fails for a reason that time does not mend. It tells what it waits for.
func (w *work) retry(ctx context.Context, try func(context.Context, dynamic.ResourceInterface) error) error {
	backoff := wait.Backoff{Duration: 100 * time.Millisecond, Factor: 1.5, Jitter: 0.1, Steps: 1000, Cap: 3 * time.Second}
	for {
		err := w.attemptObject(ctx, try)
		var later *laterError
		isLater := errors.As(err, &later)
		switch {
		case err == nil:
			return nil
		case !isLater && !transient(err):
			return err
		}
		if isLater && later.waits == noKind && w.desired.IsNull() {
			return nil // with the kind, its objects went
		}
		said := "the Kubernetes API: " + brief(err)
		if isLater {
			said = later.Error()
		}
		if ctx.Err() == nil {
			w.tell("waiting for " + said)
		}
		if pause(ctx, backoff.Step()) != nil {
			return fmt.Errorf("%s: %w; waiting for %s", title(w.object), context.Cause(ctx), said)
		}
	}
}

// tell tells what the change waits for, once.
func (w *work) tell(text string) {
	if text != w.said {
		w.progress("%s", text)
		w.said = text
	}
}

// attemptObject runs try once with the API of the object's kind.
func (w *work) attemptObject(ctx context.Context, try func(context.Context, dynamic.ResourceInterface) error) error {
	return w.attempt(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
		v, err := w.readOf(ctx)
		if err != nil {
			return err
		}
		kinds, err := v.kinds(ctx)
		if err != nil {
			w.forgetKinds()
			return err
		}
		kind, ok := kinds.find(w.object.GroupVersionKind())
		if !ok {
			w.forgetKinds() // the next attempt looks anew
			return &laterError{waits: noKind, err: fmt.Errorf("the API has no kind %s of %s", w.object.GetKind(), w.object.GetAPIVersion())}
		}
		w.kind = kind
		place(w.object, kind, w.bundle)
		api, err := resourceOf(v.config, kind, w.object)
		if err != nil {
			return err
		}
		if !w.desired.IsNull() {
			if err := w.hint(ctx, client, w.object.GroupVersionKind().GroupKind()); err != nil {
				return err
			}
		}
		return try(ctx, api)
	})
}

// put applies the object. What somebody else made since the plan is not taken over.
func (w *work) put(ctx context.Context) (applied *unstructured.Unstructured, err error) {
	err = w.retry(ctx, func(ctx context.Context, api dynamic.ResourceInterface) error {
		live, err := api.Get(ctx, w.object.GetName(), metav1.GetOptions{})
		shared := false
		switch {
		case apierrors.IsNotFound(err):
			live = nil
		case err != nil:
			return err
		case live.GetDeletionTimestamp() != nil:
			return &laterError{waits: "its predecessor to go", err: errors.New(leavingText(live))}
		default:
			if shared, err = w.takes(live); err != nil {
				return err
			}
		}
		wanted := w.object
		if live != nil {
			wanted, _ = leave(wanted, live)
		}
		applied, err = applyTo(ctx, api, application{body: waiting(body(w.desired, wanted, shared)), live: live})
		return w.explain(err)
	})
	return applied, err
}

// takes reports whether a live object is shared, and refuses one that is somebody else's.
func (w *work) takes(live *unstructured.Unstructured) (shared bool, err error) {
	if marksOf(live).cluster == attr(w.desired, "cluster") {
		return live.GetAnnotations()[sharedAnnotation] == "true", nil
	}
	if live.GroupVersionKind().GroupKind() == namespaces {
		return true, nil
	}
	wanted, _ := leave(w.object, live)
	if equalFields(predicted(wanted, live).Object, cleaned(live)) {
		return false, nil
	}
	return false, errors.New(foreign(wanted, live, w.cluster()))
}

// explain tells answers that pass from those that do not, and says what the latter mean.
func (w *work) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case webhookDown(err):
		return &laterError{waits: "a webhook that does not answer", err: err}
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return &laterError{waits: "the namespace, which is being removed", err: err}
	case waitsForAnother(err):
		return &laterError{waits: "what it refers to", err: err}
	case apierrors.IsConflict(err):
		return &laterError{waits: "another change of it", err: err}
	case apierrors.IsNotFound(err) && w.object.GetNamespace() != "":
		return &laterError{waits: "the namespace " + w.object.GetNamespace() + ", or the definition of the kind", err: err}
	case transient(err):
		return err
	case w.desired.IsNull(): // the answer is about its removal, and the object has nothing in it that it could tell
		return fmt.Errorf("%s: the API server does not remove it: %s", title(w.object), brief(err))
	case decided(err):
		return fmt.Errorf("%s: %s", title(w.object), refusalText(err, hides(w.desired, w.object)))
	case wrong(err):
		return errors.New(unchangeable(w.object, err, hides(w.desired, w.object)))
	case hides(w.desired, w.object):
		return fmt.Errorf("%s: %s", title(w.object), refusalText(err, true))
	}
	return fmt.Errorf("%s: %w", title(w.object), err)
}

// webhookDown reports whether an answer is about a webhook that could not be asked, not about what it said.
func webhookDown(err error) bool {
	if !apierrors.IsInternalError(err) && !apierrors.IsServiceUnavailable(err) && !apierrors.IsTimeout(err) {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "failed calling webhook") || strings.Contains(text, "failed to call webhook") || strings.Contains(text, "conversion webhook")
}

// leavingText tells what an object that is being removed waits for.
func leavingText(o *unstructured.Unstructured) string {
	if f := o.GetFinalizers(); len(f) > 0 {
		return title(o) + " is being removed, and waits for whoever has to finish " + strings.Join(f, ", ") + namespaceTrouble(o)
	}
	return title(o) + " is being removed" + namespaceTrouble(o)
}

// namespaceTrouble is what the API says of a namespace that cannot end, such as what is left in it, or an API service that does not answer.
func namespaceTrouble(o *unstructured.Unstructured) string {
	if o.GroupVersionKind().GroupKind() != namespaces {
		return ""
	}
	var said []string
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		if fields, ok := c.(map[string]any); ok && stringAt(fields, "status") == "True" && stringAt(fields, "message") != "" {
			said = append(said, stringAt(fields, "message"))
		}
	}
	if len(said) == 0 {
		return ""
	}
	return ": " + strings.Join(said, " ")
}
