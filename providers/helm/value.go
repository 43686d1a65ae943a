package helm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	bigfloat "math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/expertflow/cxha/schema"
)

var releaseObject = cty.Object(map[string]cty.Type{
	"name":      cty.String,
	"namespace": cty.String,
	"cluster":   cty.String, // the cluster whose cxha made it; null: somebody else did
	"chart":     cty.String, // as the blueprint names it
	"version":   cty.String,
	"digest":    cty.String, // sha256:HEX of the chart; of a live one perhaps only its beginning
	"values":    cty.DynamicPseudoType,
	"keep":      cty.Bool,
	"status":    cty.String,          // Helm's: deployed, failed, pending-install, ...
	"drift":     cty.Map(cty.String), // fields of its objects that are not as released, with what they are
	"apply":     cty.String,          // how its objects are sent: server or client
	"objects":   cty.Map(cty.String), // by id, such as Deployment.apps/cx/web, which revision made or changed them
})

const statusDeployed = "deployed"

// attr returns a string attribute; null and unknown are empty.
func attr(v cty.Value, name string) string {
	if v.IsNull() || !v.IsKnown() {
		return ""
	}
	a, _ := v.GetAttr(name).Unmark()
	if a.IsNull() || !a.IsKnown() || a.Type() != cty.String {
		return ""
	}
	return a.AsString()
}

func flag(v cty.Value, name string) bool {
	if v.IsNull() || !v.IsKnown() {
		return false
	}
	a := v.GetAttr(name)
	return a.IsKnown() && !a.IsNull() && a.True()
}

// nothing stands for a null in values, which takes away what the chart has there, and so is not the same as nothing being said.
const nothing = "(null)"

// normal returns values as they are compared: objects and tuples whatever the blueprint made them of, nulls told apart from what
// is not there. Marks stay where they are.
func normal(v cty.Value) cty.Value {
	v, marks := v.Unmark()
	return normalPlain(v).WithMarks(marks)
}

func normalPlain(v cty.Value) cty.Value {
	switch ty := v.Type(); {
	case !v.IsKnown():
		return v
	case v.IsNull():
		return cty.StringVal(nothing)
	case ty.IsObjectType() || ty.IsMapType():
		attrs := map[string]cty.Value{}
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			attrs[k.AsString()] = normal(e)
		}
		return cty.ObjectVal(attrs)
	case ty.IsListType() || ty.IsTupleType() || ty.IsSetType():
		var elems []cty.Value
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			elems = append(elems, normal(e))
		}
		return cty.TupleVal(elems)
	case ty == cty.Number:
		return recorded(v)
	}
	return v
}

// recorded is a number as it comes back from a record: whole ones of 64 bits are exact, all others are floating.
func recorded(v cty.Value) cty.Value {
	big := v.AsBigFloat()
	if big.IsInt() {
		if _, exact := big.Int64(); exact == bigfloat.Exact {
			return v
		}
		if _, exact := big.Uint64(); exact == bigfloat.Exact {
			return v
		}
	}
	f, _ := big.Float64()
	n, err := cty.ParseNumberVal(strconv.FormatFloat(f, 'g', -1, 64))
	if err != nil { // infinite: no record can hold it, and the apply says so
		return v
	}
	return n
}

// desiredValues are the values of a release as they are compared; none are an empty object.
func desiredValues(v cty.Value) cty.Value {
	plain, marks := v.Unmark()
	if v == cty.NilVal || plain.IsNull() {
		return cty.EmptyObjectVal
	}
	return normalPlain(plain).WithMarks(marks)
}

// helmValues are the values of a release as Helm takes them.
func helmValues(v cty.Value) (map[string]any, error) {
	if v == cty.NilVal || schema.Plain(v).IsNull() {
		return map[string]any{}, nil
	}
	plain := schema.Plain(v)
	text, err := ctyjson.Marshal(plain, plain.Type())
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	var values map[string]any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&values); err != nil {
		return nil, fmt.Errorf("values: they are no object: %w", err)
	}
	if err := numbers(values); err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	return values, nil
}

