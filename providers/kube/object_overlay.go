package kube

import (
	"maps"
	"math/big"
	"reflect"
	"slices"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// overlay returns what an apply of wanted makes of live as far as that can be seen without the API server: live with the fields
// that wanted states. nil stands for what is not there. A field that is stated with its zero value and is not there stays away,
// because Go types lose such.
func overlay(wanted, live any, at spot) any {
	switch w := wanted.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			if live == nil && isZero(w) {
				return nil
			}
			return wanted
		}
		return overlayMap(w, l, at)
	case []any:
		l, ok := live.([]any)
		if !ok {
			if live == nil && len(w) == 0 {
				return nil
			}
			return wanted
		}
		return overlayList(w, l, at)
	}
	if equalFields(wanted, live) || live == nil && isZero(wanted) {
		return live
	}
	return wanted
}

// overlayMap keeps what only live has. Of one that is applied as a whole, that is stale where somebody else has set it since.
func overlayMap(wanted, live map[string]any, at spot) any {
	out := map[string]any{}
	if !at.all.whole || !at.theirs() {
		maps.Copy(out, live)
	}
	for k, w := range wanted {
		if v := overlay(w, live[k], at.field(k)); v != nil {
			out[k] = v
		} else {
			delete(out, k)
		}
	}
	return out
}

func overlayList(wanted, live []any, at spot) any {
	names, isSet := at.all.list()
	if isSet && !at.whole {
		return overlaySet(wanted, live)
	}
	if l, ok := keyedBy(live, names); ok {
		if out, ok := overlayKeyed(wanted, l, names, at); ok {
			return out
		}
	}
	if len(wanted) != len(live) {
		return wanted
	}
	out := make([]any, len(wanted))
	for i := range wanted {
		out[i] = overlay(wanted[i], live[i], at.index(i))
	}
	return out
}

// overlaySet adds what is not in it.
func overlaySet(wanted, live []any) any {
	out := slices.Clone(live)
	for _, w := range wanted {
		if !contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

func contains(list []any, v any) bool {
	return slices.ContainsFunc(list, func(e any) bool { return equalFields(e, v) })
}

// overlayKeyed keeps the order of live where it has the stated elements in theirs.
func overlayKeyed(wanted []any, live keyed, names []string, at spot) (out []any, ok bool) {
	made := maps.Clone(live.elems)
	var order []string
	var added []any
	for _, e := range wanted {
		key, found := live.matching(e, names)
		if found {
			if slices.Contains(order, key) {
				return nil, false // it stands twice
			}
			made[key] = overlay(e, live.elems[key], at.element(live.paths[key]))
			order = append(order, key)
			continue
		}
		added = append(added, e)
	}
	if !slices.IsSortedFunc(order, func(a, b string) int { return slices.Index(live.keys, a) - slices.Index(live.keys, b) }) {
		rest := slices.DeleteFunc(slices.Clone(live.keys), func(k string) bool { return slices.Contains(order, k) })
		live.keys = append(order, rest...)
	}
	if at.whole {
		live.keys = order
	}
	for _, k := range live.keys {
		out = append(out, made[k])
	}
	return append(out, added...), true
}

// equalFields compares whole fields. Numbers are equal where they are the same number, however they are written.
func equalFields(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equalFields)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equalFields)
	case int64:
		if f, ok := b.(float64); ok {
			return equalNumbers(a, f)
		}
	case float64:
		if n, ok := b.(int64); ok {
			return equalNumbers(n, a)
		}
	}
	return reflect.DeepEqual(a, b)
}

// equalNumbers compares exactly: a float has no room for all digits of a large integer.
func equalNumbers(n int64, f float64) bool {
	return f == f && new(big.Float).SetInt64(n).Cmp(big.NewFloat(f)) == 0 // NaN is no number
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

// statesAll reports whether wanted states every one of the fields, which are those that cxha applied last, its own marks aside.
func statesAll(wanted map[string]any, applied owned) bool {
	if applied.set == nil {
		return true
	}
	all := true
	applied.set.Leaves().Iterate(func(path fieldpath.Path) { all = all && (isMark(path) || stated(wanted, path)) })
	return all
}

func isMark(path fieldpath.Path) bool {
	last := path[len(path)-1].FieldName
	return len(path) == 3 && path[0].FieldName != nil && *path[0].FieldName == "metadata" && last != nil && slices.Contains(marks, *last)
}

// stated reports whether a value has the field of the path.
func stated(v any, path fieldpath.Path) bool {
	for _, e := range path {
		switch {
		case e.FieldName != nil:
			m, _ := v.(map[string]any)
			field, ok := m[*e.FieldName]
			if v = field; !ok {
				return false
			}
		case e.Key != nil:
			list, _ := v.([]any)
			i := slices.IndexFunc(list, func(c any) bool { return hasKey(c, *e.Key) })
			if i < 0 {
				return false
			}
			v = list[i]
		case e.Value != nil:
			list, _ := v.([]any)
			if !contains(list, (*e.Value).Unstructured()) {
				return false
			}
			v = (*e.Value).Unstructured()
		}
	}
	return true
}

func hasKey(e any, key value.FieldList) bool {
	m, ok := e.(map[string]any)
	return ok && !slices.ContainsFunc(key, func(f value.Field) bool {
		v, stated := m[f.Name]
		return stated && !equalFields(v, f.Value.Unstructured())
	})
}
