package kube

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// readObjects decodes a text with any number of YAML or JSON documents. Lists are taken apart, empty documents skipped. Every
// object that can be read is returned, also where others cannot. A strict reader refuses names that stand twice in a mapping.
func readObjects(text string, strict bool) ([]*unstructured.Unstructured, []error) {
	var found []*unstructured.Unstructured
	var errs []error
	docs := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for n := 1; ; n++ {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return found, errs
		}
		if err != nil {
			return found, append(errs, fmt.Errorf("document %d: %w", n, err))
		}
		objects, err := readDocument(doc, strict)
		if err != nil {
			errs = append(errs, fmt.Errorf("document %d: %w", n, err))
		}
		found = append(found, objects...)
	}
}

// maxObject is more than etcd takes.
const maxObject = 8 << 20

func readDocument(doc []byte, strict bool) ([]*unstructured.Unstructured, error) {
	if len(doc) > maxObject {
		return nil, fmt.Errorf("it has %d bytes, more than an object can have", len(doc))
	}
	toJSON := yaml.YAMLToJSON
	if strict {
		toJSON = yaml.YAMLToJSONStrict
	}
	j, err := toJSON(doc)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(bytes.TrimSpace(j), []byte("null")) {
		return nil, nil
	}
	var content map[string]any
	if err := json.Unmarshal(j, &content); err != nil {
		return nil, errors.New("it is no object with apiVersion, kind and metadata")
	}
	return flatten(content)
}

// flatten takes lists apart.
func flatten(content map[string]any) ([]*unstructured.Unstructured, error) {
	kind, _ := content["kind"].(string)
	items, isList := content["items"].([]any)
	if !isList || !strings.HasSuffix(kind, "List") {
		return []*unstructured.Unstructured{{Object: content}}, nil
	}
	var found []*unstructured.Unstructured
	for i, item := range items {
		m, ok := item.(map[string]any)
		if !ok {
			return found, fmt.Errorf("item %d of the %s is no object", i+1, kind)
		}
		more, err := flatten(m)
		found = append(found, more...)
		if err != nil {
			return found, err
		}
	}
	return found, nil
}

// check drops nulls, which say nothing, and returns what makes an object one that cannot be applied.
func check(o *unstructured.Unstructured) error {
	dropNulls(o.Object)
	meta, hasMeta := o.Object["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	ns, isText := meta["namespace"].(string)
	_, hasNamespace := meta["namespace"]
	switch {
	case o.GetAPIVersion() == "":
		return errors.New("it has no apiVersion")
	case o.GetKind() == "":
		return errors.New("it has no kind")
	case !hasMeta:
		return fmt.Errorf("the %s has no metadata", o.GetKind())
	case o.GetGenerateName() != "" && name == "":
		return fmt.Errorf("the %s has generateName, so every apply would make another one; give it a name", o.GetKind())
	case name == "":
		return fmt.Errorf("the %s has no metadata.name", o.GetKind())
	case hasNamespace && !isText:
		return fmt.Errorf("the namespace of %s %s is no text", o.GetKind(), name)
	case ns == "" && hasNamespace:
		delete(meta, "namespace")
	}
	for _, field := range []string{"labels", "annotations"} {
		if _, _, err := unstructured.NestedStringMap(o.Object, "metadata", field); err != nil {
			return fmt.Errorf("the %s of %s are not all texts; put numbers and booleans in quotes", field, title(o))
		}
	}
	return nil
}

// ownMetadata are fields of metadata that the API server writes.
var ownMetadata = []string{"creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generateName", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}

// clean drops what is not for a blueprint to state, nulls, and cxha's own marks.
func clean(o *unstructured.Unstructured) {
	delete(o.Object, "status")
	for _, field := range ownMetadata {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	for _, name := range marks {
		unstructured.RemoveNestedField(o.Object, "metadata", "labels", name)
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations", name)
	}
	unstructured.RemoveNestedField(o.Object, "metadata", "annotations", lastApplied)
	dropNulls(o.Object)
	if gk := o.GroupVersionKind().GroupKind(); gk == definitions || slices.Contains(webhooks, gk) {
		dropPlaceholders(o.Object)
	}
	for _, field := range []string{"labels", "annotations"} {
		if m, ok, _ := unstructured.NestedMap(o.Object, "metadata", field); ok && len(m) == 0 {
			unstructured.RemoveNestedField(o.Object, "metadata", field)
		}
	}
}

// dropPlaceholders drops the certificates by which the API server knows webhooks where they are stated as nothing: a controller
// fills them in, and an apply would take them away again.
func dropPlaceholders(v any) {
	switch v := v.(type) {
	case map[string]any:
		if text, ok := v["caBundle"].(string); ok {
			if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(bytes.TrimSpace(b)) == 0 {
				delete(v, "caBundle")
			}
		}
		for _, e := range v {
			dropPlaceholders(e)
		}
	case []any:
		for _, e := range v {
			dropPlaceholders(e)
		}
	}
}

// lastApplied is kubectl's annotation with a copy of the whole object.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil {
				delete(v, k)
				continue
			}
			dropNulls(e)
		}
	case []any:
		for _, e := range v {
			dropNulls(e)
		}
	}
}

