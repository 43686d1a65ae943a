package rke2

import "github.com/zclconf/go-cty/cty"

// word returns a known string attribute of an object, or "".
func word(v cty.Value, name string) string {
	if v.IsNull() || !v.IsKnown() || !v.Type().HasAttribute(name) {
		return ""
	}
	a, _ := v.GetAttr(name).Unmark()
	if a.IsNull() || !a.IsKnown() {
		return ""
	}
	return a.AsString()
}
