package helm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubeschema "k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/providers/kube"
)

// groupKind is a kind of objects with its group.
type groupKind = kubeschema.GroupKind

// object is one object of a manifest. Nulls in it are taken out: they are absent.
type object struct {
	*unstructured.Unstructured
	namespace string // where it will be; empty for kinds that have none
	text      string // its YAML
}

// id names an object in plans: Deployment.apps/cx/web.
func (o object) id() string {
	id := o.groupKind().String()
	if o.namespace != "" {
		id += "/" + o.namespace
	}
	return id + "/" + o.GetName()
}

// title names an object in sentences: Deployment cx/web.
func (o object) title() string {
	if o.namespace != "" {
		return o.GetKind() + " " + o.namespace + "/" + o.GetName()
	}
	return o.GetKind() + " " + o.GetName()
}

// identity is the object's manifest with nothing but which object it is.
func (o object) identity() string {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(o.GroupVersionKind())
	u.SetName(o.GetName())
	u.SetNamespace(o.GetNamespace())
	text, err := u.MarshalJSON()
	if err != nil { // texts only
		return ""
	}
	return string(text)
}

func (o object) groupKind() groupKind { return o.GroupVersionKind().GroupKind() }

// readManifest reads the objects of a manifest, in its order. namespace is that of objects which name none. Parts that are no objects are
// left out, and told by the error.
func readManifest(manifest, namespace string) ([]object, error) {
	docs := releaseutil.SplitManifests(manifest)
	names := make([]string, 0, len(docs))
	for name := range docs {
		names = append(names, name)
	}
	sort.Sort(releaseutil.BySplitManifestsOrder(names))
	var all []object
	var errs []error
	for _, name := range names {
		found, err := readDocument(docs[name], namespace)
		if err != nil {
			errs = append(errs, err)
		}
		all = append(all, found...)
	}
	return all, errors.Join(errs...)
}

// readDocument reads one YAML document: an object, a list of them, or nothing.
func readDocument(text, namespace string) ([]object, error) {
	var fields map[string]any
	encoded, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(encoded))
		dec.UseNumber() // floating numbers would make large ones alike
		err = dec.Decode(&fields)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: it is no object: %w", source(text), err)
	}
	if len(fields) == 0 {
		return nil, nil
	}
	items, isList := fields["items"].([]any)
	kind, _ := fields["kind"].(string)
	if !isList || !strings.HasSuffix(kind, "List") {
		items = []any{fields}
	}
	var all []object
	for _, item := range items {
		fields, _ := item.(map[string]any)
		o, err := newObject(fields, namespace)
		if err != nil {
			return all, fmt.Errorf("%s: %w", source(text), err)
		}
		o.text = text
		all = append(all, o)
	}
	return all, nil
}

func newObject(fields map[string]any, namespace string) (object, error) {
	dropNulls(fields)
	u := &unstructured.Unstructured{Object: fields}
	_, named, _ := unstructured.NestedString(fields, "metadata", "name")
	if u.GetKind() == "" || u.GetAPIVersion() == "" || !named {
		return object{}, errors.New("it is no object: it lacks a kind, an apiVersion or a name")
	}
	o := object{Unstructured: u, namespace: u.GetNamespace()}
	switch {
	case slices.Contains(clusterKinds, o.groupKind()):
		o.namespace = ""
	case o.namespace == "":
		o.namespace = namespace
	}
	return o, nil
}

// source is the template that a document comes from, by the comment that Helm puts before it.
func source(text string) string {
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "# Source: "); ok {
			return name
		}
	}
	return "a document of the manifest"
}

// dropNulls takes the fields out that are null, at any depth, as the API server's own apply does not: `annotations:` with nothing
// behind it says nothing.
func dropNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, e := range v {
			if e == nil {
				delete(v, key)
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

// clusterKinds are Kubernetes' own kinds that are in no namespace, which charts have.
var clusterKinds = []groupKind{
	{Kind: "Namespace"}, {Kind: "PersistentVolume"}, {Kind: "Node"},
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}, {Group: "apiregistration.k8s.io", Kind: "APIService"},
	{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}, {Group: "rbac.authorization.k8s.io", Kind: "ClusterRoleBinding"},
	{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"}, {Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"},
	{Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicy"}, {Group: "admissionregistration.k8s.io", Kind: "ValidatingAdmissionPolicyBinding"},
	{Group: "storage.k8s.io", Kind: "StorageClass"}, {Group: "storage.k8s.io", Kind: "CSIDriver"}, {Group: "storage.k8s.io", Kind: "VolumeAttachment"},
	{Group: "networking.k8s.io", Kind: "IngressClass"}, {Group: "scheduling.k8s.io", Kind: "PriorityClass"}, {Group: "node.k8s.io", Kind: "RuntimeClass"},
	{Group: "snapshot.storage.k8s.io", Kind: "VolumeSnapshotClass"}, {Group: "gateway.networking.k8s.io", Kind: "GatewayClass"}, {Group: "flowcontrol.apiserver.k8s.io", Kind: "FlowSchema"},
}

// stays reports whether an object of a release is left where it is when the release or its chart has it no more: data, and what data goes
// with. Somebody who wants it gone says so to Kubernetes.
func stays(kind groupKind) bool {
	return kube.HoldsData(kind) || kind == groupKind{Kind: "Namespace"} || kind == groupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
}

// usesOfAll are the keys of what objects cannot work without and that is not among them, sorted.
func usesOfAll(objects []object) []string {
	own, keys := map[string]bool{}, map[string]bool{}
	for _, o := range objects {
		own[o.id()] = true
	}
	for _, o := range objects {
		placed := &unstructured.Unstructured{Object: maps.Clone(o.Object)}
		placed.Object["metadata"] = map[string]any{"name": o.GetName(), "namespace": o.namespace}
		for _, key := range kube.Uses(placed) {
			keys[key] = true
		}
	}
	maps.DeleteFunc(keys, func(key string, _ bool) bool { return own[key] })
	return slices.Sorted(maps.Keys(keys))
}

// definedKind is the kind that an object defines; ok is false for other objects than definitions.
func (o object) definedKind() (kind groupKind, ok bool) {
	if o.GetKind() != "CustomResourceDefinition" {
		return groupKind{}, false
	}
	group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
	name, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
	return groupKind{Group: group, Kind: name}, group != "" && name != ""
}
