package reference

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// Markdown returns the language reference: the shapes of the schema and these functions.
func Markdown(functions []schema.Function) string {
	var b strings.Builder
	b.WriteString(opening)
	b.WriteString("\n## Blocks\n\n")
	for _, s := range schema.Shapes() {
		fmt.Fprintf(&b, "- [`%s`](#%s)\n", headline(&s), anchor(headline(&s)))
	}
	w := writer{out: &b, first: map[string]string{}}
	for _, s := range schema.Shapes() {
		w.shape(&s, "", 3)
	}
	writeCharts(&b)
	writeFunctions(&b, functions)
	b.WriteString("\n## The lock file\n\n" + lockText + "\n")
	writePlanned(&b)
	return b.String()
}

// writer writes shapes. A nested block that several blocks have is described where it comes first.
type writer struct {
	out   *strings.Builder
	first map[string]string // the headline under which a description stands
}

// headline is the block as it is written: worker "NAME".
func headline(s *schema.Shape) string {
	if s.Label.Name == "" {
		return s.Type
	}
	return fmt.Sprintf("%s %q", s.Type, s.Label.Name)
}

// anchor is the address that Markdown viewers give a headline.
func anchor(headline string) string {
	return strings.NewReplacer(" ", "-", "\"", "", "`", "").Replace(strings.ToLower(headline))
}

func (w *writer) shape(s *schema.Shape, in string, level int) {
	title := "`" + headline(s) + "`"
	if in != "" {
		title += " in `" + in + "`"
	}
	fmt.Fprintf(w.out, "\n%s %s\n\n", strings.Repeat("#", level), title)
	text := describe(s, in != "")
	if before, again := w.first[text]; again {
		fmt.Fprintf(w.out, "As %s.\n", before)
		return
	}
	w.first[text] = fmt.Sprintf("[%s](#%s)", title, anchor(title))
	w.out.WriteString(text)
	for i := range s.Blocks {
		w.shape(&s.Blocks[i], strings.TrimSpace(in+" "+s.Type), min(level+1, 5))
	}
}

// describe writes a block's text, example and attributes.
func describe(s *schema.Shape, nested bool) string {
	var b strings.Builder
	b.WriteString(s.Doc)
	if nested && s.Single {
		fmt.Fprintf(&b, " At most one. It can also be written as an attribute: `%s = { ... }`, or null for none.", s.Type)
	}
	if rule := s.Label.Rule; rule != nil && rule.Doc != "" {
		fmt.Fprintf(&b, " %s: %s.", s.Label.Name, rule.Doc)
	}
	if s.Example != "" {
		fmt.Fprintf(&b, "\n\n```hcl\n%s\n```\n", s.Example)
	}
	if len(s.Attrs) > 0 {
		b.WriteString("\n")
	}
	for i := range s.Attrs {
		writeAttr(&b, &s.Attrs[i])
	}
	return b.String()
}

func writeAttr(b *strings.Builder, a *schema.Attr) {
	facts := []string{a.TypeName()}
	if a.Kinds != nil {
		facts = append(facts, "only "+quoted(a.Kinds))
	}
	switch def := defaultText(a); {
	case a.Required, a.Kinds != nil && len(a.RequiredFor) == len(a.Kinds):
		facts = append(facts, "required")
	case a.RequiredFor != nil && def != "":
		facts = append(facts, "required for "+quoted(a.RequiredFor), "default "+def)
	case def != "":
		facts = append(facts, "default "+def)
	default:
		facts = append(facts, "optional")
	}
	if a.Secrecy == schema.Always {
		facts = append(facts, "always sensitive")
	}
	fmt.Fprintf(b, "- **`%s`** (%s)  \n  %s%s  \n  Example: `%s = %s`\n", a.Name, strings.Join(facts, "; "), a.Doc, ruleText(a), a.Name, a.Example)
}

func quoted(kinds []string) string { return "`" + strings.Join(kinds, "`, `") + "`" }

func defaultText(a *schema.Attr) string {
	switch {
	case a.DefaultDoc != "":
		return a.DefaultDoc
	case a.Default == cty.NilVal:
		return ""
	}
	return "`" + valueText(a.Default) + "`"
}

// ruleText tells what values are accepted, where the attribute's text does not.
func ruleText(a *schema.Attr) string {
	var texts []string
	if a.KeyRule != nil && a.KeyRule.Doc != "" {
		texts = append(texts, "Keys: "+a.KeyRule.Doc+".")
	}
	if a.Rule != nil && a.Rule.Doc != "" {
		texts = append(texts, "Values: "+a.Rule.Doc+".")
	}
	if len(texts) == 0 {
		return ""
	}
	return " " + strings.Join(texts, " ")
}

// valueText writes a default the way blueprints do.
func valueText(v cty.Value) string {
	switch ty := v.Type(); {
	case ty == cty.String:
		return fmt.Sprintf("%q", v.AsString())
	case ty == cty.Bool:
		return fmt.Sprintf("%t", v.True())
	case ty == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case v.LengthInt() == 0 && ty.IsMapType():
		return "{}"
	}
	var elements []string
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		text := valueText(e)
		if v.Type().IsMapType() {
			text = fmt.Sprintf("%q = %s", k.AsString(), text)
		}
		elements = append(elements, text)
	}
	if v.Type().IsMapType() {
		return "{ " + strings.Join(elements, ", ") + " }"
	}
	return "[" + strings.Join(elements, ", ") + "]"
}

func writeCharts(b *strings.Builder) {
	charts := schema.DefaultCharts()
	b.WriteString("\n## Charts of blocks\n\n" + chartsText + "\n\n| block | chart | version | repository | namespace |\n|---|---|---|---|---|\n")
	for _, block := range slices.Sorted(maps.Keys(charts)) {
		c := charts[block]
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | `%s` |\n", block, cmp.Or(c.Name, "none"), cmp.Or(c.Version, "-"), cmp.Or(c.Repository, "-"), c.Namespace)
	}
}

func writeFunctions(b *strings.Builder, functions []schema.Function) {
	b.WriteString("\n## Functions\n\n" + functionsText + "\n\n")
	for _, f := range functions {
		fmt.Fprintf(b, "- `%s`: %s\n", f.Usage, f.Doc)
	}
}

func writePlanned(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Not yet in this version\n\nThe language has more types of blocks, which this version refuses by name: `%s`, and in `control_plane` the block `snapshots`.\n",
		strings.Join(schema.Planned(), "`, `"))
}
