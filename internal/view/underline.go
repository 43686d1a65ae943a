package view

import (
	"strings"
	"unicode/utf8"
)

// The sequences that hcl's writer puts around what it underlines.
const (
	underlineOn = "\x1b[1;4m"
)

// caretLines turns text that hcl's writer made for a colour terminal into plain text: what was underlined gets a line of
// carets below it.
func caretLines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		plain, carets := caretLine(strings.TrimSuffix(line, "\n"))
		b.WriteString(plain + "\n")
		if carets != "" {
			b.WriteString(carets + "\n")
		}
	}
	return b.String()
}

func caretLine(line string) (plain, carets string) {
	var text, marks strings.Builder
	marked, any := false, false
	for line != "" {
		if strings.HasPrefix(line, "\x1b[") {
			end := strings.IndexByte(line, 'm')
			if end < 0 {
				break
			}
			marked = line[:end+1] == underlineOn
			line = line[end+1:]
			continue
		}
		r, n := utf8.DecodeRuneInString(line)
		line = line[n:]
		text.WriteRune(r)
		switch {
		case marked:
			marks.WriteByte('^')
			any = true
		case r == '\t':
			marks.WriteByte('\t')
		default:
			marks.WriteByte(' ')
		}
	}
	if !any {
		return text.String(), ""
	}
	return text.String(), strings.TrimRight(marks.String(), " \t")
}
