package blueprint

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/expertflow/cxha/schema"
)

// settle makes a value what the attribute takes: its type, its secrecy and its rules. A value that does not fit is reported, and
// unknown from then on.
func (l *loader) settle(sc scope, a *schema.Attr, f field, v cty.Value) cty.Value {
	if a.Form == schema.FormBlock {
		return l.settleBlock(a, f, v)
	}
	unknown := cty.UnknownVal(a.Type)
	if a.Secrecy == schema.Open && v.ContainsMarked() {
		l.report(evaluated(mistake(f.at, "Sensitive value in the open",
			"%s of %s is shown in plans, and this value is or was computed from something sensitive. If it is none in truth, use nonsensitive(...).", a.Name, sc.where), f.expr, f.ctx))
		return unknown
	}
	converted, err := convert.Convert(v, a.Type)
	if err != nil {
		l.report(evaluated(mistake(f.at, "Wrong type", "%s", typeProblem(a, v, err)), f.expr, f.ctx))
		return unknown
	}
	if !converted.IsKnown() {
		return converted
	}
	if converted.IsNull() {
		if a.Required || slices.Contains(a.RequiredFor, sc.name) {
			l.report(evaluated(mistake(f.at, "Missing value", "%s of %s is null here, and it needs a value. %s", a.Name, sc.where, firstSentence(a.Doc)), f.expr, f.ctx))
			return unknown
		}
		return absent(sc, a).value
	}
	if !l.obeys(sc, a, f, converted) {
		return unknown
	}
	if a.Merge {
		converted = merge(a.Default, converted)
	}
	if a.Secrecy == schema.Always {
		converted = converted.Mark(schema.Sensitive)
	}
	return converted
}

// settleBlock returns the name of the block that a value means.
func (l *loader) settleBlock(a *schema.Attr, f field, v cty.Value) cty.Value {
	v, _ = v.Unmark()
	switch {
	case !v.IsKnown():
		return cty.UnknownVal(cty.String)
	case v.IsNull():
		return cty.NullVal(cty.String)
	case v.Type() == cty.String:
		return v
	case v.Type().IsObjectType() && v.Type().HasAttribute("id") && v.Type().HasAttribute("name"):
		id, _ := v.GetAttr("id").Unmark()
		name, _ := v.GetAttr("name").Unmark()
		if id.Type() == cty.String && id.IsKnown() && strings.HasPrefix(id.AsString(), a.Of+".") {
			return name
		}
	}
	l.report(evaluated(mistake(f.at, "Wrong type", "%s takes a reference to a %s, such as %s, or the name of one; this is %s.", a.Name, a.Of, a.Example, describe(v)), f.expr, f.ctx))
	return cty.UnknownVal(cty.String)
}

func typeProblem(a *schema.Attr, v cty.Value, err error) string {
	s := fmt.Sprintf("%s takes a %s, and this is %s.", a.Name, a.TypeName(), describe(v))
	if a.Type.IsListType() && v.Type().IsPrimitiveType() {
		return s + " Put it in brackets to make a list of one."
	}
	ty := v.Type()
	if a.Type == cty.String && a.Rule != nil && a.Rule.Several != "" && (ty.IsTupleType() || ty.IsListType() || ty.IsSetType()) && v.IsKnown() && !v.IsNull() && v.LengthInt() > 1 {
		return s + " " + a.Rule.Several
	}
	if a.Type.IsMapType() && (ty.IsMapType() || ty.IsObjectType()) || a.Type.IsListType() && (ty.IsTupleType() || ty.IsListType() || ty.IsSetType()) {
		return s + " In it, " + conversionProblem(err) + "."
	}
	return s
}

// conversionProblem is cty's reason for refusing a conversion, with the place inside of the value.
func conversionProblem(err error) string {
	var path cty.PathError
	if !errors.As(err, &path) || len(path.Path) == 0 {
		return err.Error()
	}
	var b strings.Builder
	for _, step := range path.Path {
		switch step := step.(type) {
		case cty.GetAttrStep:
			b.WriteString("." + step.Name)
		case cty.IndexStep:
			key, err := convert.Convert(step.Key, cty.String)
			if err == nil && key.IsKnown() && !key.IsNull() && !key.IsMarked() {
				fmt.Fprintf(&b, "[%s]", key.AsString())
			}
		}
	}
	return strings.TrimPrefix(b.String(), ".") + ": " + err.Error()
}

// obeys applies the attribute's rules to the value, or to each element of it.
func (l *loader) obeys(sc scope, a *schema.Attr, f field, v cty.Value) bool {
	v, _ = v.UnmarkDeep()
	if !v.IsKnown() {
		return true
	}
	if v.Type().IsPrimitiveType() {
		return l.obeysOne(sc, a.Rule, f, v)
	}
	if !v.Type().IsCollectionType() {
		return true
	}
	ok := true
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if v.Type().IsMapType() {
			ok = l.obeysOne(sc, a.KeyRule, f, k) && ok
		}
		ok = l.obeysOne(sc, a.Rule, f, e) && ok
	}
	return ok
}

func (l *loader) obeysOne(sc scope, rule *schema.Rule, f field, v cty.Value) bool {
	if rule == nil || !v.IsKnown() || v.IsNull() {
		return true
	}
	s, err := convert.Convert(v, cty.String)
	if err != nil {
		return true
	}
	problem := rule.Check(s.AsString())
	if problem == "" {
		return true
	}
	d := evaluated(mistake(f.at, rule.Summary, "%s", problem), f.expr, f.ctx)
	if rule.Hides != nil && rule.Hides(s.AsString()) {
		hideSource(hcl.Diagnostics{d}, sc.header)
	} else if literal, ok := elementRange(f.expr, v); ok {
		d.Subject = literal.Ptr()
	}
	l.report(d)
	return false
}

// merge adds what was given to the default: lists as sets, maps by key, where null takes an element out.
func merge(base, given cty.Value) cty.Value {
	if given.Type().IsMapType() {
		elements := base.AsValueMap()
		for k, v := range given.AsValueMap() {
			elements[k] = v
			if v.IsKnown() && v.IsNull() {
				delete(elements, k)
			}
		}
		if len(elements) == 0 {
			return cty.MapValEmpty(given.Type().ElementType())
		}
		return cty.MapVal(elements)
	}
	elements := base.AsValueSlice()
	for it := given.ElementIterator(); it.Next(); {
		if _, e := it.Element(); !contains(elements, e) {
			elements = append(elements, e)
		}
	}
	return cty.ListVal(elements)
}

func contains(list []cty.Value, v cty.Value) bool {
	for _, e := range list {
		if e.RawEquals(v) {
			return true
		}
	}
	return false
}