// numbers makes whole numbers integers, which templates print as they are written, and others floating, in place.
func numbers(v any) error {
	var err error
	each := func(e any) any {
		n, ok := e.(json.Number)
		if !ok {
			err = errors.Join(err, numbers(e))
			return e
		}
		if i, bad := n.Int64(); bad == nil {
			return i
		}
		if u, bad := strconv.ParseUint(n.String(), 10, 64); bad == nil {
			return u
		}
		f, bad := n.Float64()
		err = errors.Join(err, bad)
		return f
	}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = each(e)
		}
	case []any:
		for i, e := range v {
			v[i] = each(e)
		}
	}
	return err
}

// liveValues are the values in a release's record, as they are compared.
func liveValues(config map[string]any) (cty.Value, error) {
	if len(config) == 0 {
		return cty.EmptyObjectVal, nil
	}
	text, err := json.Marshal(config)
	if err != nil {
		return cty.NilVal, err
	}
	ty, err := ctyjson.ImpliedType(text)
	if err != nil {
		return cty.NilVal, err
	}
	v, err := ctyjson.Unmarshal(text, ty)
	if err != nil {
		return cty.NilVal, err
	}
	return normal(v), nil
}

// pointers lists the places of what is sensitive in values, as JSON pointers (RFC 6901).
func pointers(v cty.Value) []string {
	var found []string
	walkValues("", v, func(at string, v cty.Value) bool {
		if schema.IsSensitive(v) {
			found = append(found, at)
			return false
		}
		return true
	})
	slices.Sort(found)
	return found
}

// walkValues visits normalised values; visit tells whether to go into one. Keys are visited in no particular order.
func walkValues(at string, v cty.Value, visit func(at string, v cty.Value) bool) {
	if !visit(at, v) {
		return
	}
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return
	}
	i := 0
	for it := v.ElementIterator(); it.Next(); i++ {
		k, e := it.Element()
		name := strconv.Itoa(i)
		if k.Type() == cty.String {
			name = escapePointer.Replace(k.AsString())
		}
		walkValues(at+"/"+name, e, visit)
	}
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1", "\n", "~n")

// hide marks what is sensitive in live values: at the places that the release's record names, and where the blueprint has it so.
func hide(live, desired cty.Value, secret []string) cty.Value {
	places := map[string]bool{}
	for _, at := range append(pointers(desired), secret...) {
		places[at] = true
	}
	return hideAt("", live, places)
}

func hideAt(at string, v cty.Value, places map[string]bool) cty.Value {
	if places[at] {
		return v.Mark(schema.Sensitive)
	}
	switch {
	case v.Type().IsObjectType() && v.LengthInt() > 0:
		attrs := v.AsValueMap()
		for name, e := range attrs {
			attrs[name] = hideAt(at+"/"+escapePointer.Replace(name), e, places)
		}
		return cty.ObjectVal(attrs)
	case v.Type().IsTupleType() && v.LengthInt() > 0:
		elems := v.AsValueSlice()
		for i, e := range elems {
			elems[i] = hideAt(at+"/"+strconv.Itoa(i), e, places)
		}
		return cty.TupleVal(elems)
	}
	return v
}

// secrets are the sensitive texts and numbers in values.
func secrets(v cty.Value) []string {
	if v == cty.NilVal {
		return nil
	}
	var found []string
	walkValues("", normal(v), func(_ string, v cty.Value) bool {
		if !schema.IsSensitive(v) {
			return true
		}
		walkValues("", schema.Plain(v), func(_ string, e cty.Value) bool {
			if text := shown(e); len(text) >= least && text != nothing {
				found = append(found, text)
			}
			return true
		})
		return false
	})
	return found
}

// shown is how a string or a number looks in a message.
func shown(v cty.Value) string {
	if v.IsNull() || !v.IsKnown() || !v.Type().IsPrimitiveType() || v.Type() == cty.Bool {
		return ""
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil {
		return ""
	}
	return text.AsString()
}

func mapOf(m map[string]string) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	vs := make(map[string]cty.Value, len(m))
	for k, s := range m {
		vs[k] = cty.StringVal(s)
	}
	return cty.MapVal(vs)
}
