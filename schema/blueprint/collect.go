package blueprint

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/expertflow/cxha/schema"
)

// collect makes units of everything that the files declare.
func (l *loader) collect() {
	for _, src := range l.files {
		for _, a := range sortedAttrs(src.body) {
			if !src.healthy() {
				break
			}
			l.report(mistake(a.NameRange, "Attribute outside of a block",
				"A blueprint's file has only blocks at its top level, and %q is an attribute. Put it into the block that it belongs to; a value of a variable belongs into a file *%s.", a.Name, AutoVarsEnding))
		}
		for _, b := range src.body.Blocks {
			l.collectBlock(src, b)
		}
	}
}

func (l *loader) collectBlock(src *source, b *hclsyntax.Block) {
	if src.nameless(b) {
		l.hide("local", slices.Collect(maps.Keys(b.Body.Attributes)))
		return
	}
	shape, ok := l.shape(b.Type)
	if !ok && !src.healthy() && shapeName(l.shapes, b.Type) {
		return // it stands here only because braces do not match
	}
	if !ok {
		l.unknownBlock(b)
		return
	}
	if !l.checkLabels(shape, b) {
		l.hide(shape.Root, []string{anyName})
		l.unknown = true
		return
	}
	if shape.Open {
		l.collectLocals(src, shape, b)
		return
	}
	u := &unit{root: cmp.Or(shape.Root, shape.Type), name: b.Labels[0], shape: shape, src: src, block: b}
	l.structure(src, shape, b.Body, b.DefRange(), title(b))
	l.checkKind(u)
	l.declare(u)
}

// declare registers a unit under its name.
func (l *loader) declare(u *unit) {
	if l.byName[u.root] == nil {
		l.byName[u.root] = map[string]*unit{}
	}
	l.units = append(l.units, u)
	first, dup := l.byName[u.root][u.name]
	if !dup {
		l.byName[u.root][u.name] = u
		return
	}
	u.extra = true
	l.report(mistake(u.header(), "Declared twice", "%s was already declared at %s. Names tell things of one type apart: give one of the two another name, or take it out.",
		u, at(first.header())))
}

func (l *loader) collectLocals(src *source, shape *schema.Shape, b *hclsyntax.Block) {
	for _, nested := range b.Body.Blocks {
		if !l.hoist(src, nested) {
			l.report(mistake(nested.DefRange(), "Block in locals", "%s has only attributes NAME = expression. To give %q an object, write it with an equals sign: %s = { ... }.", b.Type, nested.Type, nested.Type))
			l.hide(shape.Root, []string{nested.Type})
		}
	}
	for _, a := range sortedAttrs(b.Body) {
		l.declare(&unit{root: shape.Root, name: a.Name, shape: shape, src: src, local: a})
	}
}

// hoist treats a block as a top-level one that stands inside another only because that one's closing brace is missing.
func (l *loader) hoist(src *source, b *hclsyntax.Block) bool {
	if !l.hoists(src, nil, b) {
		return false
	}
	l.collectBlock(src, b)
	return true
}

// hoists reports whether a block is to be hoisted. Where a block of its type can stand inside the other one as well, as its nested
// shape says, the label tells which of the two it is.
func (l *loader) hoists(src *source, nested *schema.Shape, b *hclsyntax.Block) bool {
	_, top := l.shape(b.Type)
	if !top || src == nil || !src.torn {
		return false
	}
	label, _ := labelOf(b)
	return nested == nil || nested.Label.Rule != nil && nested.Label.Rule.Check(label) != ""
}

// anyName stands for a name that cannot be made out.
const anyName = "*"

// hide remembers names that are not declared because of a mistake that has been reported.
func (l *loader) hide(root string, names []string) {
	if l.hidden[root] == nil {
		l.hidden[root] = map[string]bool{}
	}
	for _, name := range names {
		l.hidden[root][name] = true
	}
}

