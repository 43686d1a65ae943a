package blueprint

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Texts that people write without quotes, which HCL takes for numbers, references, divisions or comments.
var unquoted = []struct {
	what    string
	pattern *regexp.Regexp
}{
	{"a network", regexp.MustCompile(`\d+\.\d+\.\d+\.\d+/\d+`)},
	{"an address", regexp.MustCompile(`\d+\.\d+\.\d+\.\d+`)},
	{"a network", regexp.MustCompile(`[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{0,4}){2,7}/\d+`)},
	{"an address", regexp.MustCompile(`[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{0,4}){2,7}`)},
	{"a web address", regexp.MustCompile(`(https?|oci)://[^\s",)\]}]+`)},
	{"a version", regexp.MustCompile(`v?\d+\.\d+(\.\d+)?([-+][0-9A-Za-z.+-]+)?`)},
	{"a date or a time", regexp.MustCompile(`\d{1,4}[:-]\d\d[:-]\d\d`)},
	{"a duration or a size", regexp.MustCompile(`\d+(\.\d+)?([munµ]?s|h|d|[kKMGTPE]i?B?|m|%)`)},
	{"a path", regexp.MustCompile(`/[A-Za-z0-9._/-]+`)},
}

var assignment = regexp.MustCompile(`^\s*("[^"]*"|[\w-]+)\s*[=:]\s*`)

// quotesMissing returns a diagnostic in the place of a syntax error at a line that holds a text without quotes; nil if the line holds none.
func quotesMissing(d *hcl.Diagnostic, text []byte) *hcl.Diagnostic {
	line, start := lineAt(text, d.Subject.Start.Byte)
	column := d.Subject.Start.Byte - start
	bare := outsideOfQuotes(line)
	offset := len(assignment.FindString(bare))
	for _, u := range unquoted {
		for _, at := range u.pattern.FindAllStringIndex(bare[offset:], -1) {
			from, to := at[0]+offset, at[1]+offset
			if from > 0 && isWord(bare[from-1]) || to < len(bare) && isWord(bare[to]) || !near(column, from, to) {
				continue
			}
			return missing(u.what, line[from:to], rangeIn(*d.Subject, start, text, from, to))
		}
	}
	return nil
}

// near reports whether an error at a column may come from the text there: the parser stops in it, or behind it.
func near(column, from, to int) bool { return column >= from-1 && column <= to+1 }

func missing(what, word string, at hcl.Range) *hcl.Diagnostic {
	return mistake(at, "Text without quotes", "%s is %s, and texts stand in quotes: write %q.", word, what, word)
}

// unquotedReference returns the text that a reference to nothing was probably meant to be, such as v1.35 or cp.cx.internal.
func unquotedReference(text string) (what string, ok bool) {
	for _, u := range unquoted {
		if m := u.pattern.FindString(text); m == text {
			return u.what, true
		}
	}
	if hostLike.MatchString(text) {
		return "a host name", true
	}
	return "", false
}

var hostLike = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)*\.(internal|local|lan|example|com|org|net|io|de|cloud|home|corp)$`)

func isWord(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// outsideOfQuotes returns the line with what stands in quotes, or in a comment, replaced by signs that no pattern has.
func outsideOfQuotes(line string) string {
	b := []byte(line)
	quoted := false
	for i := 0; i < len(b); i++ {
		switch {
		case b[i] == '"':
			quoted = !quoted
			b[i] = 1
		case quoted && b[i] == '\\' && i+1 < len(b):
			b[i], b[i+1] = 1, 1
			i++
		case quoted:
			b[i] = 1
		case b[i] == '#':
			for ; i < len(b); i++ {
				b[i] = 1
			}
		}
	}
	return string(b)
}

func lineAt(text []byte, offset int) (line string, start int) {
	offset = min(offset, len(text))
	start = bytes.LastIndexByte(text[:offset], '\n') + 1
	end := bytes.IndexByte(text[start:], '\n')
	if end < 0 {
		end = len(text) - start
	}
	return strings.TrimRight(string(text[start:start+end]), "\r"), start
}

// rangeIn is a part of the line at which another range begins.
func rangeIn(of hcl.Range, start int, text []byte, from, to int) hcl.Range {
	column := func(n int) int { return len([]rune(string(text[start:start+n]))) + 1 }
	r := of
	r.Start = hcl.Pos{Line: of.Start.Line, Column: column(from), Byte: start + from}
	r.End = hcl.Pos{Line: of.Start.Line, Column: column(to), Byte: start + to}
	return r
}

// interpolated reports whether a place stands in ${ } inside of a text.
func interpolated(text []byte, at hcl.Range) bool {
	if at.Start.Byte > len(text) {
		return false
	}
	before := strings.TrimRight(string(text[:at.Start.Byte]), " \t")
	return strings.HasSuffix(strings.TrimSuffix(before, "~"), "${")
}

// shellExpression returns a diagnostic in the place of a syntax error in ${ } of a text, where shells have signs that HCL has not; nil if
// the error is not there.
func shellExpression(d *hcl.Diagnostic, text []byte) *hcl.Diagnostic {
	line, start := lineAt(text, d.Subject.Start.Byte)
	column := min(d.Subject.Start.Byte-start, len(line))
	if inner, ok := strings.CutPrefix(outsideOfQuotes(line)[column:], "${"); ok {
		inner, _, _ = strings.Cut(inner, "}")
		return mistake(*d.Subject, "Interpolation outside of a text", "${ } puts a value into a text in quotes. By itself a value is written as it is: %s.", strings.TrimSpace(inner))
	}
	open := strings.LastIndex(line[:column], "${")
	if open < 0 || strings.Contains(line[open:column], "}") || open > 0 && line[open-1] == '$' {
		return nil
	}
	expression := line[open:]
	if end := strings.Index(expression, "}"); end >= 0 {
		expression = expression[:end+1]
	}
	return mistake(*d.Subject, "Not an expression", "%s in a text asks for a value of the blueprint, and this is none that could be computed. If a shell on the host is to see it, write $%s.", expression, expression)
}

// shellVariable is what to say to ${HOME} in a text.
func shellVariable(name string) string {
	return fmt.Sprintf("${%s} in a text asks for a value of the blueprint, and there is none of that name. If a shell on the host is to see it, write $${%s}; "+
		"for the variable of this machine's environment, write ${env(%q)}.", name, name, name)
}
