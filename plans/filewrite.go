package plans

import (
	"fmt"
	"io"
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

const fileHeader = `# A plan of cxha. It says what would change, and is made to be read and approved by people. Nobody has to edit it.
#
#   cxha apply THIS-FILE
#
# looks at the machines again and does exactly what is written here. Where the machines or the blueprint have changed since,
# it does nothing and says what differs.

`

// WriteFile writes a plan as text in HCL. The same plan gives the same bytes.
func WriteFile(w io.Writer, p *Plan, o FileOptions) error {
	f, err := NewFile(p, o)
	if err != nil {
		return err
	}
	return f.Write(w)
}

// Write writes the file as text in HCL.
func (f *File) Write(w io.Writer) error {
	l := &layout{out: []byte(fileHeader)}
	setWord(l, "format", strconv.Itoa(FileFormat))
	setWord(l, "cluster", quoted(f.Cluster))
	setWord(l, "blueprint", quoted(f.Blueprint))
	l.newline()
	l.bracket("summary {", 1)
	l.newline()
	for _, c := range f.Summary.counts() {
		setWord(l, c.name, strconv.Itoa(*c.n))
	}
	closeBlock(l)
	for _, c := range f.Changes {
		l.newline()
		c.write(l)
	}
	if _, err := w.Write(l.bytes()); err != nil {
		return fmt.Errorf("write plan file: %w", err)
	}
	return nil
}

type count struct {
	name string
	n    *int
}

// counts names the fields of a summary, in the order of the file.
func (s *Summary) counts() []count {
	return []count{{"create", &s.Create}, {"update", &s.Update}, {"replace", &s.Replace}, {"delete", &s.Delete},
		{"unknown", &s.Unknown}, {"unchanged", &s.Unchanged}}
}

func (c FileChange) write(l *layout) {
	typ := "change"
	if c.Action == Unknown {
		typ = "unknown"
	}
	l.bracket(typ+" "+quoted(c.Addr.String())+" {", 1)
	l.newline()
	if c.Action != Unknown {
		setText(l, "action", c.Action.String())
	}
	setText(l, "host", c.Host)
	setText(l, "code", string(c.Reason.Code))
	setText(l, "reason", c.Reason.Text)
	setText(l, "observed", c.Observed)
	setText(l, "planned", c.Planned)
	if len(c.Requires) > 0 {
		setName(l, "requires")
		writeTuple(l, addrValues(c.Requires))
		l.newline()
	}
	setAttrs(l, "before", c.Before)
	setAttrs(l, "after", c.After)
	closeBlock(l)
}

// setText sets an attribute of a block, where there is a text for it.
func setText(l *layout, name, text string) {
	if text != "" {
		setWord(l, name, quoted(text))
	}
}

// setWord sets an attribute of a block.
func setWord(l *layout, name, word string) {
	setName(l, name)
	l.text(word)
	l.newline()
}

func closeBlock(l *layout) {
	l.bracket("}", -1)
	l.newline()
}

// quoted is a text that comes from outside of any value, as HCL has it.
func quoted(s string) string { return string(appendQuoted(nil, cty.NormalizeString(s))) }

func addrValues(addrs []schema.Addr) []cty.Value {
	var names []cty.Value
	for _, a := range addrs {
		names = append(names, cty.StringVal(a.String()))
	}
	return names
}

func setAttrs(l *layout, name string, attrs []FileAttr) {
	if len(attrs) == 0 {
		return
	}
	l.newline()
	setName(l, name)
	l.bracket("{", 1)
	l.newline()
	for _, a := range attrs {
		setName(l, a.Path)
		writeValue(l, a.Value)
		l.newline()
	}
	closeBlock(l)
}
