package kube

import (
	"reflect"
	"slices"
)

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

// states reports whether live has everything that wanted states. Fields that only live has do not count; nor does one that is
// stated with its zero value and is not there.
func states(wanted, live any) bool {
	switch wanted := wanted.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			return live == nil && isZero(wanted)
		}
		for k, w := range wanted {
			if !states(w, l[k]) {
				return false
			}
		}
		return true
	case []any:
		l, ok := live.([]any)
		if !ok {
			return live == nil && len(wanted) == 0
		}
		return slices.EqualFunc(wanted, l, states)
	default:
		return equalScalar(wanted, live) || live == nil && isZero(wanted)
	}
}

func equalScalar(a, b any) bool {
	if x, ok := float(a); ok {
		y, ok := float(b)
		return ok && x == y
	}
	return a == nil && b == nil || reflect.DeepEqual(a, b)
}

func float(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func isZero(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, e := range v {
			if !isZero(e) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	case int64:
		return v == 0
	case float64:
		return v == 0
	}
	return v == nil || v == "" || v == false
}

// same compares whole fields.
func same(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, e := range a {
			o, ok := b[k]
			if !ok || !same(e, o) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	}
	return equalScalar(a, b)
}

// missing stands for a field that is not there.
type missing struct{}

func entryOf(m map[string]any, key string) any {
	if v, ok := m[key]; ok {
		return v
	}
	return missing{}
}

// merged returns what is to be shown as live beside wanted, when an apply would make live into dry: wanted itself where the apply
// changes nothing, and live's value where it does. Of fields that wanted does not state those are shown that the apply takes away.
func merged(wanted, dry, live any) any {
	if live == (missing{}) || dry != (missing{}) && same(dry, live) {
		if live == (missing{}) && dry != (missing{}) {
			return missing{}
		}
		return wanted
	}
	switch w := wanted.(type) {
	case map[string]any:
		d, ok1 := dry.(map[string]any)
		l, ok2 := live.(map[string]any)
		if ok1 && ok2 {
			return mergedMap(w, d, l)
		}
	case []any:
		d, ok1 := dry.([]any)
		l, ok2 := live.([]any)
		if ok1 && ok2 {
			return mergedList(w, d, l)
		}
	}
	return live
}

func mergedMap(wanted, dry, live map[string]any) map[string]any {
	out := make(map[string]any, len(wanted))
	for k, w := range wanted {
		if v := merged(w, entryOf(dry, k), entryOf(live, k)); v != (missing{}) {
			out[k] = v
		}
	}
	for k, l := range live {
		if _, stated := wanted[k]; stated {
			continue
		}
		d, stays := dry[k]
		if !stays {
			out[k] = l
			continue
		}
		// What nobody states in it is taken away as well.
		if l, ok := l.(map[string]any); ok {
			if d, ok := d.(map[string]any); ok {
				if taken := mergedMap(nil, d, l); len(taken) > 0 {
					out[k] = taken
				}
			}
		}
	}
	return out
}

func mergedList(wanted, dry, live []any) any {
	if len(wanted) == len(dry) && len(dry) == len(live) {
		out := make([]any, len(wanted))
		for i := range wanted {
			out[i] = merged(wanted[i], dry[i], live[i])
		}
		return out
	}
	w, ok1 := byName(wanted)
	d, ok2 := byName(dry)
	l, ok3 := byName(live)
	if !ok1 || !ok2 || !ok3 {
		return live
	}
	out := []any{}
	for _, e := range wanted {
		name := nameIn(e)
		if v := merged(w[name], entryOf(d, name), entryOf(l, name)); v != (missing{}) {
			out = append(out, v)
		}
	}
	for _, e := range live {
		name := nameIn(e)
		_, stated := w[name]
		_, stays := d[name]
		if !stated && !stays {
			out = append(out, e)
		}
	}
	return out
}

// byName returns a list's elements by their name; ok is false where not all have one of their own.
func byName(list []any) (m map[string]any, ok bool) {
	m = make(map[string]any, len(list))
	for _, e := range list {
		name := nameIn(e)
		if _, dup := m[name]; dup || name == "" {
			return nil, false
		}
		m[name] = e
	}
	return m, true
}

// nameIn is the field by which the API server tells the elements of most lists apart.
func nameIn(e any) string {
	m, _ := e.(map[string]any)
	name, _ := m["name"].(string)
	return name
}

// beside returns what is to be shown as live beside wanted when the API server cannot tell what an apply would do: live's value of
// every stated field that differs.
func beside(wanted, live any) any {
	if states(wanted, live) {
		return wanted
	}
	switch w := wanted.(type) {
	case map[string]any:
		if l, ok := live.(map[string]any); ok {
			out := make(map[string]any, len(w))
			for k, e := range w {
				if v, ok := l[k]; ok || states(e, nil) {
					out[k] = beside(e, v)
				}
			}
			return out
		}
	case []any:
		if l, ok := live.([]any); ok && len(l) == len(w) {
			out := make([]any, len(w))
			for i := range w {
				out[i] = beside(w[i], l[i])
			}
			return out
		}
	}
	return live
}
