package kube

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// manager is an entry of an object's managedFields: who set which fields.
type manager struct {
	name        string
	subresource string // such as scale
	applied     bool   // by server-side apply
	at          time.Time
	fields      owned
}

// managersOf reads an object's managedFields. An entry that cannot be read tells nothing.
func managersOf(o *unstructured.Unstructured) []manager {
	var found []manager
	for _, e := range o.GetManagedFields() {
		var set fieldpath.Set
		if e.FieldsV1 == nil || set.FromJSON(e.FieldsV1.GetRawReader()) != nil {
			continue
		}
		m := manager{name: e.Manager, subresource: e.Subresource, applied: e.Operation == metav1.ManagedFieldsOperationApply, fields: owned{set: &set}}
		if e.Time != nil {
			m.at = e.Time.Time
		}
		found = append(found, m)
	}
	return found
}

// nobody stands for a field manager whose fields are neither cxha's nor somebody else's.
const nobody = "(nobody)"

// owned is a set of fields below one place of an object.
type owned struct {
	set    *fieldpath.Set // fields below; nil: none
	member bool           // the field itself
	whole  bool           // the field with all that is in it, as one value
}

func (o owned) at(e fieldpath.PathElement) owned {
	if o.whole || o.set == nil {
		return owned{member: o.whole, whole: o.whole}
	}
	below, ok := o.set.Children.Get(e)
	member := o.set.Members.Has(e)
	if !ok || below.Empty() {
		return owned{member: member, whole: member}
	}
	return owned{set: below, member: member}
}

// holds reports whether the field itself is in the set.
func (o owned) holds() bool { return o.member || o.whole }

// touches reports whether the field itself or something in it is in the set.
func (o owned) touches() bool { return o.holds() || o.set != nil }

// list tells how the elements of a list are told apart: by these fields, by what they are, or, where nothing is known, by their
// place.
func (o owned) list() (names []string, isSet bool) {
	if o.set == nil {
		return nil, false
	}
	look := func(e fieldpath.PathElement) {
		if names == nil && !isSet {
			names, isSet = elementKind(e)
		}
	}
	o.set.Members.Iterate(look)
	o.set.Children.Iterate(look)
	return names, isSet
}

func elementKind(e fieldpath.PathElement) (names []string, isSet bool) {
	if e.Key != nil {
		for _, f := range *e.Key {
			names = append(names, f.Name)
		}
	}
	return names, e.Value != nil
}

// spot is a place in an object, and whose it is there.
type spot struct {
	path   string // names of the fields, without the elements of lists: spec.ports.nodePort
	mine   owned  // by cxha
	others owned
	all    owned
	whole  bool // lists are to be as stated, without others' elements
}

// root is the place of a whole object. The more states of the object are known, the more is known of its lists.
func root(states ...*unstructured.Unstructured) spot {
	mine, others, all := &fieldpath.Set{}, &fieldpath.Set{}, &fieldpath.Set{}
	for i, o := range states {
		for _, m := range managersOf(o) {
			all = all.Union(m.fields.set)
			switch {
			case i > 0: // whose the fields are is what is seen of the first
			case m.name == nobody:
			case m.name == FieldManager:
				mine = mine.Union(m.fields.set)
			default:
				others = others.Union(m.fields.set)
			}
		}
	}
	return spot{mine: owned{set: mine}, others: owned{set: others}, all: owned{set: all}}
}

func (p spot) field(name string) spot {
	at := p.path + "." + name
	if p.path == "" {
		at = name
	}
	return p.step(at, fieldpath.FieldNameElement(name))
}

func (p spot) element(e fieldpath.PathElement) spot { return p.step(p.path, e) }

func (p spot) step(path string, e fieldpath.PathElement) spot {
	return spot{whole: p.whole, path: path, mine: p.mine.at(e), others: p.others.at(e), all: p.all.at(e)}
}

// theirs reports whether a field is somebody else's alone.
func (p spot) theirs() bool { return p.others.holds() && !p.mine.holds() }

// keyed is a list whose elements are told apart by some of their fields.
type keyed struct {
	keys  []string // texts of the keys, in the order of the list: name=web
	elems map[string]any
	paths map[string]fieldpath.PathElement
}

// keyedIn returns a list by the texts of its elements' keys, in a set by those of the elements themselves; ok is false where not each
// has a key of its own.
func keyedIn(list []any, at spot) (k keyed, ok bool) {
	names, isSet := at.all.list()
	if !isSet {
		return keyedBy(list, names)
	}
	k = keyed{elems: make(map[string]any, len(list)), paths: make(map[string]fieldpath.PathElement, len(list))}
	for _, e := range list {
		text := fmt.Sprint(e)
		if _, dup := k.elems[text]; dup || !isScalar(e) {
			return k, false
		}
		k.keys = append(k.keys, text)
		k.elems[text], k.paths[text] = e, fieldpath.ValueElement(value.NewValueInterface(e))
	}
	return k, true
}

func isScalar(v any) bool {
	switch v.(type) {
	case string, bool, int64, float64:
		return true
	}
	return false
}

// keyedBy returns a list by the texts of its elements' keys; ok is false where not each has a key of its own.
func keyedBy(list []any, names []string) (k keyed, ok bool) {
	if len(names) == 0 {
		return k, false
	}
	k = keyed{elems: make(map[string]any, len(list)), paths: make(map[string]fieldpath.PathElement, len(list))}
	for _, e := range list {
		m, isMap := e.(map[string]any)
		if !isMap {
			return k, false
		}
		text, path, complete := keyOf(m, names)
		if _, dup := k.elems[text]; dup || !complete {
			return k, false
		}
		k.keys = append(k.keys, text)
		k.elems[text], k.paths[text] = e, path
	}
	return k, true
}

// keyOf returns the key of an element: as a text and as a step of a path. It is not complete where a field is not there.
func keyOf(m map[string]any, names []string) (text string, path fieldpath.PathElement, complete bool) {
	parts := make([]string, 0, len(names))
	fields := make([]value.Field, 0, len(names))
	for _, name := range names {
		v, ok := m[name]
		if !ok {
			return "", path, false
		}
		parts = append(parts, fmt.Sprintf("%s=%v", name, v))
		fields = append(fields, value.Field{Name: name, Value: value.NewValueInterface(v)})
	}
	return strings.Join(parts, ","), fieldpath.KeyElement(fields...), true
}

// matching returns which element of a keyed list another one is about that may leave out parts of its key, which the API server
// fills in.
func (k keyed) matching(e any, names []string) (key string, ok bool) {
	m, isMap := e.(map[string]any)
	if !isMap {
		return "", false
	}
	for _, key := range k.keys {
		has, _ := k.elems[key].(map[string]any)
		if !slices.ContainsFunc(names, func(name string) bool {
			v, stated := m[name]
			return stated && !equalFields(v, has[name])
		}) {
			return key, true
		}
	}
	return "", false
}

// stated are the elements of another list by the keys of this one.
func (k keyed) stated(list []any, at spot) map[string]any {
	names, isSet := at.all.list()
	found := map[string]any{}
	for _, e := range list {
		if isSet {
			found[fmt.Sprint(e)] = e
		} else if key, ok := k.matching(e, names); ok {
			found[key] = e
		}
	}
	return found
}
