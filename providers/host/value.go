package host

import (
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
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

// listAnswer reads a reply of pairs into an object with one list: the values of the pairs with the key, in the order of the reply.
// Without any, the resource is absent.
func listAnswer(r providers.Resource, reply providers.Reply, object cty.Type, attr, key string) (cty.Value, error) {
	null := cty.NullVal(object)
	text, absent, err := answer.Text(r, reply)
	if err != nil || absent {
		return null, err
	}
	pairs, err := answer.Pairs(text)
	if err != nil {
		return null, err
	}
	var values []string
	for _, p := range pairs {
		if p.Key == key {
			values = append(values, p.Value)
		}
	}
	if len(values) == 0 {
		return null, nil
	}
	return cty.ObjectVal(map[string]cty.Value{attr: stringList(values)}), nil
}
