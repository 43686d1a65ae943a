package kube

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kschema "k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/addons"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// bundle is a block that puts objects into the cluster.
type bundle struct {
	blueprint.Common
	texts         []blueprint.Text
	kustomization string   // directory; empty: none
	before        []string // addresses of the blocks that it comes after, sorted
}

// bundlesOf returns the blueprint's bundles in the order of their addresses.
func bundlesOf(bp *blueprint.Blueprint) []bundle {
	var bs []bundle
	for _, m := range slices.Concat(bp.Manifests, addons.Manifests(bp)) {
		bs = append(bs, bundle{Common: m.Common, texts: m.Texts})
	}
	for _, k := range bp.Kustomizations {
		bs = append(bs, bundle{Common: k.Common, kustomization: k.Path})
	}
	for i := range bs {
		bs[i].before = BlocksBefore(bp, bs[i].Addr, bs[i].After)
	}
	return bs
}

// declared is one object of a bundle.
type declared struct {
	bundle *bundle
	object *unstructured.Unstructured
	secret bool   // it comes from a sensitive text
	origin string // file, or what it is, for diagnostics
}

// compileObjects declares the objects of all bundles.
func compileObjects(bp *blueprint.Blueprint) ([]providers.Resource, hcl.Diagnostics) {
	var all []declared
	var diags hcl.Diagnostics
	bundles := bundlesOf(bp)
	for i := range bundles {
		found, more := bundles[i].read()
		diags = append(diags, more...)
		all = append(all, found...)
	}
	scopes := definedScopes(all)
	for _, d := range all {
		d.place(scopes)
	}
	all, more := unique(all)
	diags = append(diags, more...)
	order := newOrdering(all)
	var rs []providers.Resource
	for _, d := range all {
		edges := append([]providers.Edge{on(bp.ControlPlane.Addr, typeNode, d.bundle.Source.Block)}, order.edges(d)...)
		for _, a := range d.bundle.After {
			edges = append(edges, providers.Edge{To: a, Range: d.bundle.Source.Block})
		}
		rs = append(rs, providers.Resource{Addr: d.addr(), Desired: d.desired(bp), After: edges, Range: d.bundle.Source.Block})
	}
	return rs, diags
}

func (d declared) addr() schema.Addr {
	return schema.Addr{Block: d.bundle.Addr, Type: typeObject, Key: identityOf(d.object).String()}
}

func (d declared) desired(bp *blueprint.Blueprint) cty.Value {
	f := facts{
		id: identityOf(d.object).String(), cluster: bp.Cluster.Name, block: d.bundle.Addr.String(), keep: d.bundle.Keep,
		after: d.bundle.before,
	}
	return f.value(contentValue(d.object.Object, d.secret))
}

// read decodes the bundle's texts, or builds its kustomization.
func (b *bundle) read() ([]declared, hcl.Diagnostics) {
	var found []declared
	var diags hcl.Diagnostics
	report := func(attr, summary, format string, args ...any) {
		diags = append(diags, problem(b.Source.Attr(attr), summary, fmt.Sprintf(format, args...)))
	}
	if b.kustomization != "" {
		objects, err := buildKustomization(b.kustomization)
		if err != nil {
			report("path", "Kustomization cannot be built", "The kustomization of %s cannot be built: %v.", b.Addr, err)
			return nil, diags
		}
		for _, o := range objects {
			found = append(found, declared{bundle: b, object: o, origin: "the kustomization"})
		}
	}
	for _, t := range b.texts {
		secret, attr := t.Content.HasMark(schema.Sensitive), "content"
		if _, files := b.Source.Attrs["files"]; files {
			attr = "files"
		}
		objects, errs := readObjects(text(schema.Plain(t.Content)), true)
		for _, err := range errs {
			report(attr, "Text with objects cannot be read", "%s of %s cannot be read: %s.", t.Name, b.Addr, unlessSecret(secret, err))
		}
		for _, o := range objects {
			found = append(found, declared{bundle: b, object: o, secret: secret, origin: t.Name})
		}
	}
	found, more := valid(found)
	return found, append(diags, more...)
}

