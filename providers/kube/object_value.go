package kube

import (
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// contentValue returns an object's fields as a value. Secrets' data are sensitive; where secret is set, all of it is.
func contentValue(content map[string]any, secret bool) cty.Value {
	v := valueOf(content)
	if secret {
		return v.Mark(schema.Sensitive)
	}
	if isSecret(content) {
		return hideData(v)
	}
	return v
}

func isSecret(content map[string]any) bool {
	return content["kind"] == "Secret" && content["apiVersion"] == "v1"
}

// hideData marks each of a Secret's data, so that their names can be read.
func hideData(v cty.Value) cty.Value {
	attrs := v.AsValueMap()
	for _, name := range []string{"data", "stringData"} {
		data, ok := attrs[name]
		switch {
		case !ok:
		case data.IsNull() || !data.Type().IsObjectType() || data.LengthInt() == 0:
			attrs[name] = data.Mark(schema.Sensitive)
		default:
			hidden := data.AsValueMap()
			for key, e := range hidden {
				hidden[key] = e.Mark(schema.Sensitive)
			}
			attrs[name] = cty.ObjectVal(hidden)
		}
	}
	return cty.ObjectVal(attrs)
}

// valueOf turns JSON as the API machinery has it into a value. Maps become objects, lists tuples.
func valueOf(v any) cty.Value {
	switch v := v.(type) {
	case map[string]any:
		attrs := make(map[string]cty.Value, len(v))
		for name, e := range v {
			attrs[name] = valueOf(e)
		}
		return cty.ObjectVal(attrs)
	case []any:
		elems := make([]cty.Value, len(v))
		for i, e := range v {
			elems[i] = valueOf(e)
		}
		return cty.TupleVal(elems)
	case string:
		return cty.StringVal(strings.ToValidUTF8(v, "\uFFFD"))
	case bool:
		return cty.BoolVal(v)
	case int64:
		return cty.NumberIntVal(v)
	case float64:
		return cty.NumberFloatVal(v)
	case undecided:
		return cty.DynamicVal
	default:
		return cty.NullVal(cty.DynamicPseudoType)
	}
}

// plainOf is the inverse of valueOf for values without marks.
func plainOf(v cty.Value) any {
	ty := v.Type()
	switch {
	case v.IsNull() || !v.IsKnown():
		return nil
	case ty == cty.String:
		return v.AsString()
	case ty == cty.Bool:
		return v.True()
	case ty == cty.Number:
		return number(v)
	case ty.IsObjectType() || ty.IsMapType():
		m := make(map[string]any, v.LengthInt())
		for name, e := range v.AsValueMap() {
			m[name] = plainOf(e)
		}
		return m
	default:
		l := make([]any, 0, v.LengthInt())
		for _, e := range v.AsValueSlice() {
			l = append(l, plainOf(e))
		}
		return l
	}
}

func number(v cty.Value) any {
	f := v.AsBigFloat()
	if n, acc := f.Int64(); acc == 0 {
		return n
	}
	n, _ := f.Float64()
	return n
}
