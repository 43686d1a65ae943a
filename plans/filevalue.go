package plans

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// knownAfterApply stands in plan files for values that are not known yet.
const knownAfterApply = "known_after_apply"

// fileValue returns a value as plan files show it; see FileAttr.
func fileValue(v cty.Value, salt string) (cty.Value, error) {
	if v.HasMark(schema.Sensitive) {
		if !v.IsWhollyKnown() {
			return cty.DynamicVal, nil
		}
		return schema.HideSensitive(v, salt)
	}
	v, _ = v.Unmark()
	switch {
	case !v.IsKnown() || v.Type().IsSetType() && !v.IsWhollyKnown(): // a set's elements have no place of their own
		return cty.DynamicVal, nil
	case v.IsNull():
		return cty.NullVal(cty.DynamicPseudoType), nil
	case isMapping(v):
		attrs := map[string]cty.Value{}
		for _, name := range keys(v, v) {
			shown, err := fileValue(child(v, name), salt)
			if err != nil {
				return cty.NilVal, err
			}
			attrs[validText(name)] = shown
		}
		return cty.ObjectVal(attrs), nil
	case isSequence(v) || v.Type().IsSetType():
		elems := v.AsValueSlice()
		for i, e := range elems {
			shown, err := fileValue(e, salt)
			if err != nil {
				return cty.NilVal, err
			}
			elems[i] = shown
		}
		return cty.TupleVal(elems), nil
	case v.Type() == cty.String:
		return cty.StringVal(validText(v.AsString())), nil
	case v.Type().IsPrimitiveType():
		return v, nil
	default:
		return cty.NilVal, fmt.Errorf("a %s cannot be written to a plan file; this is a bug in cxha", v.Type().FriendlyName())
	}
}

// validText replaces what is no UTF-8, as HCL text must be.
func validText(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// writeValue writes a shown value as HCL. Texts of several lines become heredocs, which stand at the end of their line.
func writeValue(l *layout, v cty.Value) {
	switch {
	case !v.IsKnown() || v.IsNull():
		l.line = appendInline(l.line, v)
	case v.Type().IsObjectType():
		writeObject(l, v)
	case v.Type().IsTupleType():
		writeTuple(l, v.AsValueSlice())
	case v.Type() == cty.String && fitsHeredoc(v.AsString()):
		writeHeredoc(l, v.AsString())
	default:
		l.line = appendInline(l.line, v)
	}
}

// writeObject writes a line for each attribute.
func writeObject(l *layout, v cty.Value) {
	if v.LengthInt() == 0 {
		l.text("{}")
		return
	}
	l.bracket("{", 1)
	l.newline()
	for it := v.ElementIterator(); it.Next(); {
		name, e := it.Element()
		setName(l, name.AsString())
		writeValue(l, e)
		l.newline()
	}
	l.bracket("}", -1)
}

const lineWidth = 100

// writeTuple writes a tuple in one line, or with a line for each element where that is too long.
func writeTuple(l *layout, elems []cty.Value) {
	fits := !slices.ContainsFunc(elems, isLong) && len(appendTuple(nil, elems)) <= lineWidth
	l.bracket("[", 1)
	for i, e := range elems {
		switch {
		case !fits:
			l.newline()
		case i > 0:
			l.text(", ")
		}
		writeValue(l, e)
		if fits {
			continue
		}
		if isText(e) && fitsHeredoc(e.AsString()) {
			l.newline() // nothing may follow a heredoc's end in its line
		}
		l.text(",")
	}
	if !fits {
		l.newline()
	}
	l.bracket("]", -1)
}

// setName begins an attribute or an element of an object.
func setName(l *layout, name string) {
	text := string(appendName(nil, name))
	columns := len(text)
	if strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) {
		columns = nameTokens(name).Columns()
	}
	l.assign(text, columns)
}

// isLong reports whether a tuple's element needs lines of its own.
func isLong(v cty.Value) bool {
	if !v.IsKnown() || v.IsNull() {
		return false
	}
	return v.Type().IsObjectType() || isText(v) && fitsHeredoc(v.AsString())
}

func isText(v cty.Value) bool { return v.IsKnown() && !v.IsNull() && v.Type() == cty.String }
