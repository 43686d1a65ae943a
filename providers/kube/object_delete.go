package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
)

// remove deletes the object and waits until it is gone.
func (w *work) remove(ctx context.Context) error {
	var gone *unstructured.Unstructured
	err := w.retry(ctx, func(ctx context.Context, api dynamic.ResourceInterface) error {
		live, err := api.Get(ctx, w.object.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			gone = nil
			return nil
		}
		if err != nil {
			return err
		}
		gone = live
		if live.GetDeletionTimestamp() != nil {
			return nil
		}
		return w.delete(ctx, api, live)
	})
	if err != nil || gone == nil {
		return err
	}
	return w.awaitGone(ctx, gone)
}

func (w *work) delete(ctx context.Context, api dynamic.ResourceInterface, live *unstructured.Unstructured) error {
	f := marksOf(live)
	if f.cluster != w.cluster() {
		return fmt.Errorf("%s: it does not carry cxha's mark any more, so it is not removed; if it shall go, delete it with `%s`", title(live), kubectl("delete", live))
	}
	if f.keep || live.GetAnnotations()[sharedAnnotation] == "true" {
		return fmt.Errorf("%s: it is to be kept, as its annotations say; plan anew", title(live))
	}
	if err := w.holdsNothing(ctx, live); err != nil {
		return err
	}
	background, uid := metav1.DeletePropagationBackground, live.GetUID()
	err := api.Delete(ctx, live.GetName(), metav1.DeleteOptions{PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &uid}})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return w.explain(err)
}

// holdsNothing refuses to delete what takes others with it: a namespace what is in it, a definition the objects of its kind.
func (w *work) holdsNothing(ctx context.Context, live *unstructured.Unstructured) error {
	switch gk := live.GroupVersionKind().GroupKind(); {
	case HoldsData(gk):
		return fmt.Errorf("%s: it holds data, which cxha never removes; delete it with `%s` if nobody needs it", title(live), kubectl("delete", live))
	case gk == namespaces:
		found, err := w.holds(ctx, live.GetName())
		if err != nil {
			return err
		}
		return w.occupied(live, found)
	case gk == definitions:
		return w.unused(ctx, live)
	}
	return nil
}

// unused refuses to delete a definition while there are objects of its kind: somebody made one since the plan.
func (w *work) unused(ctx context.Context, definition *unstructured.Unstructured) error {
	v, err := w.readOf(ctx)
	if err != nil {
		return err
	}
	kinds, err := v.kinds(ctx)
	if err != nil {
		return err
	}
	kind, ok := kinds.defined(definition.GetName())
	if !ok || !kind.listable {
		return nil
	}
	client, err := metadata.NewForConfig(v.config)
	if err != nil {
		return err
	}
	list, err := client.Resource(kind.GroupVersionResource).List(ctx, metav1.ListOptions{Limit: 1})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return err
	case len(list.Items) > 0:
		o := &list.Items[0]
		return fmt.Errorf("%s: there is still an object of its kind, %s/%s, which would go with it. Delete it if it is not needed, and apply again", title(definition), o.Namespace, o.Name)
	}
	return nil
}

// awaitGone waits until the object is gone.
func (w *work) awaitGone(ctx context.Context, was *unstructured.Unstructured) error {
	for {
		var live *unstructured.Unstructured
		err := w.attemptObject(ctx, func(ctx context.Context, api dynamic.ResourceInterface) (err error) {
			live, err = api.Get(ctx, was.GetName(), metav1.GetOptions{})
			return err
		})
		var later *laterError
		switch {
		case apierrors.IsNotFound(err), errors.As(err, &later), err == nil && live.GetUID() != was.GetUID():
			return nil
		case err == nil:
			was = live
			w.tell(leavingText(live))
		case !transient(err) && ctx.Err() == nil:
			return fmt.Errorf("%s: %w", title(was), err)
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			return fmt.Errorf("%s: %w; %s", title(was), context.Cause(ctx), leavingText(was))
		}
	}
}

// held is what is in a namespace that is not cxha's and that no controller would take away with its owner.
type held struct {
	released []string // by Helm: a release may be leaving at the same time
	others   []string
}

// holds looks through all kinds of objects.
func (w *work) holds(ctx context.Context, namespace string) (*held, error) {
	v, err := w.readOf(ctx)
	if err != nil {
		return nil, err
	}
	kinds, err := v.kinds(ctx)
	if err != nil {
		return nil, err
	}
	client, err := metadata.NewForConfig(v.config)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var found held
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(dryRuns)
	for gk, gvk := range kinds.preferred {
		kind := kinds.kinds[gvk]
		if !kind.namespaced || !kind.listable || slices.Contains(passing, gk.Kind) || kind.Group == "metrics.k8s.io" {
			continue
		}
		g.Go(func() error {
			list, err := client.Resource(kind.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range list.Items {
				found.add(gk.Kind, &list.Items[i], w.cluster())
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.Sort(found.released)
	slices.Sort(found.others)
	return &found, nil
}

// passing are kinds whose objects the cluster itself makes and takes away.
var passing = []string{"Event", "Endpoints", "EndpointSlice", "Lease", "ControllerRevision", "PodMetrics", "ReplicaSet"}

func (h *held) add(kind string, o *metav1.PartialObjectMetadata, cluster string) {
	switch {
	case o.DeletionTimestamp != nil, len(o.OwnerReferences) > 0, o.Labels[ClusterLabel] == cluster && o.Annotations[KeepAnnotation] != "true" && !HoldsData(kschema.GroupKind{Kind: kind}):
	case kind == "ConfigMap" && o.Name == "kube-root-ca.crt", kind == "ServiceAccount" && o.Name == "default":
	case o.Annotations["meta.helm.sh/release-name"] != "", kind == "Secret" && o.Labels["owner"] == "helm":
		h.released = append(h.released, kind+" "+o.Name)
	default:
		h.others = append(h.others, kind+" "+o.Name)
	}
}

// occupied refuses to remove a namespace. Where all that is in it is Helm's, it does so only after a while.
func (w *work) occupied(ns *unstructured.Unstructured, h *held) error {
	all := slices.Concat(h.others, h.released)
	if len(all) == 0 {
		return nil
	}
	if w.occupiedSince.IsZero() {
		w.occupiedSince = w.options.Now()
	}
	if len(h.others) == 0 && w.options.Now().Sub(w.occupiedSince) < w.options.NamespacePatience {
		return &laterError{waits: "the release in the namespace to go", err: errors.New(enumerate(all, 3))}
	}
	return fmt.Errorf("%s: it holds objects that are not cxha's, which would go with it: %s. Move or delete them and apply again, or keep the namespace with `%s`",
		title(ns), enumerate(all, 10), kubectl("annotate", ns, KeepAnnotation+"=true"))
}
