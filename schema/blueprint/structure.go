package blueprint

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/expertflow/cxha/schema"
)

// structure reports what can be said of a block without computing anything: attributes and blocks that do not belong there,
// those that are missing, and those that stand there twice.
func (l *loader) structure(src *source, shape *schema.Shape, body *hclsyntax.Body, header hcl.Range, where string) {
	given := map[string]bool{}
	l.given[body] = given
	for _, word := range src.brokenWords(body.SrcRange) {
		given[word] = true
	}
	missing := missingNames(shape, body)
	for _, a := range sortedAttrs(body) {
		if src.torn && shapeName(l.shapes, a.Name) && !slices.Contains(shape.Names(), a.Name) {
			continue // of the block around this one, whose closing brace is missing
		}
		if as := l.structureAttr(shape, a, where, missing); as != "" {
			given[as] = true
		}
	}
	first := map[string]hcl.Range{}
	for _, b := range body.Blocks {
		as := l.structureBlock(src, shape, b, where, first)
		given[as] = true
	}
	if src.damaged(header) || src.damaged(hcl.RangeBetween(header, body.SrcRange)) {
		return
	}
	for _, name := range missing {
		if !given[name] {
			a, _ := shape.Attr(name)
			l.report(mistake(header, "Missing attribute", "%s needs the attribute %q, for example %s = %s. %s", where, name, name, a.Example, firstSentence(a.Doc)))
		}
	}
}

// checkKind reports attributes that blocks of this kind do not have, and those that only they need. The kind is the label.
func (l *loader) checkKind(u *unit) {
	if u.shape.Label.Rule == nil || u.shape.Label.Rule.Check(u.name) != "" {
		return
	}
	for _, a := range sortedAttrs(u.block.Body) {
		if as, ok := u.shape.Attr(a.Name); ok && as.Kinds != nil && !slices.Contains(as.Kinds, u.name) {
			l.report(mistake(a.NameRange, "Attribute of another kind", "%s has no attribute %q: it belongs to %s. Take it out.", u.title(), a.Name, kinds(u.shape.Type, as.Kinds)))
		}
	}
	if u.src.damaged(hcl.RangeBetween(u.header(), u.block.Body.SrcRange)) {
		return
	}
	for _, a := range u.shape.Attrs {
		if slices.Contains(a.RequiredFor, u.name) && !l.given[u.block.Body][a.Name] {
			l.report(mistake(u.header(), "Missing attribute", "%s needs the attribute %q, for example %s = %s. %s", u.title(), a.Name, a.Name, a.Example, firstSentence(a.Doc)))
		}
	}
}

// kinds names the blocks of a type with these labels.
func kinds(typ string, labels []string) string {
	quoted := make([]string, len(labels))
	for i, label := range labels {
		quoted[i] = strconv.Quote(label)
	}
	if last := len(quoted) - 1; last > 0 {
		return typ + " " + strings.Join(quoted[:last], ", ") + " and " + quoted[last]
	}
	return typ + " " + quoted[0]
}

// foreignAttrs are the words of other languages that stand there as attributes of any block.
var foreignAttrs = []string{"count", "for_each", "depends_on", "provider", "providers", "lifecycle", "provisioner", "connection"}

