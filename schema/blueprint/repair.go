package blueprint

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// nameless is the type of a block whose header could not be read.
const nameless = "x"

// item returns the lines of the attribute or of the block's header to which a line belongs. Where it begins, the brackets before it
// tell; where it ends, only the indentation can, for its own brackets may be what is wrong.
func item(text []byte, name string, line int) (first, last int) {
	lines := strings.Split(string(text), "\n")
	if first, last, ok := heredoc(text, name, line); ok {
		return itemStart(text, name, first), last
	}
	first = itemStart(text, name, line)
	if first > len(lines) || !strings.Contains(lines[first-1], "=") {
		return line, line
	}
	depth := indentation(lines[first-1])
	last = first
	for i := first; i < len(lines); i++ {
		if strings.TrimSpace(lines[i]) == "" {
			continue
		}
		if d := indentation(lines[i]); d < depth || d == depth && !strings.ContainsAny(strings.TrimSpace(lines[i])[:1], "})]") {
			break
		}
		last = i + 1
		if indentation(lines[i]) == depth {
			break // the closing bracket
		}
	}
	return first, max(last, line)
}

// heredoc returns the lines of the heredoc to which a line belongs, from its opening to its end.
func heredoc(text []byte, name string, line int) (first, last int, ok bool) {
	tokens, _ := hclsyntax.LexConfig(text, name, hcl.InitialPos) // its diagnostics are those of the parser
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOHeredoc:
			first = t.Range.Start.Line
		case hclsyntax.TokenCHeredoc:
			if last = t.Range.End.Line; first < line && line <= last {
				return first, last, true
			}
		}
	}
	return 0, 0, false
}

func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " \t")) }

// itemStart follows the brackets from the beginning of the file.
func itemStart(text []byte, name string, line int) int {
	tokens, _ := hclsyntax.LexConfig(text, name, hcl.InitialPos) // its diagnostics are those of the parser
	inExpr, begins, assigned, start := 0, true, false, 1
	for _, t := range tokens {
		space := t.Type == hclsyntax.TokenNewline || t.Type == hclsyntax.TokenComment
		if inExpr == 0 && begins && !space {
			start, begins, assigned = t.Range.Start.Line, false, false
		}
		if t.Range.End.Line >= line && !space {
			return start
		}
		switch t.Type {
		case hclsyntax.TokenNewline, hclsyntax.TokenComment:
			begins = begins || inExpr == 0
		case hclsyntax.TokenEqual:
			assigned = true
		case hclsyntax.TokenOBrace:
			if assigned {
				inExpr++
			} else {
				begins = true
			}
		case hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			inExpr++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			inExpr = max(inExpr-1, 0)
		}
	}
	return line
}

// leaveOut replaces lines by spaces, so that all positions stay. If nesting is to be kept, a line that opens or closes a block leaves
// a nameless one's header or the brace in its place.
func (s *source) leaveOut(text []byte, first, last int, nesting bool) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	for n := first; n <= min(last, len(lines)); n++ {
		was := bytes.TrimRight(lines[n-1], "\r\n")
		instead := bytes.Repeat([]byte(" "), len(was))
		if first == last && nesting {
			placeholder(instead, string(was), nextLine(lines[n:]))
		}
		s.broken[n] = string(was)
		lines[n-1] = slices.Concat(instead, lines[n-1][len(was):])
	}
	s.broken[first] += "" // a line behind the end counts as well: parse must not try it twice
	return bytes.Join(lines, nil)
}

func nextLine(lines [][]byte) string {
	for _, l := range lines {
		if text := strings.TrimRight(string(l), "\r\n"); strings.TrimSpace(text) != "" {
			return text
		}
	}
	return ""
}

var interpolation = regexp.MustCompile(`[$%]\{[^}]*\}?`)

// placeholder keeps what a line does to the nesting of blocks.
func placeholder(instead []byte, was, next string) {
	braces := interpolation.ReplaceAllString(was, "")
	open := strings.Count(braces, "{") - strings.Count(braces, "}")
	headless := open == 0 && !strings.Contains(was, "=") && indentation(next) > indentation(was)
	switch {
	case (open > 0 || headless) && len(was) >= len(nameless)+2:
		copy(instead, nameless+" {")
	case open < 0:
		instead[0] = '}'
	}
}

// brokenWords lists the words of the lines in a range that were left out: what they would have declared is not known.
func (s *source) brokenWords(r hcl.Range) []string {
	var out []string
	for line, text := range s.broken {
		if line >= r.Start.Line && line <= r.End.Line {
			out = append(out, words.FindAllString(text, -1)...)
		}
	}
	return out
}
