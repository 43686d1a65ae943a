package kube

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var (
	claims  = kschema.GroupKind{Kind: "PersistentVolumeClaim"}
	volumes = kschema.GroupKind{Kind: "PersistentVolume"}
)

// dataKinds are the kinds whose objects are data, or the only way to it. cxha never removes one: a block that goes, or a slip in
// it, must not cost what nobody can make again.
var dataKinds = []kschema.GroupKind{
	claims, volumes,
	{Group: "snapshot.storage.k8s.io", Kind: "VolumeSnapshot"}, {Group: "snapshot.storage.k8s.io", Kind: "VolumeSnapshotContent"},
}

// HoldsData reports whether an object of the kind is data, which cxha never removes.
func HoldsData(gk kschema.GroupKind) bool { return slices.Contains(dataKinds, gk) }

// staying takes out of what is to be removed what stays: data, namespaces with data in them, definitions of kinds of which there are
// more objects. The notes say what and why, in order.
func (o *observer) staying(ctx context.Context, gone []*unstructured.Unstructured) (left []*unstructured.Unstructured, notes []string, err error) {
	data := map[string][]string{} // by namespace: its data
	for _, object := range gone {
		if !HoldsData(object.GroupVersionKind().GroupKind()) {
			left = append(left, object)
			continue
		}
		note, err := o.dataNote(ctx, object)
		if err != nil {
			return nil, nil, err
		}
		notes = append(notes, note)
		data[object.GetNamespace()] = append(data[object.GetNamespace()], object.GetKind()+" "+object.GetName())
	}
	gone, left = left, nil
	for _, object := range gone {
		note := ""
		switch gk := object.GroupVersionKind().GroupKind(); {
		case gk == namespaces && len(data[object.GetName()]) > 0:
			held := data[object.GetName()]
			slices.Sort(held)
			note = fmt.Sprintf("%s is no longer in the blueprint and stays, because data would go with it: %s", title(object), enumerate(held, 5))
		case gk == definitions:
			if note, err = o.definitionNote(ctx, object, gone); err != nil {
				return nil, nil, err
			}
		}
		if note != "" {
			notes = append(notes, note)
			continue
		}
		left = append(left, object)
	}
	slices.Sort(notes)
	return left, notes, nil
}

// dataNote says that an object stays, with the volume behind it, and both ways on.
func (o *observer) dataNote(ctx context.Context, object *unstructured.Unstructured) (string, error) {
	behind, err := o.volumeOf(ctx, object)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s is no longer in the blueprint and stays with its data%s. To delete both: `%s`. To keep it and hear no more of it: `%s`",
		title(object), behind, kubectl("delete", object), kubectl("label", object, ClusterLabel+"-")), nil
}

// volumeOf names the volume of a claim and what becomes of it when the claim is deleted; empty: it has none.
func (o *observer) volumeOf(ctx context.Context, object *unstructured.Unstructured) (string, error) {
	if object.GroupVersionKind().GroupKind() != claims {
		return "", nil
	}
	claim, err := o.objectOfKind(ctx, claims, nameOf(object))
	if err != nil || claim == nil {
		return "", err
	}
	name, _, _ := unstructured.NestedString(claim.Object, "spec", "volumeName")
	if name == "" {
		return ", though it has no volume yet", nil
	}
	volume, err := o.objectOfKind(ctx, volumes, types.NamespacedName{Name: name})
	if err != nil || volume == nil {
		return " (volume " + name + ")", err
	}
	policy, _, _ := unstructured.NestedString(volume.Object, "spec", "persistentVolumeReclaimPolicy")
	return fmt.Sprintf(" (volume %s, reclaim policy %s)", name, policy), nil
}

// objectOfKind returns an object from the list of its kind; nil: there is none.
func (o *observer) objectOfKind(ctx context.Context, gk kschema.GroupKind, name types.NamespacedName) (*unstructured.Unstructured, error) {
	kind, ok := o.catalog.find(o.catalog.preferred[gk])
	if !ok {
		return nil, nil
	}
	all, err := o.view.list(ctx, listing{kind: kind})
	return all[name], err
}

// definitionNote says that a definition stays because objects of its kind do; empty: it may go.
func (o *observer) definitionNote(ctx context.Context, definition *unstructured.Unstructured, gone []*unstructured.Unstructured) (string, error) {
	leaving := map[identity]bool{}
	for _, object := range gone {
		leaving[identityOf(object)] = true
	}
	kind, ok := o.catalog.defined(definition.GetName())
	if !ok || !kind.listable {
		return "", nil
	}
	all, err := o.view.list(ctx, listing{kind: kind})
	if err != nil {
		return "", err
	}
	var held []string
	for _, name := range slices.SortedFunc(maps.Keys(all), func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) }) {
		if !leaving[identityOf(all[name])] {
			held = append(held, title(all[name]))
		}
	}
	if len(held) == 0 {
		return "", nil
	}
	return fmt.Sprintf("%s is no longer in the blueprint and stays, because these would go with it: %s. Delete them if they are not needed; the next apply removes the definition",
		title(definition), enumerate(held, 5)), nil
}

// defined returns the kind that a definition, PLURAL.GROUP, brings.
func (c *catalog) defined(name string) (kind servedKind, ok bool) {
	plural, group, _ := strings.Cut(name, ".")
	for _, gvk := range c.preferred {
		if k := c.kinds[gvk]; k.Group == group && k.Resource == plural {
			return k, true
		}
	}
	return servedKind{}, false
}
