package blueprint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// undeclared is a name that is used and declared nowhere: one mistake, however often it is used.
type undeclared struct {
	diag   *hcl.Diagnostic
	others []string
}

// checkReferences finds what every unit refers to, and reports references to what does not exist.
func (l *loader) checkReferences() {
	for _, u := range l.units {
		u.refs = l.references(u)
		for _, r := range u.refs {
			l.checkReference(u, r)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.missing)) {
		m := l.missing[name]
		if len(m.others) > 0 {
			m.diag.Detail += " It is also used at " + strings.Join(m.others, ", ") + "."
		}
		l.report(m.diag)
	}
}

// references collects the references of all expressions of a unit, in source order.
func (l *loader) references(u *unit) []ref {
	if u.local != nil {
		return exprRefs(u.local.Expr, false)
	}
	return l.bodyRefs(u, u.shape, u.block.Body)
}

func (l *loader) bodyRefs(u *unit, shape *schema.Shape, body *hclsyntax.Body) []ref {
	var refs []ref
	for _, a := range sortedAttrs(body) {
		form := formOf(shape, a.Name)
		if form != schema.FormType {
			refs = append(refs, exprRefs(a.Expr, form == schema.FormBlocks)...)
		}
	}
	for _, b := range body.Blocks {
		var nested *schema.Shape
		if shape != nil {
			nested, _ = shape.Block(b.Type)
		}
		if l.hoists(u.src, nested, b) || u.src.nameless(b) {
			continue
		}
		refs = append(refs, l.bodyRefs(u, nested, b.Body)...)
	}
	return refs
}

// formOf returns how an attribute is read; a misspelt one as that which was probably meant.
func formOf(shape *schema.Shape, name string) schema.Form {
	if shape == nil {
		return schema.FormValue
	}
	a, ok := shape.Attr(name)
	if !ok {
		a, ok = shape.Attr(schema.Suggest(name, shape.Names()))
	}
	if !ok {
		return schema.FormValue
	}
	return a.Form
}

func exprRefs(expr hclsyntax.Expression, depends bool) []ref {
	var refs []ref
	for _, t := range expr.Variables() {
		r := ref{root: t.RootName(), depends: depends, at: t.SourceRange(), traversal: t}
		if len(t) > 1 {
			r.name, _ = stepName(t[1])
		}
		refs = append(refs, r)
	}
	return refs
}

// instanceKey returns the key of a reference such as worker.extra["w3"].
func instanceKey(r ref) (key string, keyed bool) {
	if len(r.traversal) < 3 {
		return "", false
	}
	return stepName(r.traversal[2])
}

