package kube

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// usual are the kinds that are looked through for objects with the mark even where neither blueprint nor inventory names them.
var usual = []kschema.GroupKind{
	{Kind: "Namespace"}, {Kind: "ConfigMap"}, {Kind: "Secret"}, {Kind: "Service"}, {Kind: "ServiceAccount"}, {Kind: "PersistentVolumeClaim"},
	{Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"}, {Group: "apps", Kind: "DaemonSet"},
	{Group: "batch", Kind: "Job"}, {Group: "batch", Kind: "CronJob"},
	{Group: "networking.k8s.io", Kind: "Ingress"}, {Group: "storage.k8s.io", Kind: "StorageClass"},
	{Group: "rbac.authorization.k8s.io", Kind: "Role"}, {Group: "rbac.authorization.k8s.io", Kind: "RoleBinding"},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}, {Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"},
}

// found returns the objects with the mark that are not in the blueprint: one list per kind, of metadata only where no list of
// the kind is needed anyway. A kind that cannot be listed, such as one whose conversion webhook is down, is left for the next time:
// what cannot be listed cannot be removed either.
func (o *observer) found(ctx context.Context) ([]leaving, []string, error) {
	wanted, full := o.desired()
	kinds := slices.Concat(usual, o.world.hints)
	for gk := range full {
		kinds = append(kinds, gk)
	}
	slices.SortFunc(kinds, func(a, b kschema.GroupKind) int { return cmp.Compare(a.String(), b.String()) })
	kinds = slices.Compact(kinds)
	lists := make([][]*unstructured.Unstructured, len(kinds))
	var g errgroup.Group
	for i, gk := range kinds {
		g.Go(func() (err error) {
			lists[i], err = o.marked(ctx, gk, full)
			if !transient(err) {
				err = nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	var gone []*unstructured.Unstructured
	for _, object := range slices.Concat(lists...) {
		if !wanted[identityOf(object)] && o.removes(object) {
			gone = append(gone, object)
		}
	}
	gone, notes, err := o.staying(ctx, gone)
	return o.removals(gone), notes, err
}

// desired returns the objects of the blueprint, and the kinds of them, which are listed in full.
func (o *observer) desired() (wanted map[identity]bool, full map[kschema.GroupKind]kschema.GroupVersionKind) {
	wanted, full = map[identity]bool{}, map[kschema.GroupKind]kschema.GroupVersionKind{}
	for _, r := range o.resources {
		object, err := objectOf(r.Desired)
		if err != nil {
			continue // one reports it
		}
		gvk := object.GroupVersionKind()
		if kind, ok := o.catalog.find(gvk); ok {
			place(object, kind, o.conn.bundleOf(r.Addr.Block))
			full[gvk.GroupKind()] = gvk
		}
		wanted[identityOf(object)] = true
	}
	return wanted, full
}

// marked lists the objects of a kind that may carry the mark.
func (o *observer) marked(ctx context.Context, gk kschema.GroupKind, full map[kschema.GroupKind]kschema.GroupVersionKind) ([]*unstructured.Unstructured, error) {
	gvk, inFull := full[gk]
	what := listing{marked: o.bp.Cluster.Name}
	if inFull {
		what.marked = ""
	} else if gvk, inFull = o.catalog.preferred[gk]; !inFull {
		return nil, nil
	}
	kind, ok := o.catalog.find(gvk)
	if !ok || !kind.listable {
		return nil, nil
	}
	what.kind = kind
	all, err := o.view.list(ctx, what)
	if err != nil {
		return nil, err
	}
	var found []*unstructured.Unstructured
	for _, object := range all {
		if object.GetKind() == "" { // of a list of metadata
			object = object.DeepCopy() // others read the list too
			object.SetGroupVersionKind(gvk)
		}
		found = append(found, object)
	}
	return found, nil
}

// removes reports whether an object that is not in the blueprint is cxha's to remove. Objects that a controller made of one that
// is, with its labels, are their owner's.
func (o *observer) removes(object *unstructured.Unstructured) bool {
	f := marksOf(object)
	return f.cluster == o.bp.Cluster.Name && f.block != "" && !f.keep &&
		object.GetAnnotations()[sharedAnnotation] != "true" && len(object.GetOwnerReferences()) == 0 && object.GetKind() != "Node"
}

// leaving is an object with the mark that is not in the blueprint.
type leaving struct {
	resource providers.Resource
	value    cty.Value
	after    []schema.BlockAddr // as the object remembers
}

// removals are the objects' removals, in the reverse order of creation.
func (o *observer) removals(gone []*unstructured.Unstructured) []leaving {
	slices.SortFunc(gone, func(a, b *unstructured.Unstructured) int { return removalAddr(a).Compare(removalAddr(b)) })
	at := o.bp.Cluster.Source.Block
	var hooks []schema.Addr
	inNamespace, ofGroup := map[string][]schema.Addr{}, map[string][]schema.Addr{}
	for _, object := range gone {
		addr := removalAddr(object)
		gvk := object.GroupVersionKind()
		if slices.Contains(webhooks, gvk.GroupKind()) {
			hooks = append(hooks, addr)
		}
		if ns := object.GetNamespace(); ns != "" {
			inNamespace[ns] = append(inNamespace[ns], addr)
		}
		ofGroup[gvk.Group] = append(ofGroup[gvk.Group], addr)
	}
	var ls []leaving
	for _, object := range gone {
		var before []schema.Addr
		gk := object.GroupVersionKind().GroupKind()
		switch {
		case gk == namespaces:
			before = slices.Concat(hooks, inNamespace[object.GetName()])
		case gk == definitions:
			before = slices.Concat(hooks, ofGroup[groupOfDefinition(object.GetName())])
		case !slices.Contains(webhooks, gk):
			before = hooks
		}
		r := providers.Resource{Addr: removalAddr(object), Desired: cty.NullVal(objectKind{}.Type().Object), Range: at, Successor: o.successor(object)}
		for _, a := range before {
			r.After = append(r.After, providers.Edge{To: a, Range: at})
		}
		ls = append(ls, leaving{resource: r, value: removalValue(object), after: marksOf(object).comesAfter()})
	}
	return ls
}

// generated is the name that kustomize gives to a generated ConfigMap or Secret: ten letters and digits of its content's hash follow
// its own (kustomize, api/hasher).
var generated = regexp.MustCompile(`^(.+)-[2456789bcdfghkmt]{10}$`)

// successor returns the next version of an object that a kustomization's generator made; the zero address: there is none.
func (o *observer) successor(object *unstructured.Unstructured) schema.Addr {
	old := removalAddr(object)
	base := generated.FindStringSubmatch(object.GetName())
	if base == nil || old.Block.Type != "kustomization" || !slices.Contains([]string{"ConfigMap", "Secret"}, object.GetKind()) {
		return schema.Addr{}
	}
	prefix := strings.TrimSuffix(old.Key, object.GetName())
	for _, r := range o.resources {
		name, ok := strings.CutPrefix(r.Addr.Key, prefix)
		if now := generated.FindStringSubmatch(name); ok && r.Addr.Block == old.Block && now != nil && now[1] == base[1] {
			return r.Addr
		}
	}
	return schema.Addr{}
}

func removalAddr(object *unstructured.Unstructured) schema.Addr {
	block, err := schema.ParseBlockAddr(marksOf(object).block)
	if err != nil { // somebody changed it
		block = schema.BlockAddr{Type: "manifest", Name: "removed"}
	}
	return schema.Addr{Block: block, Type: typeObject, Key: identityOf(object).String()}
}

// removalValue is what is shown of an object that is to be removed: enough to find it, nothing that may be secret.
func removalValue(object *unstructured.Unstructured) cty.Value {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetGroupVersionKind(object.GroupVersionKind())
	o.SetName(object.GetName())
	o.SetNamespace(object.GetNamespace())
	return marksOf(object).value(contentValue(o.Object, false))
}

// groupOfDefinition is the group in a definition's name, PLURAL.GROUP.
func groupOfDefinition(name string) string {
	_, group, _ := strings.Cut(name, ".")
	return group
}