func (l *loader) unknownBlock(b *hclsyntax.Block) {
	l.unknown = true
	if slices.Contains(schema.Planned(), b.Type) {
		l.hide(b.Type, b.Labels)
		l.report(mistake(b.TypeRange, "Block type not known yet",
			"Blocks of type %q belong to the language of cxha, and this version does not know them yet. Take the block out, or use a version that does.", b.Type))
		return
	}
	if advice, ok := schema.Foreign(b.Type, b.Labels); ok {
		if len(b.Labels) == 2 { // resource "worker" "w3"
			l.hide(b.Labels[0], b.Labels[1:])
		}
		l.report(mistake(b.TypeRange, "Word of another language", "cxha has no blocks of type %q. %s", b.Type, advice))
		return
	}
	var types []string
	for _, s := range l.shapes {
		types = append(types, s.Type)
	}
	near := schema.Suggest(b.Type, types)
	detail := fmt.Sprintf("There are no blocks of type %q.", b.Type)
	if near == "" {
		detail += " The types are " + strings.Join(types, ", ") + "."
	} else {
		shape, _ := l.shape(near)
		l.hide(shape.Root, b.Labels)
		if shape.Open {
			l.hide(shape.Root, slices.Collect(maps.Keys(b.Body.Attributes)))
		}
		detail += fmt.Sprintf(" Did you mean %q?", near)
	}
	l.report(mistake(b.TypeRange, "Unknown block type", "%s", detail))
}

// checkLabels reports a block without the label that its shape asks for.
func (l *loader) checkLabels(shape *schema.Shape, b *hclsyntax.Block) bool {
	want := 0
	if shape.Label.Name != "" {
		want = 1
	}
	if len(b.Labels) < want {
		l.report(mistake(b.TypeRange, "Block without a label", "A block of type %s needs a label in quotes behind its type: %s.", b.Type, header(shape)))
		return false
	}
	if len(b.Labels) > want {
		l.report(mistake(b.LabelRanges[want], "Too many labels", "A block of type %s is written %s.", b.Type, header(shape)))
		return false
	}
	if want == 0 {
		return true
	}
	return l.checkLabel(shape, b)
}

func (l *loader) checkLabel(shape *schema.Shape, b *hclsyntax.Block) bool {
	label := b.Labels[0]
	if rule := shape.Label.Rule; rule != nil {
		if problem := rule.Check(label); problem != "" {
			l.report(mistake(b.LabelRanges[0], rule.Summary, "%s", problem))
			l.hide(shape.Root, []string{anyName})
		}
		return true
	}
	if !identifier(label) {
		l.report(mistake(b.LabelRanges[0], "Invalid label", "%q cannot be used in references. A label begins with a letter and goes on with letters, digits, _ and - (ASCII).", label))
		return false
	}
	return true
}

func header(shape *schema.Shape) string {
	if shape.Label.Name == "" {
		return shape.Type + " { ... }"
	}
	return fmt.Sprintf("%s %q { ... }", shape.Type, shape.Label.Name)
}

// identifier reports whether both references and resource addresses can hold s.
func identifier(s string) bool {
	for _, r := range s {
		if r > '~' {
			return false
		}
	}
	return hclsyntax.ValidIdentifier(s)
}

func sortedAttrs(body *hclsyntax.Body) []*hclsyntax.Attribute {
	attrs := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, a := range body.Attributes {
		attrs = append(attrs, a)
	}
	slices.SortFunc(attrs, func(a, b *hclsyntax.Attribute) int { return cmp.Compare(a.SrcRange.Start.Byte, b.SrcRange.Start.Byte) })
	return attrs
}

// labelOf returns a block's label and where it stands.
func labelOf(b *hclsyntax.Block) (string, hcl.Range) {
	if len(b.Labels) == 0 {
		return "", b.TypeRange
	}
	return b.Labels[0], b.LabelRanges[0]
}
