package plans

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// inlineText writes a shown value as HCL in one line.
func inlineText(v cty.Value) string { return string(appendInline(nil, v)) }

func appendInline(b []byte, v cty.Value) []byte {
	switch {
	case !v.IsKnown():
		return append(b, knownAfterApply...)
	case v.IsNull():
		return append(b, "null"...)
	case v.Type() == cty.String:
		return appendQuoted(b, v.AsString())
	case v.Type() == cty.Bool:
		return strconv.AppendBool(b, v.True())
	case v.Type() == cty.Number:
		return v.AsBigFloat().Append(b, 'f', -1)
	case v.Type().IsObjectType():
		b = append(b, '{')
		for it, first := v.ElementIterator(), true; it.Next(); first = false {
			if !first {
				b = append(b, ", "...)
			}
			name, e := it.Element()
			b = appendInline(append(appendName(b, name.AsString()), " = "...), e)
		}
		return append(b, '}')
	default:
		return appendTuple(b, v.AsValueSlice())
	}
}

func appendTuple(b []byte, elems []cty.Value) []byte {
	b = append(b, '[')
	for i, e := range elems {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendInline(b, e)
	}
	return append(b, ']')
}

func appendName(b []byte, name string) []byte {
	if isIdentifier(name) {
		return append(b, name...)
	}
	return appendQuoted(b, name)
}

func nameTokens(name string) hclwrite.Tokens {
	if isIdentifier(name) {
		return hclwrite.TokensForIdentifier(name)
	}
	return hclwrite.TokensForValue(cty.StringVal(name))
}

// isIdentifier is hclsyntax.ValidIdentifier, which calls the scanner, quick where a name shows at a look what it is.
func isIdentifier(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_':
		case i > 0 && (c == '-' || '0' <= c && c <= '9'):
		case c >= utf8.RuneSelf:
			return hclsyntax.ValidIdentifier(name)
		default:
			return false
		}
	}
	return name != ""
}

// appendQuoted writes a text as a quoted template without anything to fill in.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b = append(b, byte(r), byte(r))
		case unicode.IsPrint(r):
			b = utf8.AppendRune(b, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return append(b, '"')
}

// fitsHeredoc reports whether a text of several lines can be written as it is, without escapes.
func fitsHeredoc(s string) bool {
	if !strings.Contains(strings.TrimSuffix(s, "\n"), "\n") {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) })
}

// writeHeredoc writes a text as a heredoc, whose value always ends with a line break; chomp takes it away where there is none.
func writeHeredoc(l *layout, s string) {
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
	doc := begin + end + "\n" + body + closing
	if whole {
		l.text(doc)
		return
	}
	l.bracket("chomp("+doc, 1)
	l.newline()
	l.bracket(")", -1)
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
