package blueprint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// scope is where a section is decoded.
type scope struct {
	ctx    *hcl.EvalContext
	src    *source
	where  string // for sentences: worker "w1"
	header hcl.Range
	name   string // label, or key of for_each; empty where it is not known
}

// decodeBody computes the values of a block. What structure has reported is passed over.
func (l *loader) decodeBody(sc scope, shape *schema.Shape, body *hclsyntax.Body) *section {
	s := newSection(sc, shape)
	for i := range shape.Attrs {
		a := &shape.Attrs[i]
		written, ok := body.Attributes[a.Name]
		switch {
		case ok:
			s.fields[a.Name] = l.decodeExpr(sc, a, written.Expr)
		case l.given[body][a.Name]: // under a misspelt name
			s.fields[a.Name] = field{value: cty.DynamicVal, ctx: sc.ctx, at: sc.header}
		default:
			s.fields[a.Name] = absent(sc, a)
		}
	}
	for i := range shape.Blocks {
		nested := &shape.Blocks[i]
		if written, ok := body.Attributes[nested.Type]; ok && nested.Single {
			l.decodeAttrBlock(s, nested, written)
		}
	}
	for _, b := range body.Blocks {
		if nested, ok := shape.Block(b.Type); ok && len(b.Labels) <= 1 && !l.hoists(sc.src, nested, b) {
			label, _ := labelOf(b)
			inner := scope{ctx: sc.ctx, src: sc.src, where: title(b) + " of " + sc.where, header: b.DefRange(), name: label}
			s.blocks = append(s.blocks, l.decodeBody(inner, nested, b.Body))
		}
	}
	l.derive(s)
	return s
}

// derive fills the attributes whose defaults are made of the block's label, or of its key of for_each.
func (l *loader) derive(s *section) {
	for i := range s.shape.Attrs {
		a := &s.shape.Attrs[i]
		f := s.fields[a.Name]
		if a.Derive == nil || s.scope.name == "" {
			continue
		}
		if name := a.Derive(s.scope.name); name != "" && f.value.IsKnown() && f.value.IsNull() {
			f.value = l.settle(s.scope, a, f, cty.StringVal(name))
			s.fields[a.Name] = f
		}
	}
}

func newSection(sc scope, shape *schema.Shape) *section {
	return &section{shape: shape, name: sc.name, scope: sc, fields: make(map[string]field, len(shape.Attrs))}
}

// absent is the field of an attribute that was not given.
func absent(sc scope, a *schema.Attr) field {
	f := field{value: a.Default, ctx: sc.ctx, at: sc.header}
	switch {
	case a.Required, slices.Contains(a.RequiredFor, sc.name):
		f.value = cty.DynamicVal
	case a.Default == cty.NilVal && a.Form == schema.FormValue:
		f.value = cty.NullVal(a.Type)
	case a.Default == cty.NilVal:
		f.value = cty.NullVal(cty.String)
	}
	return f
}

// decodeExpr computes an attribute's value from its expression.
func (l *loader) decodeExpr(sc scope, a *schema.Attr, expr hclsyntax.Expression) field {
	f := field{expr: expr, ctx: sc.ctx, at: expr.Range(), given: true, value: cty.NullVal(cty.String)}
	switch a.Form {
	case schema.FormEach, schema.FormType:
		return f
	case schema.FormBlocks:
		f.refs = l.decodeRefs(a, expr)
		return f
	}
	before := len(l.diags)
	f.value = l.settle(sc, a, f, l.value(expr, sc.ctx))
	if a.Secrecy == schema.Always {
		hideSource(l.diags[before:], sc.header)
	}
	return f
}

// decodeAttrBlock reads a nested block that is written as an attribute with an object or null.
func (l *loader) decodeAttrBlock(s *section, shape *schema.Shape, written *hclsyntax.Attribute) {
	v := l.value(written.Expr, s.scope.ctx)
	sc := scope{ctx: s.scope.ctx, where: shape.Type + " of " + s.scope.where, header: s.scope.header}
	f := field{expr: written.Expr, ctx: s.scope.ctx, at: written.Expr.Range(), given: true}
	if nested := l.decodeObject(sc, shape, f, v); nested != nil {
		s.blocks = append(s.blocks, nested)
	}
}