// structureAttr returns the name that the attribute stands for, which for a misspelt one is the name that was probably meant.
func (l *loader) structureAttr(shape *schema.Shape, a *hclsyntax.Attribute, where string, missing []string) string {
	if _, ok := shape.Attr(a.Name); ok {
		return a.Name
	}
	if nested, ok := shape.Block(a.Name); ok {
		if !nested.Single {
			l.report(mistake(a.NameRange, "Block written as an attribute", "%q is a block in %s: write %s, without an equals sign.", a.Name, where, header(nested)))
		}
		return a.Name
	}
	if advice, ok := schema.Foreign(a.Name, nil); ok && slices.Contains(foreignAttrs, a.Name) {
		l.report(mistake(a.NameRange, "Word of another language", "There is no attribute %q in %s. %s", a.Name, where, advice))
		return ""
	}
	near := cmp.Or(schema.Suggest(a.Name, missing), schema.Suggest(a.Name, shape.Names()))
	if near == "" && len(missing) == 1 {
		near = missing[0]
	}
	detail := fmt.Sprintf("There is no attribute %q in %s.", a.Name, where)
	if near != "" {
		detail += fmt.Sprintf(" Did you mean %q?", near)
	} else {
		detail += " It takes " + strings.Join(shape.Names(), ", ") + "."
	}
	l.report(mistake(a.NameRange, "Unknown attribute", "%s", detail))
	return near
}

func (l *loader) structureBlock(src *source, shape *schema.Shape, b *hclsyntax.Block, where string, first map[string]hcl.Range) string {
	if src.nameless(b) {
		return ""
	}
	nested, ok := shape.Block(b.Type)
	if !ok || l.hoists(src, nested, b) {
		if l.hoist(src, b) || src.torn && shapeName(l.shapes, b.Type) {
			return ""
		}
		return l.unknownNested(shape, b, where)
	}
	if !l.checkLabels(nested, b) {
		return b.Type
	}
	label, _ := labelOf(b)
	if prev, dup := first[b.Type+" "+label]; dup && (nested.Single || label != "") {
		l.report(mistake(b.DefRange(), "Declared twice", "%s was already given in %s at %s. Keep one of the two.", title(b), where, at(prev)))
	}
	first[b.Type+" "+label] = b.DefRange()
	l.structure(src, nested, b.Body, b.DefRange(), title(b)+" of "+where)
	return b.Type
}

func (l *loader) unknownNested(shape *schema.Shape, b *hclsyntax.Block, where string) string {
	if a, ok := shape.Attr(b.Type); ok {
		l.report(mistake(b.TypeRange, "Attribute written as a block", "%q is an attribute in %s: write it with an equals sign, %s = %s.", b.Type, where, a.Name, a.Example))
		return b.Type
	}
	if slices.Contains(shape.Later, b.Type) {
		l.report(mistake(b.TypeRange, "Block type not known yet",
			"Blocks of type %q in %s belong to the language of cxha, and this version does not know them yet. Take the block out, or use a version that does.", b.Type, where))
		return ""
	}
	if advice, ok := schema.Foreign(b.Type, b.Labels); ok {
		l.report(mistake(b.TypeRange, "Word of another language", "There are no blocks of type %q in %s. %s", b.Type, where, advice))
		return ""
	}
	near := schema.Suggest(b.Type, shape.Names())
	detail := fmt.Sprintf("There are no blocks of type %q in %s.", b.Type, where)
	if near != "" {
		detail += fmt.Sprintf(" Did you mean %q?", near)
	} else if _, top := l.shape(b.Type); top {
		detail += " A block of this type stands by itself, outside of others: is a closing brace missing before it?"
	}
	l.report(mistake(b.TypeRange, "Unknown block type", "%s", detail))
	return near
}

// shapeName reports whether any shape has an attribute or block of that name.
func shapeName(shapes []schema.Shape, name string) bool {
	return slices.ContainsFunc(shapes, func(s schema.Shape) bool {
		return slices.Contains(s.Names(), name) || shapeName(s.Blocks, name)
	})
}

// missingNames lists the required attributes that the body does not have under their own name.
func missingNames(shape *schema.Shape, body *hclsyntax.Body) []string {
	var names []string
	for _, a := range shape.Attrs {
		if _, given := body.Attributes[a.Name]; a.Required && !given {
			names = append(names, a.Name)
		}
	}
	return names
}

// firstSentence returns the beginning of a text of the language reference, as plain text.
func firstSentence(s string) string {
	s = strings.ReplaceAll(s, "`", "")
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}