// canonical writes an object's fields as the API server does: quantities, times, and a Secret's stringData as data. An
// error means that a field has a type which its kind does not have there. Kinds that client-go does not know stay as they are.
func canonical(o *unstructured.Unstructured) error {
	if isSecret(o.Object) {
		foldStringData(o.Object)
	}
	typed, err := roundTrip(o.Object)
	if err != nil {
		return misfit(o.Object, err)
	}
	if typed == nil {
		return nil
	}
	o.Object = restrict(o.Object, typed).(map[string]any)
	withoutRollingUpdate(o)
	return nil
}

// withoutRollingUpdate states that a workload which is not updated step by step has no settings for that. Else those that the API
// server filled in while it was would stay, and it refuses them.
func withoutRollingUpdate(o *unstructured.Unstructured) {
	if o.GroupVersionKind().Group != "apps" {
		return
	}
	for _, field := range []string{"strategy", "updateStrategy"} {
		strategy, ok, _ := unstructured.NestedMap(o.Object, "spec", field)
		typ, _ := strategy["type"].(string)
		if _, stated := strategy["rollingUpdate"]; ok && !stated && typ != "" && typ != "RollingUpdate" {
			strategy["rollingUpdate"] = nil
			o.Object["spec"].(map[string]any)[field] = strategy
		}
	}
}

// restrict returns raw with the values that the same fields have in typed, where they are there: fields that only typed has,
// such as zero values that Go writes out, are not stated.
func restrict(raw, typed any) any {
	switch raw := raw.(type) {
	case map[string]any:
		from, ok := typed.(map[string]any)
		if !ok {
			return raw
		}
		out := make(map[string]any, len(raw))
		for k, v := range raw {
			if t, ok := from[k]; ok {
				v = restrict(v, t)
			}
			out[k] = v
		}
		return out
	case []any:
		from, ok := typed.([]any)
		if !ok || len(from) != len(raw) {
			return raw
		}
		out := make([]any, len(raw))
		for i := range raw {
			out[i] = restrict(raw[i], from[i])
		}
		return out
	case nil:
		return nil
	}
	if typed == nil {
		return raw
	}
	return typed
}

// Misfit returns which fields of an object have another type than its kind has there, with the place, what is there and what to write;
// nil: none, or its kind is not known here. It changes nothing.
func Misfit(content map[string]any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	var whole map[string]any // with integers as integers, whoever read the object
	if err := json.Unmarshal(text, &whole); err != nil {
		return err
	}
	if _, err := roundTrip(whole); err != nil {
		return misfit(whole, err)
	}
	return nil
}

// roundTrip returns an object as its Go type writes it; nil where there is none.
func roundTrip(content map[string]any) (map[string]any, error) {
	o := &unstructured.Unstructured{Object: content}
	gvk := o.GroupVersionKind()
	if gvk.Group == "rbac.authorization.k8s.io" {
		return nil, nil // an empty list of rules says something there, and is lost in the Go type
	}
	typed, err := scheme.Scheme.New(gvk)
	if err != nil {
		return nil, nil
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(runtime.DeepCopyJSON(content), typed); err != nil {
		return nil, err
	}
	return runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
}

// foldStringData does what the API server does with a Secret's stringData.
func foldStringData(content map[string]any) {
	plain, ok := content["stringData"].(map[string]any)
	if !ok {
		return
	}
	data, ok := content["data"].(map[string]any)
	if !ok {
		data = map[string]any{}
	}
	for name, v := range plain {
		text, isText := v.(string)
		if !isText {
			return // the round trip refuses it
		}
		data[name] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	content["data"] = data
	delete(content, "stringData")
}