// decodeObject reads a nested block from an object; nil for null.
func (l *loader) decodeObject(sc scope, shape *schema.Shape, from field, v cty.Value) *section {
	v, marks := v.Unmark()
	switch {
	case v.IsKnown() && v.IsNull():
		return nil
	case v.IsKnown() && !v.Type().IsObjectType() && !v.Type().IsMapType():
		l.report(evaluated(mistake(from.at, "Wrong type", "%s takes an object, and this is %s.", sc.where, describe(v)), from.expr, from.ctx))
		v = cty.DynamicVal
	}
	s := newSection(sc, shape)
	if !v.IsKnown() {
		for _, a := range shape.Attrs {
			s.fields[a.Name] = field{value: cty.DynamicVal, ctx: sc.ctx, at: sc.header}
		}
		return s
	}
	elements := v.AsValueMap()
	l.checkObjectNames(sc, shape, from, elements)
	for i := range shape.Attrs {
		a := &shape.Attrs[i]
		f := from
		e, ok := elements[a.Name]
		if !ok || (e.IsKnown() && e.IsNull()) {
			s.fields[a.Name] = l.absentFrom(sc, a, from)
			continue
		}
		f.value = l.settle(sc, a, f, e.WithMarks(marks))
		s.fields[a.Name] = f
	}
	for i := range shape.Blocks {
		nested := &shape.Blocks[i]
		if e, ok := elements[nested.Type]; ok && nested.Single {
			inner := scope{ctx: sc.ctx, where: nested.Type + " of " + sc.where, header: sc.header}
			if sub := l.decodeObject(inner, nested, from, e.WithMarks(marks)); sub != nil {
				s.blocks = append(s.blocks, sub)
			}
		}
	}
	return s
}

func (l *loader) absentFrom(sc scope, a *schema.Attr, from field) field {
	if a.Required {
		l.report(evaluated(mistake(from.at, "Missing attribute", "%s needs %q, and the object has no value for it. %s", sc.where, a.Name, firstSentence(a.Doc)), from.expr, from.ctx))
	}
	return absent(sc, a)
}

func (l *loader) checkObjectNames(sc scope, shape *schema.Shape, from field, elements map[string]cty.Value) {
	for name := range elements {
		if !slices.Contains(shape.Names(), name) {
			detail := fmt.Sprintf("There is no attribute %q in %s.%s", name, sc.where, didYouMean(name, shape.Names(), ""))
			l.report(evaluated(mistake(from.at, "Unknown attribute", "%s", detail), from.expr, from.ctx))
		}
	}
}

// decodeRefs reads a list of references without evaluating them.
func (l *loader) decodeRefs(a *schema.Attr, expr hclsyntax.Expression) []ref {
	list, diags := hcl.ExprList(expr)
	if diags.HasErrors() {
		l.report(mistake(expr.Range(), "Wrong type", "%s takes a list of references in brackets: %s.", a.Name, a.Example))
		return nil
	}
	var refs []ref
	for _, e := range list {
		t, diags := hcl.AbsTraversalForExpr(e)
		if !diags.HasErrors() && !slices.Contains(l.roots(), t.RootName()) {
			continue // checkReference has reported it
		}
		if diags.HasErrors() || len(t) < 2 || len(t) > 3 || !slices.Contains(a.Roots, t.RootName()) {
			l.report(notReference(a, e.Range()))
			continue
		}
		refs = append(refs, exprRefs(e.(hclsyntax.Expression), true)...)
	}
	return refs
}

func notReference(a *schema.Attr, at hcl.Range) *hcl.Diagnostic {
	for _, root := range a.Roots {
		if !slices.Contains(append(schema.NodeTypes(), "cluster"), root) {
			return mistake(at, "Not a reference to a block", "%s takes references as they stand in a blueprint, such as worker.w1 or %s, without quotes. They begin with %s.", a.Name, strings.Trim(a.Example, "[]"), strings.Join(a.Roots, ", "))
		}
	}
	return mistake(at, "Not a reference to a node", "%s takes references to nodes as they stand in a blueprint, such as worker.w1 or worker.extra[\"w3\"], without quotes.", a.Name)
}
