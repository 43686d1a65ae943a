package view

import (
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// wide is how many characters a value may take on a line before it is written as a block.
const wide = 100

// nested writes a value behind its label: in one line where that is not too wide, else one line for each part of it.
func nested(label string, v cty.Value) []string {
	whole := label + valueText(v)
	if utf8.RuneCountInString(whole) <= wide || !v.IsKnown() || v.IsNull() || v.Type().IsPrimitiveType() {
		return labelled(label, valueText(v))
	}
	mapping := v.Type().IsMapType() || v.Type().IsObjectType()
	begin, end := "[", "]"
	if mapping {
		begin, end = "{", "}"
	}
	lines := []string{label + begin}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		part := ""
		if mapping {
			part = name(k, v.Type()) + " = "
		}
		for _, line := range nested(part, e) {
			lines = append(lines, "  "+line)
		}
	}
	return append(lines, end)
}
