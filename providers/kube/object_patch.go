package kube

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// shapeDigest is a digest of which fields a desired value states, not of what they are: these are compared one by one, and
// a digest of secrets would tell of them. That the object is to be kept is a field, too.
func shapeDigest(desired cty.Value) string {
	o, err := objectOf(desired)
	if err != nil {
		return ""
	}
	b, err := json.Marshal(map[string]any{"content": shapeOf(o.Object), "keep": keeps(desired)})
	if err != nil {
		panic(fmt.Sprintf("shape of an object: %v; this is a bug in cxha", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

func shapeOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = shapeOf(e)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = shapeOf(e)
		}
		return l
	}
	return nil
}

// keeps reports whether a desired object stays when its block leaves the blueprint.
func keeps(desired cty.Value) bool {
	keep := desired.GetAttr("keep")
	return keep.IsKnown() && !keep.IsNull() && keep.True()
}

// body returns what is applied for a desired value: the object with its marks. shared tells that it was there before cxha.
func body(desired cty.Value, o *unstructured.Unstructured, shared bool) *unstructured.Unstructured {
	o = o.DeepCopy()
	labels, notes := o.GetLabels(), o.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if notes == nil {
		notes = map[string]string{}
	}
	labels[ClusterLabel] = attr(desired, "cluster")
	notes[BlockAnnotation] = attr(desired, "block")
	notes[appliedAnnotation] = shapeDigest(desired)
	if keeps(desired) {
		notes[KeepAnnotation] = "true"
	}
	if shared {
		notes[sharedAnnotation] = "true"
	}
	if after := texts(desired.GetAttr("after")); len(after) > 0 {
		notes[afterAnnotation] = strings.Join(after, "\n")
	}
	o.SetLabels(labels)
	o.SetAnnotations(notes)
	return o
}

// resourceOf returns the API of an object's kind in its namespace.
func resourceOf(config *rest.Config, kind servedKind, o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	if kind.namespaced {
		return client.Resource(kind.GroupVersionResource).Namespace(o.GetNamespace()), nil
	}
	return client.Resource(kind.GroupVersionResource), nil
}

// dryRun asks the API server what an apply would make of the object.
func (o *observer) dryRun(ctx context.Context, c comparison) (*unstructured.Unstructured, error) {
	api, err := resourceOf(o.view.config, c.kind, c.wanted)
	if err != nil {
		return nil, err
	}
	shared := c.live.GetAnnotations()[sharedAnnotation] == "true"
	return applyTo(ctx, api, application{body: body(c.resource.Desired, c.wanted, shared), live: c.live, dryRun: []string{metav1.DryRunAll}})
}

// kubectl is a command about an object.
func kubectl(verb string, o *unstructured.Unstructured, args ...string) string {
	words := []string{"kubectl", verb, strings.ToLower(o.GetKind())}
	if g := o.GroupVersionKind().Group; g != "" {
		words[2] += "." + g
	}
	words = append(words, o.GetName())
	if ns := o.GetNamespace(); ns != "" {
		words = append(words, "-n", ns)
	}
	return strings.Join(append(words, args...), " ")
}
