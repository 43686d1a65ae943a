package host

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// stringAttr returns a known string attribute of an object, or "".
func stringAttr(v cty.Value, name string) string {
	if v.IsNull() || !v.IsKnown() {
		return ""
	}
	a, _ := v.GetAttr(name).Unmark()
	if a.IsNull() || !a.IsKnown() {
		return ""
	}
	return a.AsString()
}

// stringElems returns the strings of a list attribute.
func stringElems(v cty.Value, name string) []string {
	if v.IsNull() || v.GetAttr(name).IsNull() {
		return nil
	}
	var ss []string
	for _, e := range v.GetAttr(name).AsValueSlice() {
		ss = append(ss, e.AsString())
	}
	return ss
}

// cutLine removes a last line from text, if it is there.
func cutLine(text, last string) (rest string, found bool) {
	return strings.CutSuffix(text, "\n"+last)
}
