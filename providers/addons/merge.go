package addons

import "github.com/zclconf/go-cty/cty"

// merged returns the values that an addon sets with those of its block over them: objects are merged, everything else of the
// block wins, as with Helm's own values.
func merged(base, over cty.Value) cty.Value {
	if over == cty.NilVal || over.IsNull() {
		return base
	}
	flat, marks := over.UnmarkDeepWithPaths()
	return merge(base, flat).MarkWithPaths(marks)
}

func merge(base, over cty.Value) cty.Value {
	if !isObject(base) || !isObject(over) {
		return over
	}
	attrs := base.AsValueMap()
	if attrs == nil {
		attrs = map[string]cty.Value{}
	}
	for name, v := range over.AsValueMap() {
		if b, ok := attrs[name]; ok {
			v = merge(b, v)
		}
		attrs[name] = v
	}
	return cty.ObjectVal(attrs)
}

func isObject(v cty.Value) bool {
	return v.IsKnown() && !v.IsNull() && (v.Type().IsObjectType() || v.Type().IsMapType())
}

// lookup returns the value at a path of objects, or null where there is none.
func lookup(v cty.Value, path ...string) cty.Value {
	null := cty.NullVal(cty.DynamicPseudoType)
	for _, name := range path {
		if v == cty.NilVal {
			return null
		}
		v, _ = v.Unmark()
		if !isObject(v) {
			return null
		}
		next, ok := v.AsValueMap()[name]
		if !ok {
			return null
		}
		v = next
	}
	v, _ = v.Unmark()
	return v
}
