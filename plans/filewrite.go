package plans

import (
	"fmt"
	"io"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
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
	out := hclwrite.NewEmptyFile()
	body := out.Body()
	body.SetAttributeValue("format", cty.NumberIntVal(FileFormat))
	body.SetAttributeValue("cluster", cty.StringVal(f.Cluster))
	body.SetAttributeValue("blueprint", cty.StringVal(f.Blueprint))
	body.AppendNewline()
	counts := body.AppendNewBlock("summary", nil).Body()
	for _, c := range f.Summary.counts() {
		counts.SetAttributeValue(c.name, cty.NumberIntVal(int64(*c.n)))
	}
	for _, c := range f.Changes {
		body.AppendNewline()
		c.write(body)
	}
	if _, err := w.Write(append([]byte(fileHeader), hclwrite.Format(out.BuildTokens(nil).Bytes())...)); err != nil {
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

func (c FileChange) write(body *hclwrite.Body) {
	typ := "change"
	if c.Action == Unknown {
		typ = "unknown"
	}
	b := body.AppendNewBlock(typ, []string{c.Addr.String()}).Body()
	if c.Action != Unknown {
		b.SetAttributeValue("action", cty.StringVal(c.Action.String()))
	}
	setText(b, "host", c.Host)
	setText(b, "code", string(c.Reason.Code))
	setText(b, "reason", c.Reason.Text)
	setText(b, "observed", c.Observed)
	setText(b, "planned", c.Planned)
	if len(c.Requires) > 0 {
		b.SetAttributeRaw("requires", requiresTokens(c.Requires))
	}
	setAttrs(b, "before", c.Before)
	setAttrs(b, "after", c.After)
}

func setText(b *hclwrite.Body, name, text string) {
	if text != "" {
		b.SetAttributeValue(name, cty.StringVal(text))
	}
}

func requiresTokens(addrs []schema.Addr) hclwrite.Tokens {
	var names []cty.Value
	for _, a := range addrs {
		names = append(names, cty.StringVal(a.String()))
	}
	return tupleTokens(names)
}

func setAttrs(b *hclwrite.Body, name string, attrs []FileAttr) {
	if len(attrs) == 0 {
		return
	}
	newline := &hclwrite.Token{Type: hclsyntax.TokenNewline, Bytes: []byte("\n")}
	toks := hclwrite.Tokens{{Type: hclsyntax.TokenOBrace, Bytes: []byte("{")}, newline}
	for _, a := range attrs {
		toks = append(toks, nameTokens(a.Path)...)
		toks = append(toks, &hclwrite.Token{Type: hclsyntax.TokenEqual, Bytes: []byte("=")})
		toks = append(toks, valueTokens(a.Value)...)
		toks = append(toks, newline)
	}
	b.AppendNewline()
	b.SetAttributeRaw(name, append(toks, &hclwrite.Token{Type: hclsyntax.TokenCBrace, Bytes: []byte("}")}))
}
