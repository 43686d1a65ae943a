package players

import (
	"context"
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
)

// kinds watches MetalLB's objects while their definitions are there.
type kinds struct {
	*world
	ctx         context.Context
	definitions dynamicinformer.DynamicSharedInformerFactory
	watched     types.UID // of the definition of pools that is watched; empty for none
	objects     map[string]cache.GenericLister
	synced      []cache.InformerSynced
	end         context.CancelFunc // of the watches of objects
}

func metallbResource(plural string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "metallb.io", Version: "v1beta1", Resource: plural}
}

var definitionResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

func (w *world) newKinds(ctx context.Context) (*kinds, error) {
	k := &kinds{world: w, ctx: ctx, definitions: dynamicinformer.NewDynamicSharedInformerFactory(w.dynamic, 0), end: func() {}}
	if err := w.notifyOf(k.definitions.ForResource(definitionResource).Informer()); err != nil {
		return nil, err
	}
	k.definitions.Start(ctx.Done())
	return k, nil
}

func (k *kinds) stop() { k.end() }

// refresh starts or ends the watches; ready tells whether the objects can be listed.
func (k *kinds) refresh() (ready bool, err error) {
	uid := types.UID("")
	definition, err := k.definitions.ForResource(definitionResource).Lister().Get("ipaddresspools.metallb.io")
	if err == nil && isEstablished(definition) {
		uid = definition.(*unstructured.Unstructured).GetUID()
	}
	if uid != k.watched {
		k.end()
		k.watched, k.objects, k.synced, k.end = uid, map[string]cache.GenericLister{}, nil, func() {}
		if uid == "" {
			return false, nil
		}
		var ctx context.Context
		ctx, k.end = context.WithCancel(k.ctx)
		factory := dynamicinformer.NewDynamicSharedInformerFactory(k.dynamic, 0)
		for _, plural := range []string{"ipaddresspools", "l2advertisements"} {
			informer := factory.ForResource(metallbResource(plural))
			if err := k.notifyOf(informer.Informer()); err != nil {
				return false, err
			}
			k.objects[plural] = informer.Lister()
			k.synced = append(k.synced, informer.Informer().HasSynced)
		}
		factory.Start(ctx.Done())
	}
	if uid == "" {
		return false, nil
	}
	for _, synced := range k.synced {
		if !synced() {
			return false, nil
		}
	}
	return true, nil
}

func isEstablished(definition runtime.Object) bool {
	object, ok := definition.(*unstructured.Unstructured)
	if !ok || object.GetDeletionTimestamp() != nil {
		return false
	}
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	if err != nil {
		return false
	}
	for _, c := range conditions {
		if condition, ok := c.(map[string]any); ok && condition["type"] == "Established" && condition["status"] == "True" {
			return true
		}
	}
	return false
}

// convert reads an object of the API into one of our types.
func convert(from runtime.Object, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// list converts all objects of a kind in a namespace.
func list[T any](k *kinds, plural, namespace string) ([]T, error) {
	objects, err := k.objects[plural].ByNamespace(namespace).List(labels.Everything())
	if err != nil {
		return nil, err
	}
	var converted []T
	for _, o := range objects {
		var t T
		if err := convert(o, &t); err != nil {
			return nil, err
		}
		converted = append(converted, t)
	}
	return converted, nil
}
