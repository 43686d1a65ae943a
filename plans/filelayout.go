package plans

import (
	"slices"
	"strings"
)

// layout sets HCL as `hclwrite.Format` would, line by line while it is written: the formatter itself looks at the whole text
// as single tokens, which for large plans takes longer than everything else. Who writes gives the spaces inside of a line; the
// layout gives the indentation, and the spaces that bring the equals signs of neighbouring lines under each other.
type layout struct {
	out []byte

	line    []byte
	columns int // width of what stands before the equals sign, where the line has one
	equals  int // offset of the equals sign in line; 0: none
	net     int // brackets that the line opens, less those that it closes
	right   int // the same, of what comes after the equals sign

	indents []int  // by level of indentation: how many brackets were opened in its line
	chain   []cell // lines that lie under each other and are not in out yet
}

// cell is a line with an assignment.
type cell struct {
	line            []byte
	columns, equals int
	indent          int
}

// text adds text without line breaks and brackets that span lines.
func (l *layout) text(s string) { l.line = append(l.line, s...) }

// assign begins an assignment to a name, which is the only thing in the line so far.
func (l *layout) assign(name string, columns int) {
	l.line = append(l.line, name...)
	l.columns, l.equals = columns, len(l.line)
	l.line = append(l.line, "= "...)
}

// bracket adds an opening bracket, with the name of a function before it or the head of a block, or a closing one.
func (l *layout) bracket(s string, net int) {
	l.text(s)
	l.net += net
	if l.equals > 0 {
		l.right += net
	}
}

// newline ends the line.
func (l *layout) newline() {
	indent := 0
	if len(l.line) > 0 {
		indent = 2 * l.level()
	}
	if l.equals > 0 && l.right == 0 {
		l.chain = append(l.chain, cell{line: slices.Clone(l.line), columns: l.columns, equals: l.equals, indent: indent})
	} else {
		l.flush()
		l.set(cell{line: l.line, equals: l.equals, columns: l.columns, indent: indent}, l.columns)
	}
	l.line, l.columns, l.equals, l.net, l.right = l.line[:0], 0, 0, 0, 0
}

// level returns the line's level, and follows its brackets.
func (l *layout) level() int {
	if l.net > 0 {
		l.indents = append(l.indents, l.net)
		return len(l.indents) - 1
	}
	for closed := -l.net; closed > 0 && len(l.indents) > 0; {
		top := &l.indents[len(l.indents)-1]
		if *top > closed {
			*top -= closed
			break
		}
		closed -= *top
		l.indents = l.indents[:len(l.indents)-1]
	}
	return len(l.indents)
}

// flush puts the chain into out.
func (l *layout) flush() {
	width := 0
	for _, c := range l.chain {
		width = max(width, c.columns)
	}
	for _, c := range l.chain {
		l.set(c, width)
	}
	l.chain = l.chain[:0]
}

// set puts a line into out, with its equals sign behind width columns.
func (l *layout) set(c cell, width int) {
	l.out = append(l.out, strings.Repeat(" ", c.indent)...)
	l.out = append(l.out, c.line[:c.equals]...)
	if c.equals > 0 {
		l.out = append(l.out, strings.Repeat(" ", width-c.columns+1)...)
	}
	l.out = append(l.out, c.line[c.equals:]...)
	l.out = append(l.out, '\n')
}

// bytes returns all that was written.
func (l *layout) bytes() []byte {
	l.flush()
	return l.out
}
