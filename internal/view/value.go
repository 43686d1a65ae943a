package view

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/pmezard/go-difflib/difflib"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
)

const knownAfter = "(known after apply)"

// attrLines shows one attribute: its value when it is made or removed, before and after when it changes. Longer texts are
// shown as a line-by-line difference.
func attrLines(a plans.AttrChange, action plans.Action) []string {
	before, after := valueText(a.Before), valueText(a.After)
	switch {
	case action == plans.Create:
		return nested(a.Path+" = ", a.After)
	case action == plans.Delete:
		return nested(a.Path+" = ", a.Before)
	case !strings.Contains(before+after, "\n"):
		return []string{a.Path + ": " + before + " -> " + after}
	default:
		return append([]string{a.Path + ":"}, lineDiff(before, after)...)
	}
}

func labelled(label, text string) []string {
	if !strings.Contains(text, "\n") {
		return []string{label + text}
	}
	lines := []string{strings.TrimRight(label, " ") + " |"}
	for line := range strings.Lines(text) {
		lines = append(lines, "    "+strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// valueText writes a value as HCL does, in one line; a text of several lines is left as it is. Values of a plan hold no secrets.
func valueText(v cty.Value) string {
	if v == cty.NilVal || v.IsNull() {
		return "(none)"
	}
	if !v.IsKnown() {
		return knownAfter
	}
	if v.Type() == cty.String && strings.Contains(v.AsString(), "\n") {
		return printable(v.AsString())
	}
	return inline(v)
}

// inline writes a value as HCL in one line. White space inside of texts stays: it may be what differs.
func inline(v cty.Value) string {
	switch {
	case !v.IsKnown():
		return knownAfter
	case v.IsNull() || v.Type().IsPrimitiveType():
		return string(hclwrite.TokensForValue(v).Bytes())
	}
	mapping := v.Type().IsMapType() || v.Type().IsObjectType()
	var parts []string
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		part := inline(e)
		if mapping {
			part = name(k, v.Type()) + " = " + part
		}
		parts = append(parts, part)
	}
	switch {
	case !mapping:
		return "[" + strings.Join(parts, ", ") + "]"
	case len(parts) == 0:
		return "{}"
	default:
		return "{ " + strings.Join(parts, ", ") + " }"
	}
}

// name writes an attribute's name bare where HCL takes it so, and the key of a map as a text.
func name(k cty.Value, of cty.Type) string {
	if of.IsObjectType() && hclsyntax.ValidIdentifier(k.AsString()) {
		return k.AsString()
	}
	return inline(k)
}

// printable puts a sign in the place of control characters, which a file or a host's answer may hold and a terminal would obey.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, s)
}

// named puts words in the place of unknown parts.
func named(v cty.Value) cty.Value {
	shown, err := cty.Transform(v, func(_ cty.Path, e cty.Value) (cty.Value, error) {
		if !e.IsKnown() {
			return cty.StringVal(knownAfter), nil
		}
		return e, nil
	})
	if err != nil { // the function above never fails
		return cty.StringVal(err.Error())
	}
	return shown
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func lineDiff(before, after string) []string {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{A: difflib.SplitLines(before), B: difflib.SplitLines(after), Context: 2})
	if err != nil {
		return []string{"(no difference can be shown: " + err.Error() + ")"}
	}
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, "    "+strings.TrimSuffix(line, "\n"))
	}
	return lines
}
