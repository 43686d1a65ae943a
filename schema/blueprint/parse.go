package blueprint

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// source is a file as far as it could be read.
type source struct {
	file   *hcl.File
	body   *hclsyntax.Body
	broken map[int]string // the lines with syntax errors, which were left out, by number
	torn   bool           // more than the broken lines may be missing
}

// maxSyntaxErrors ends the search in files that are something else altogether.
const maxSyntaxErrors = 20

// parse reads a file beyond its syntax errors: an attribute or a line with an error is left out and the file is read again, so that what
// follows is found in its right place and the mistakes there are reported, too. Only the first error of each reading counts;
// the parser's further ones mostly result from it.
func parse(text []byte, name string) (*source, hcl.Diagnostics) {
	src := &source{broken: map[int]string{}}
	var diags hcl.Diagnostics
	rest := text
	for {
		file, found := hclsyntax.ParseConfig(rest, name, hcl.InitialPos)
		src.body = file.Body.(*hclsyntax.Body)
		src.file = &hcl.File{Body: file.Body, Bytes: text, Nav: navigation{file}}
		syntax, others := splitSyntax(found)
		if syntax == nil {
			return src, append(diags, others...)
		}
		first, last := item(rest, name, lineOf(syntax, rest))
		_, again := src.broken[first]
		if again || (len(src.broken) > 0 && resulting(syntax, rest)) || len(src.broken) == maxSyntaxErrors {
			src.torn = true
			return src, diags
		}
		diags = append(diags, cmp.Or(shellExpression(syntax, rest), quotesMissing(syntax, rest), syntax))
		if syntax.Summary == unclosedBlock {
			src.torn = true
			return src, diags
		}
		rest = src.leaveOut(rest, first, last, !closes(syntax, rest))
	}
}

// Summaries of hclsyntax that need care of their own.
const (
	unclosedBlock = "Unclosed configuration block"
	redefined     = "Attribute redefined"
)

// splitSyntax returns the first error in the file's order that hinders reading, and the mistakes that do not.
func splitSyntax(found hcl.Diagnostics) (syntax *hcl.Diagnostic, others hcl.Diagnostics) {
	var hindering hcl.Diagnostics
	for _, d := range found {
		if d.Summary == redefined || d.Subject == nil {
			others = append(others, d)
		} else {
			hindering = append(hindering, d)
		}
	}
	if len(hindering) == 0 {
		return nil, others
	}
	return slices.MinFunc(hindering, func(a, b *hcl.Diagnostic) int {
		return cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte)
	}), others
}

// resulting reports whether an error that shows up after a line was left out only says that brackets no longer match.
func resulting(d *hcl.Diagnostic, text []byte) bool {
	return d.Summary == unclosedBlock || d.Subject.Start.Byte >= len(text) || closes(d, text)
}

// closes reports whether the error is at a closing bracket.
func closes(d *hcl.Diagnostic, text []byte) bool {
	token := strings.TrimSpace(string(d.Subject.SliceBytes(text)))
	return token != "" && strings.ContainsAny(token[:1], "})]")
}

// lineOf returns the line to leave out. Where a closing bracket comes too early, something is missing on the line before.
func lineOf(d *hcl.Diagnostic, text []byte) int {
	if closes(d, text) && d.Context != nil && d.Context.Start.Line < d.Subject.Start.Line {
		return d.Context.Start.Line
	}
	return d.Subject.Start.Line
}

// navigation tells diagnostics in which block a place is.
type navigation struct{ file *hcl.File }

// ContextString is what hcl's writer of diagnostics asks for.
func (n navigation) ContextString(offset int) string {
	of, ok := n.file.Nav.(interface{ ContextString(int) string })
	if !ok {
		return ""
	}
	if s := of.ContextString(offset); s != nameless {
		return s
	}
	return ""
}

var words = regexp.MustCompile(`[\p{L}_][\p{L}\p{N}_-]*`)

// healthy reports whether the file has no syntax errors. In others, braces may be where nobody meant them.
func (s *source) healthy() bool { return len(s.broken) == 0 && !s.torn }

// nameless reports whether the block stands for one whose header could not be read.
func (s *source) nameless(b *hclsyntax.Block) bool {
	_, broken := s.broken[b.TypeRange.Start.Line]
	return broken && b.Type == nameless
}

// mentions reports whether a broken line has the word: what it would have declared is not known.
func (s *source) mentions(word string) bool {
	for _, line := range s.broken {
		if slices.Contains(words.FindAllString(line, -1), word) {
			return true
		}
	}
	return false
}

// damaged reports whether a line in the range was left out.
func (s *source) damaged(r hcl.Range) bool {
	for line := range s.broken {
		if line >= r.Start.Line && line <= r.End.Line {
			return true
		}
	}
	return s.torn
}
