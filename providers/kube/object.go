package kube

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

const typeObject = "kube.object"

// The marks of objects that cxha applied, beside [ClusterLabel].
const (
	BlockAnnotation = "cxha.io/block" // address of the object's block
	KeepAnnotation  = "cxha.io/keep"  // "true": the object is not removed when its block leaves the blueprint

	sharedAnnotation  = "cxha.io/shared"  // "true": the object was there before cxha, so it is never removed
	appliedAnnotation = "cxha.io/applied" // digest of which fields were applied
)

// marks are the labels and annotations of cxha's own.
var marks = []string{ClusterLabel, BlockAnnotation, KeepAnnotation, sharedAnnotation, appliedAnnotation, afterAnnotation, waitingAnnotation}

// objectKind is one object of any kind, of a manifest block, of a kustomization, or of a block that expands to such.
type objectKind struct{ *Provider }

// Type describes kube.object.
func (objectKind) Type() providers.Type {
	return providers.Type{
		Name: typeObject,
		Doc: "An object in the cluster, applied by the API server itself with the field manager cxha: fields that the blueprint states are put right, " +
			"others are left alone. Done means that the object is ready; what is taken out of the blueprint is removed.",
		Object: cty.Object(map[string]cty.Type{
			"id":      cty.String,           // KIND[.GROUP]/[NAMESPACE/]NAME
			"cluster": cty.String,           // value of the mark; null: the object does not carry it
			"block":   cty.String,           // address of the block that it belongs to
			"keep":    cty.Bool,             // it stays when its block leaves the blueprint
			"after":   cty.List(cty.String), // blocks that its block comes after; null: none
			"unready": cty.Bool,             // true: a run changed it and did not see it ready, and it is not now; else null

			// Content of a desired value has the fields that the blueprint states; of a live one the object's fields, without those that
			// only others have set and that an apply leaves alone. Lists whose elements have keys are objects in live values:
			// containers["name=web"]. What is secret is marked.
			"content": cty.DynamicPseudoType,
		}),
		RemoveLast: true,
		Cost:       2,
	}
}

// identity names an object whatever the version of its kind.
type identity struct {
	kind            kschema.GroupKind
	namespace, name string
}

// String returns the form of addresses: Deployment.apps/cx/web, Namespace/cx.
func (id identity) String() string {
	s := id.kind.String() + "/"
	if id.namespace != "" {
		s += id.namespace + "/"
	}
	return s + id.name
}

func identityOf(o *unstructured.Unstructured) identity {
	return identity{kind: o.GroupVersionKind().GroupKind(), namespace: o.GetNamespace(), name: o.GetName()}
}

// title names an object in sentences: Deployment cx/web.
func title(o *unstructured.Unstructured) string {
	if ns := o.GetNamespace(); ns != "" {
		return o.GetKind() + " " + ns + "/" + o.GetName()
	}
	return o.GetKind() + " " + o.GetName()
}

// facts are the attributes of a kube.object beside its content.
type facts struct {
	id      string
	cluster string // empty: null
	block   string // empty: null
	keep    bool
	after   []string // sorted; empty: null
	unready bool
}

func (f facts) value(content cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"id": cty.StringVal(f.id), "cluster": orAbsent(f.cluster), "block": orAbsent(f.block), "keep": cty.BoolVal(f.keep),
		"after": listOrAbsent(f.after), "unready": trueOrAbsent(f.unready), "content": content,
	})
}

func orAbsent(s string) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(s)
}

func trueOrAbsent(b bool) cty.Value {
	if !b {
		return cty.NullVal(cty.Bool)
	}
	return cty.True
}

// marksOf reads the marks of a live object.
func marksOf(o *unstructured.Unstructured) facts {
	notes := o.GetAnnotations()
	return facts{
		id: identityOf(o).String(), cluster: o.GetLabels()[ClusterLabel], block: notes[BlockAnnotation], keep: notes[KeepAnnotation] == "true",
		after: strings.FieldsFunc(notes[afterAnnotation], isNewline), unready: notes[waitingAnnotation] == "true",
	}
}

// objectOf returns the object of a value, without marks of any sort.
func objectOf(v cty.Value) (*unstructured.Unstructured, error) {
	content, ok := plainOf(schema.Plain(v).GetAttr("content")).(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: its content is no object; this is a bug in cxha", attr(v, "id"))
	}
	return &unstructured.Unstructured{Object: content}, nil
}

// live is not used: objects are not part of the world, see Provider.observe.
func (k objectKind) live(*world, cty.Value) cty.Value { return absent(k) }

// Explain says in words that an object joins the blueprint or moves in it.
func (k objectKind) Explain(c plans.Change) (plans.Reason, error) {
	if c.Before.IsNull() || c.After.IsNull() {
		return c.Reason, nil
	}
	reason := c.Reason
	var differ []string
	for _, a := range plans.Attrs(c.Before, c.After) {
		if a.Root == "content" || a.Root == "keep" {
			differ = append(differ, a.Path)
		}
	}
	was, is := attr(c.Before, "block"), attr(c.After, "block")
	switch {
	case attr(c.Before, "cluster") == "":
		reason.Text = "it is there already, and becomes part of the blueprint"
	case was != is && was != "":
		reason.Text = "moves from " + was
	default:
		return reason, nil
	}
	if len(differ) > 0 {
		reason.Text += "; " + enumerate(differ, 5) + plural(len(differ), " differs", " differ")
	}
	return reason, nil
}
