package kube

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// undecided stands for a field that only the real apply decides.
type undecided struct{}

// comparer makes of two states of an object what a plan compares: the fields that differ, those that the blueprint states, and
// those that are nobody else's. What only others have set, and what an apply leaves alone, is not part of it: such as the
// annotation in which a controller counts the revisions of a Deployment.
//
// Lists whose elements are told apart by keys become objects, so that each element is compared with itself. Both states have the
// same form everywhere.
type comparer struct {
	allocated []string // paths of fields that the server fills with what is free at the time
}

// orderKey names, beside the elements of a list, the order in which they stand. No key is written like this.
const orderKey = "order"

// compared returns the two states of an object. wanted is what the blueprint states of it.
func compared(wanted, before, after *unstructured.Unstructured) (b, a map[string]any) {
	c := comparer{}
	if kind := wanted.GroupVersionKind(); kind.Group == "" && kind.Kind == "Service" {
		c.allocated = []string{"spec.clusterIP", "spec.clusterIPs", "spec.ports.nodePort", "spec.healthCheckNodePort"}
	}
	at := root(before, after)
	if before == after {
		only, _ := c.pair(cleaned(before), cleaned(before), wanted.Object, at)
		b, _ = only.(map[string]any)
		return b, b
	}
	vb, va := c.pair(cleaned(before), cleaned(after), wanted.Object, at)
	b, _ = vb.(map[string]any)
	a, _ = va.(map[string]any)
	return b, a
}

// pair returns both states of a field, nil where it is not there or not part of the comparison.
func (c comparer) pair(before, after, wanted any, at spot) (b, a any) {
	switch {
	case before == nil && after == nil:
		return nil, nil
	case before == nil:
		return nil, c.added(after, wanted, at)
	case after == nil:
		return c.alone(before, at), nil
	}
	switch x := before.(type) {
	case map[string]any:
		if y, ok := after.(map[string]any); ok {
			w, _ := wanted.(map[string]any)
			return c.maps(x, y, w, at, wanted != nil)
		}
	case []any:
		if y, ok := after.([]any); ok {
			w, _ := wanted.([]any)
			return c.lists(x, y, w, at)
		}
	default:
		if equalFields(before, after) {
			return c.kept(before, wanted != nil, at)
		}
	}
	return c.alone(before, at), c.added(after, wanted, at)
}

// kept is a field that is the same in both.
func (c comparer) kept(v any, stated bool, at spot) (b, a any) {
	if !stated && at.theirs() {
		return nil, nil
	}
	return v, v
}

func (c comparer) maps(before, after, wanted map[string]any, at spot, stated bool) (b, a any) {
	if len(before) == 0 && len(after) == 0 {
		return c.kept(map[string]any{}, stated, at)
	}
	mb, ma := map[string]any{}, map[string]any{}
	for _, k := range keysOfBoth(before, after) {
		vb, va := c.pair(before[k], after[k], wanted[k], at.field(k))
		put(mb, k, vb)
		put(ma, k, va)
	}
	return filled(mb, len(before) == 0), filled(ma, len(after) == 0)
}

// filled is nil for a mapping of whose fields none are compared.
func filled(m map[string]any, empty bool) any {
	if len(m) == 0 && !empty {
		return nil
	}
	return m
}

func put(m map[string]any, k string, v any) {
	if v != nil {
		m[k] = v
	}
}

func keysOfBoth(a, b map[string]any) []string {
	ks := append(keys(a), keys(b)...)
	slices.Sort(ks)
	return slices.Compact(ks)
}

func (c comparer) lists(before, after, wanted []any, at spot) (b, a any) {
	kb, ok1 := keyedIn(before, at)
	ka, ok2 := keyedIn(after, at)
	if ok1 && ok2 {
		return c.keyedLists(kb, ka, wanted, at)
	}
	if equalFields(before, after) {
		return c.kept(c.alone(before, at), wanted != nil, at)
	}
	return c.elements(before, at, c.alone), c.elements(after, at, func(v any, at spot) any { return c.added(v, nil, at) })
}

func (c comparer) elements(list []any, at spot, each func(any, spot) any) any {
	out := make([]any, len(list))
	for i, e := range list {
		out[i] = each(e, at.index(i))
	}
	return out
}

func (c comparer) keyedLists(before, after keyed, wanted []any, at spot) (b, a any) {
	stated := after.stated(wanted, at)
	mb, ma := map[string]any{}, map[string]any{}
	for _, k := range keysOfBoth(before.elems, after.elems) {
		path, ok := before.paths[k]
		if !ok {
			path = after.paths[k]
		}
		vb, va := c.pair(before.elems[k], after.elems[k], stated[k], at.element(path))
		put(mb, k, vb)
		put(ma, k, va)
	}
	if _, isSet := at.all.list(); isSet { // the order says nothing
		return filled(mb, len(before.keys) == 0), filled(ma, len(after.keys) == 0)
	}
	if ob, oa := common(before.keys, after.elems), common(after.keys, before.elems); !equalFields(ob, oa) {
		mb[orderKey], ma[orderKey] = ob, oa
	}
	return filled(mb, len(before.keys) == 0), filled(ma, len(after.keys) == 0)
}

// common are the keys that the other list has as well, in their order.
func common(keys []string, other map[string]any) []any {
	list := []any{}
	for _, k := range keys {
		if _, ok := other[k]; ok {
			list = append(list, k)
		}
	}
	return list
}

// alone is a field that the other state does not have, or otherwise.
func (c comparer) alone(v any, at spot) any { return comparer{}.added(v, nil, at) }

// added is a field of the second state that the first does not have, or otherwise. What is stated of it is no free choice of the
// server's.
func (c comparer) added(v, wanted any, at spot) any {
	if wanted == nil && slices.Contains(c.allocated, at.path) {
		return undecided{}
	}
	switch v := v.(type) {
	case map[string]any:
		w, _ := wanted.(map[string]any)
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = c.added(e, w[k], at.field(k))
		}
		return out
	case []any:
		w, _ := wanted.([]any)
		return c.addedList(v, w, at)
	}
	return v
}

func (c comparer) addedList(list, wanted []any, at spot) any {
	k, ok := keyedIn(list, at)
	if !ok {
		return c.elements(list, at, func(v any, at spot) any { return c.added(v, nil, at) })
	}
	stated := k.stated(wanted, at)
	out := make(map[string]any, len(list))
	for key, e := range k.elems {
		out[key] = c.added(e, stated[key], at.element(k.paths[key]))
	}
	return out
}