// unlessSecret is an error's text, which may quote what it is about.
func unlessSecret(secret bool, err error) string {
	if secret {
		return "it is no valid YAML with Kubernetes objects; what is wrong with it is not shown, because the text is sensitive"
	}
	return err.Error()
}

// valid cleans the objects and leaves out those that cannot be applied.
func valid(ds []declared) ([]declared, hcl.Diagnostics) {
	var good []declared
	var diags hcl.Diagnostics
	for _, d := range ds {
		err := check(d.object)
		if err == nil && d.object.GroupVersionKind().Group == "kustomize.config.k8s.io" {
			err = fmt.Errorf("the %s is for kustomize, not for the cluster; name its directory in a kustomization block", d.object.GetKind())
		}
		if err == nil {
			clean(d.object)
			err = canonical(d.object)
			if err != nil {
				err = fmt.Errorf("%s does not fit its kind: %s", title(d.object), unlessSecret(d.secret || isSecret(d.object.Object), err))
			}
		}
		if err != nil {
			diags = append(diags, problem(d.bundle.Source.Block, "Invalid object", fmt.Sprintf("An object in %s of %s cannot be applied: %v.", d.origin, d.bundle.Addr, err)))
			continue
		}
		good = append(good, d)
	}
	return good, diags
}

// unique leaves out objects that are declared more than once.
func unique(ds []declared) ([]declared, hcl.Diagnostics) {
	first := map[identity]declared{}
	var once []declared
	var diags hcl.Diagnostics
	for _, d := range ds {
		id := identityOf(d.object)
		if f, dup := first[id]; dup {
			diags = append(diags, problem(d.bundle.Source.Block, "Object declared twice", fmt.Sprintf(
				"%s is declared in %s of %s and in %s of %s. An object has one owner: remove it from one of them.", title(d.object), f.origin, f.bundle.Addr, d.origin, d.bundle.Addr)))
			continue
		}
		first[id] = d
		once = append(once, d)
	}
	return once, diags
}

// scopes tells of kinds whether their objects are in namespaces.
type scopes map[kschema.GroupKind]bool

// definedScopes are those of the definitions among the objects.
func definedScopes(ds []declared) scopes {
	s := scopes{}
	for _, d := range ds {
		if kind, ok := definedKind(d.object); ok {
			scope, _, _ := unstructured.NestedString(d.object.Object, "spec", "scope")
			s[kind] = scope != "Cluster"
		}
	}
	return s
}

// definedKind is the kind that a CustomResourceDefinition defines.
func definedKind(o *unstructured.Unstructured) (kind kschema.GroupKind, ok bool) {
	if o.GroupVersionKind().GroupKind() != definitions {
		return kind, false
	}
	group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
	name, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
	return kschema.GroupKind{Group: group, Kind: name}, name != ""
}

// of tells whether objects of a kind are in namespaces; known is false where only the API knows.
func (s scopes) of(gvk kschema.GroupVersionKind) (namespaced, known bool) {
	if n, ok := s[gvk.GroupKind()]; ok {
		return n, true
	}
	apiVersion, kind := gvk.ToAPIVersionAndKind()
	return openapi.IsNamespaceScoped(kyaml.TypeMeta{APIVersion: apiVersion, Kind: kind})
}

// place gives the object the namespace that it does not name, and takes away one that its kind does not have. Where only the
// API knows, the probe and the change decide.
func (d declared) place(s scopes) {
	namespaced, known := s.of(d.object.GroupVersionKind())
	switch {
	case !known:
	case !namespaced:
		unstructured.RemoveNestedField(d.object.Object, "metadata", "namespace")
	case d.object.GetNamespace() == "":
		d.object.SetNamespace(d.bundle.namespace())
	}
}

// namespace is where objects go that name none.
func (b *bundle) namespace() string {
	if b.Namespace != "" {
		return b.Namespace
	}
	return "default"
}
