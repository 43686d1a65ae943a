package view

import (
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/pmezard/go-difflib/difflib"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

// attrLines shows one attribute: its value when it is made or removed, before and after when it changes. Longer texts are
// shown as a line-by-line difference.
func attrLines(a plans.AttrChange, action plans.Action) []string {
	before, after := valueText(a.Before), valueText(a.After)
	switch {
	case action == plans.Create:
		return labelled(a.Path+" = ", after)
	case action == plans.Delete:
		return labelled(a.Path+" = ", before)
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

// valueText writes a value as HCL does; a text of several lines is left as it is.
func valueText(v cty.Value) string {
	switch {
	case v == cty.NilVal || (!v.IsMarked() && v.IsNull()):
		return "(none)"
	case v.HasMark(schema.Sensitive):
		return "(sensitive)"
	}
	shown, err := schema.HideSensitive(v, "")
	if err != nil {
		return "(" + err.Error() + ")"
	}
	if !shown.IsWhollyKnown() {
		if !shown.IsKnown() {
			return "(known after apply)"
		}
		shown, _ = cty.Transform(shown, func(_ cty.Path, e cty.Value) (cty.Value, error) {
			if !e.IsKnown() {
				return cty.StringVal("(known after apply)"), nil
			}
			return e, nil
		})
	}
	if shown.Type() == cty.String && !shown.IsNull() && strings.Contains(shown.AsString(), "\n") {
		return shown.AsString()
	}
	return oneLine(string(hclwrite.TokensForValue(shown).Bytes()))
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