// stepName returns what a step of a reference names: .name and ["name"] are the same.
func stepName(t hcl.Traverser) (string, bool) {
	switch step := t.(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

// roots lists the words that references can begin with.
func (l *loader) roots() []string {
	var roots []string
	for _, s := range l.shapes {
		if s.Root != "" {
			roots = append(roots, s.Root)
		}
	}
	return append(roots, "each")
}

func (l *loader) checkReference(u *unit, r ref) {
	switch {
	case r.root == "each":
		l.checkEach(u, r)
	case !slices.Contains(l.roots(), r.root):
		if !slices.Contains(schema.Planned(), r.root) || !l.hidden[r.root][r.name] {
			l.undeclared(r, l.unknownRoot(r))
		}
	case u.root == "var" && (r.root != "var" || inDefault(u, r)):
		l.report(mistake(r.at, "Reference in a variable",
			"A variable's default refers to nothing, and its validation only to variables: they are known before anything else. For a computed value, use locals."))
	case r.name == "", l.byName[r.root][r.name] != nil, l.hidden[r.root][r.name], l.hidden[r.root][anyName], l.torn, l.mentioned(r.name):
	default:
		l.undeclared(r, l.unknownName(r))
	}
}

func inDefault(u *unit, r ref) bool {
	a := u.block.Body.Attributes["default"]
	return a != nil && a.Expr.Range().Overlaps(r.at)
}

func (l *loader) checkEach(u *unit, r ref) {
	if u.block != nil && u.block.Body.Attributes["for_each"] == nil && l.given[u.block.Body]["for_each"] {
		return // misspelt
	}
	if u.block == nil || u.block.Body.Attributes["for_each"] == nil {
		l.undeclaredAs("each of "+u.String(), r, "each.key and each.value exist only in a block with for_each.")
		return
	}
	if r.name != "key" && r.name != "value" {
		l.undeclared(r, fmt.Sprintf("There are each.key and each.value, and no each.%s.%s", r.name, didYouMean(r.name, []string{"key", "value"}, "each.")))
		return
	}
	if a := u.block.Body.Attributes["for_each"]; a.Expr.Range().Overlaps(r.at) {
		l.report(mistake(r.at, "No elements here", "for_each itself makes the elements, so it cannot use them."))
	}
}

func (l *loader) undeclared(r ref, detail string) { l.undeclaredAs(r.String(), r, detail) }

func (l *loader) undeclaredAs(key string, r ref, detail string) {
	if m := l.missing[key]; m != nil {
		m.others = append(m.others, at(r.at))
		return
	}
	l.missing[key] = &undeclared{diag: mistake(r.at, "Unknown reference", "%s", detail)}
}

// truths are words of YAML for what is true and false here.
var truths = map[string]string{"yes": "true", "on": "true", "True": "true", "no": "false", "off": "false", "False": "false", "none": "null", "nil": "null", "None": "null"}

func (l *loader) unknownRoot(r ref) string {
	if file := l.bp.Sources[r.at.Filename]; file != nil {
		if interpolated(file.Bytes, r.at) && len(r.traversal) == 1 && strings.ToUpper(r.root) == r.root {
			return shellVariable(r.root)
		}
		if text := string(r.at.SliceBytes(file.Bytes)); len(r.traversal) > 1 {
			if what, ok := unquotedReference(text); ok {
				return fmt.Sprintf("%s is %s, and texts stand in quotes: write %q.", text, what, text)
			}
		}
	}
	for _, root := range l.roots() {
		if l.byName[root][r.root] != nil {
			return fmt.Sprintf("References begin with the type of what they mean, and %q is none. Did you mean %s.%s?", r.root, root, r.root)
		}
	}
	if truth, ok := truths[r.root]; ok && len(r.traversal) == 1 {
		return fmt.Sprintf("%q is no word of this language: write %s.", r.root, truth)
	}
	detail := fmt.Sprintf("%q is nothing that a reference can begin with.", r.root)
	if near := didYouMean(r.root, l.roots(), ""); near != "" {
		return detail + near
	}
	if len(r.traversal) == 1 {
		return detail + fmt.Sprintf(" If you mean the text, put it in quotes: %q.", r.root)
	}
	return detail + " References begin with " + strings.Join(l.roots(), ", ") + "."
}

func (l *loader) unknownName(r ref) string {
	names := slices.Sorted(maps.Keys(l.byName[r.root]))
	var detail string
	switch r.root {
	case "var":
		detail = fmt.Sprintf("No variable %q is declared.", r.name)
	case "local":
		detail = fmt.Sprintf("There is no local %q.", r.name)
	default:
		detail = fmt.Sprintf("There is no %s %q in this blueprint.", r.root, r.name)
	}
	if near := didYouMean(r.name, names, r.root+"."); near != "" {
		return detail + near
	}
	for _, root := range l.roots() {
		if l.byName[root][r.name] != nil {
			return detail + fmt.Sprintf(" Did you mean %s.%s?", root, r.name)
		}
	}
	if len(names) > 0 {
		detail += fmt.Sprintf(" Declared are %s.", strings.Join(names, ", "))
	}
	return detail
}

// mentioned reports whether a line with a syntax error may declare the name.
func (l *loader) mentioned(name string) bool {
	return slices.ContainsFunc(l.files, func(s *source) bool { return s.mentions(name) })
}
