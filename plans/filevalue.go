package plans

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
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

// valueTokens writes a shown value as HCL. Texts of several lines become heredocs, which stand at the end of their line.
func valueTokens(v cty.Value) hclwrite.Tokens {
	switch {
	case !v.IsKnown():
		return hclwrite.TokensForIdentifier(knownAfterApply)
	case v.IsNull():
		return hclwrite.TokensForValue(v)
	case v.Type().IsObjectType():
		var attrs []hclwrite.ObjectAttrTokens
		for _, name := range keys(v, v) {
			attrs = append(attrs, hclwrite.ObjectAttrTokens{Name: nameTokens(name), Value: valueTokens(v.GetAttr(name))})
		}
		return hclwrite.TokensForObject(attrs)
	case v.Type().IsTupleType():
		return tupleTokens(v.AsValueSlice())
	case v.Type() == cty.String && fitsHeredoc(v.AsString()):
		return heredocTokens(v.AsString())
	default:
		return hclwrite.TokensForValue(v)
	}
}

// inlineText writes a shown value as HCL in one line.
func inlineText(v cty.Value) string {
	switch {
	case !v.IsKnown() || v.IsNull() || v.Type().IsPrimitiveType():
		return string(inlineTokens(v).Bytes())
	case v.Type().IsObjectType():
		var attrs []string
		for _, name := range keys(v, v) {
			attrs = append(attrs, string(nameTokens(name).Bytes())+" = "+inlineText(v.GetAttr(name)))
		}
		return "{" + strings.Join(attrs, ", ") + "}"
	default:
		var elems []string
		for _, e := range v.AsValueSlice() {
			elems = append(elems, inlineText(e))
		}
		return "[" + strings.Join(elems, ", ") + "]"
	}
}

func inlineTokens(v cty.Value) hclwrite.Tokens {
	if !v.IsKnown() {
		return hclwrite.TokensForIdentifier(knownAfterApply)
	}
	return hclwrite.TokensForValue(v)
}

func nameTokens(name string) hclwrite.Tokens {
	if hclsyntax.ValidIdentifier(name) {
		return hclwrite.TokensForIdentifier(name)
	}
	return hclwrite.TokensForValue(cty.StringVal(name))
}

const lineWidth = 100

// tupleTokens writes a tuple in one line, or with a line for each element where that is too long.
func tupleTokens(elems []cty.Value) hclwrite.Tokens {
	if text := inlineText(cty.TupleVal(elems)); len(text) <= lineWidth && !slices.ContainsFunc(elems, isLong) {
		var parts []hclwrite.Tokens
		for _, e := range elems {
			parts = append(parts, valueTokens(e))
		}
		return hclwrite.TokensForTuple(parts)
	}
	newline := &hclwrite.Token{Type: hclsyntax.TokenNewline, Bytes: []byte("\n")}
	toks := hclwrite.Tokens{{Type: hclsyntax.TokenOBrack, Bytes: []byte("[")}, newline}
	for _, e := range elems {
		toks = append(toks, valueTokens(e)...)
		if !e.IsNull() && e.IsKnown() && e.Type() == cty.String && fitsHeredoc(e.AsString()) {
			toks = append(toks, newline) // nothing may follow a heredoc's end in its line
		}
		toks = append(toks, &hclwrite.Token{Type: hclsyntax.TokenComma, Bytes: []byte(",")}, newline)
	}
	return append(toks, &hclwrite.Token{Type: hclsyntax.TokenCBrack, Bytes: []byte("]")})
}

// isLong reports whether a tuple's element needs lines of its own.
func isLong(v cty.Value) bool {
	if !v.IsKnown() || v.IsNull() {
		return false
	}
	return v.Type().IsObjectType() || v.Type() == cty.String && fitsHeredoc(v.AsString())
}

// fitsHeredoc reports whether a text of several lines can be written as it is, without escapes.
func fitsHeredoc(s string) bool {
	if !strings.Contains(strings.TrimSuffix(s, "\n"), "\n") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) })
}

// heredocTokens writes a text as a heredoc, whose value always ends with a line break; chomp takes it away where there is none.
func heredocTokens(s string) hclwrite.Tokens {
	body, whole := s, strings.HasSuffix(s, "\n")
	if !whole {
		body += "\n"
	}
	end := "EOT"
	for n := 1; strings.Contains(body, end); n++ {
		end = "EOT" + strconv.Itoa(n)
	}
	begin, closing := "<<", end
	body = strings.NewReplacer("${", "$${", "%{", "%%{").Replace(body)
	if canIndent(body) {
		begin, body, closing = "<<-", indented(body), heredocIndent+end
	}
	doc := hclwrite.Tokens{
		{Type: hclsyntax.TokenOHeredoc, Bytes: []byte(begin + end + "\n")},
		{Type: hclsyntax.TokenStringLit, Bytes: []byte(body)},
		{Type: hclsyntax.TokenCHeredoc, Bytes: []byte(closing)},
	}
	if whole {
		return doc
	}
	return hclwrite.TokensForFunctionCall("chomp", append(doc, &hclwrite.Token{Type: hclsyntax.TokenNewline, Bytes: []byte("\n")}))
}

// heredocIndent is how far the lines of heredocs are indented.
const heredocIndent = "      "

// canIndent reports whether HCL takes away exactly the indentation that is added: at least one line must begin without a
// space, as the smallest indentation of all lines is taken, and none with a character that could combine with a space.
func canIndent(body string) bool {
	flush := false
	for line := range strings.Lines(body) {
		if line[0] >= 0x80 {
			return false
		}
		flush = flush || !unicode.IsSpace(rune(line[0]))
	}
	return flush
}

// indented indents all lines but blank ones, whose spaces HCL leaves as they are.
func indented(body string) string {
	var b strings.Builder
	for line := range strings.Lines(body) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(heredocIndent)
		}
		b.WriteString(line)
	}
	return b.String()
}
