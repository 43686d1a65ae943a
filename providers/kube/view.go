package kube

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/expertflow/cxha/internal/crash"
)

// view is what a probe reads of the API beyond the nodes: which kinds there are, and one list per kind, however many
// objects there are and whoever asks for them. It is safe for concurrent use.
type view struct {
	config  *rest.Config
	options Options

	mu      sync.Mutex // guards the maps, not what is in them
	catalog *lazy[*catalog]
	lists   map[listing]*lazy[objects]
}

// listing is what a list call asks for.
type listing struct {
	kind   servedKind
	marked string // only objects with the mark of this cluster, and of them only their metadata; empty: all
}

// objects are the objects of one kind. Those that are in no namespace have an empty one.
type objects map[types.NamespacedName]*unstructured.Unstructured

// lazy is a value that is read at the first call, at which the others wait.
type lazy[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// readOf returns the session's view.
func (c *conn) readOf(ctx context.Context) (*view, error) {
	config, err := c.restConfig(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.view == nil {
		c.view = &view{config: config, options: c.options, lists: map[listing]*lazy[objects]{}}
	}
	return c.view, nil
}

// withoutLists returns a view that has only which kinds there are.
func (v *view) withoutLists() *view {
	v.mu.Lock()
	defer v.mu.Unlock()
	return &view{config: v.config, options: v.options, catalog: v.catalog, lists: map[listing]*lazy[objects]{}}
}

// kinds returns which kinds the API has.
func (v *view) kinds(ctx context.Context) (*catalog, error) {
	v.mu.Lock()
	l := v.catalog
	if l == nil {
		l = begin(ctx, v, func(context.Context) (*catalog, error) { return readCatalog(v.config) })
		v.catalog = l
	}
	v.mu.Unlock()
	return l.wait(ctx)
}

// list returns the objects of a kind.
func (v *view) list(ctx context.Context, what listing) (objects, error) {
	v.mu.Lock()
	l := v.lists[what]
	if l == nil {
		l = begin(ctx, v, func(ctx context.Context) (objects, error) {
			if what.marked != "" {
				return v.listMarked(ctx, what)
			}
			return v.listAll(ctx, what.kind)
		})
		v.lists[what] = l
	}
	v.mu.Unlock()
	return l.wait(ctx)
}

// begin starts to read. Who asked first may go away: others wait for the same answer.
func begin[T any](ctx context.Context, v *view, read func(context.Context) (T, error)) *lazy[T] {
	l := &lazy[T]{done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), v.options.ProbeTimeout)
	go func() {
		defer close(l.done)
		defer cancel()
		l.err = crash.Call(func() (err error) {
			l.value, err = read(ctx)
			return err
		})
	}()
	return l
}

func (l *lazy[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-l.done:
		return l.value, l.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

func (v *view) listAll(ctx context.Context, kind servedKind) (objects, error) {
	client, err := dynamic.NewForConfig(v.config)
	if err != nil {
		return nil, err
	}
	list, err := client.Resource(kind.GroupVersionResource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	found := make(objects, len(list.Items))
	for i := range list.Items {
		found[nameOf(&list.Items[i])] = &list.Items[i]
	}
	return found, nil
}

func (v *view) listMarked(ctx context.Context, what listing) (objects, error) {
	client, err := metadata.NewForConfig(v.config)
	if err != nil {
		return nil, err
	}
	selector := labels.Set{ClusterLabel: what.marked}.String()
	list, err := client.Resource(what.kind.GroupVersionResource).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	found := make(objects, len(list.Items))
	for i := range list.Items {
		m := &list.Items[i]
		o := &unstructured.Unstructured{Object: map[string]any{}}
		o.SetNamespace(m.Namespace)
		o.SetName(m.Name)
		o.SetLabels(m.Labels)
		o.SetAnnotations(m.Annotations)
		o.SetOwnerReferences(m.OwnerReferences)
		found[nameOf(o)] = o
	}
	return found, nil
}

func nameOf(o *unstructured.Unstructured) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}
