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

// evaluate computes every unit after those that it refers to: variables first, since nothing can go before them.
func (l *loader) evaluate() {
	var variables, others []*unit
	for _, u := range l.units {
		if u.root == "var" {
			variables = append(variables, u)
		} else {
			others = append(others, u)
		}
	}
	for _, u := range variables {
		u.value, u.state = l.computeVariable(u), computed
	}
	for _, u := range variables {
		l.validate(u)
	}
	o := &order{loader: l, reported: map[string]bool{}}
	for _, u := range others {
		o.visit(u)
	}
}

func (l *loader) compute(u *unit) {
	switch {
	case u.local != nil:
		u.value = l.value(u.local.Expr, l.context(u.refs))
	default:
		l.computeBlock(u)
	}
}

// context makes what an expression with these references can see. Only what is referred to is in it: with all of a large
// blueprint in every context, the cost would grow with the square of its size.
func (l *loader) context(refs []ref) *hcl.EvalContext {
	roots := map[string]map[string]cty.Value{}
	for _, r := range refs {
		if roots[r.root] == nil {
			roots[r.root] = map[string]cty.Value{}
		}
		for _, u := range l.meant(r) {
			roots[r.root][u.name] = u.known()
		}
		if r.name != "" && l.byName[r.root][r.name] == nil {
			roots[r.root][r.name] = cty.DynamicVal
		}
	}
	ctx := &hcl.EvalContext{Functions: l.funcs, Variables: map[string]cty.Value{}}
	for root, names := range roots {
		if l.byName[root] == nil && (len(names) == 0 || !slices.Contains(l.roots(), root)) {
			ctx.Variables[root] = cty.DynamicVal
		} else {
			ctx.Variables[root] = cty.ObjectVal(names)
		}
	}
	return ctx
}

// meant returns the units that a reference means: one, none if it is not declared, or all of its root.
func (l *loader) meant(r ref) []*unit {
	if r.name != "" {
		if u := l.byName[r.root][r.name]; u != nil {
			return []*unit{u}
		}
		return nil
	}
	var units []*unit
	for _, name := range slices.Sorted(maps.Keys(l.byName[r.root])) {
		units = append(units, l.byName[r.root][name])
	}
	return units
}

// known is the unit's value, which is unknown while it is being computed: in a circle.
func (u *unit) known() cty.Value {
	if u.state != computed || u.value == cty.NilVal {
		return cty.DynamicVal
	}
	return u.value
}

// value evaluates an expression. After a mistake it is unknown, and whatever is computed from it raises no second complaint.
func (l *loader) value(expr hclsyntax.Expression, ctx *hcl.EvalContext) cty.Value {
	v, diags := expr.Value(ctx)
	l.report(keysTwice(expr, ctx)...)
	for _, d := range diags {
		addSuggestion(d, expr, ctx)
		if hasSensitive(expr, ctx) {
			hideReason(d)
		}
		if d.Expression == nil {
			d.Expression, d.EvalContext = expr, ctx
		}
	}
	l.report(diags...)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return v
}

// addSuggestion names the attribute that was probably meant where HCL only says that there is none of that name.
func addSuggestion(d *hcl.Diagnostic, expr hclsyntax.Expression, ctx *hcl.EvalContext) {
	if d.Summary != "Unsupported attribute" || d.Subject == nil {
		return
	}
	for _, t := range expr.Variables() {
		if !t.SourceRange().Overlaps(*d.Subject) {
			continue
		}
		if of, name, failed := failingStep(t, ctx); failed && of.Type().IsObjectType() {
			names := slices.Sorted(maps.Keys(of.Type().AttributeTypes()))
			if near := didYouMean(name, names, ""); near != "" || len(names) == 0 {
				d.Detail += near
			} else {
				d.Detail += " It has " + strings.Join(names, ", ") + "."
			}
			return
		}
	}
}

// failingStep returns the value of which a traversal asks for something that is not there.
func failingStep(t hcl.Traversal, ctx *hcl.EvalContext) (of cty.Value, name string, failed bool) {
	for i := 1; i < len(t); i++ {
		if _, diags := t[:i+1].TraverseAbs(ctx); !diags.HasErrors() {
			continue
		}
		of, diags := t[:i].TraverseAbs(ctx)
		name, named := stepName(t[i])
		return of, name, named && !diags.HasErrors()
	}
	return cty.NilVal, "", false
}

// computeBlock decodes every instance of a block and makes the value that references see.
func (l *loader) computeBlock(u *unit) {
	ctx := l.context(u.refs)
	a := u.block.Body.Attributes["for_each"]
	_, takes := u.shape.Attr("for_each")
	if takes && a == nil && l.given[u.block.Body]["for_each"] { // misspelt
		u.failed, u.value = true, cty.DynamicVal
		return
	}
	if a == nil || !takes {
		inst := l.instance(u, "", ctx)
		u.insts, u.value = []*instance{inst}, inst.sec.object(u.addr(""))
		return
	}
	elements, ok := l.elements(u, a, ctx)
	if !ok {
		u.failed, u.value = true, cty.DynamicVal
		return
	}
	values := map[string]cty.Value{}
	for _, key := range slices.Sorted(maps.Keys(elements)) {
		inst := l.instance(u, key, u.withEach(ctx, cty.StringVal(key), elements[key]))
		u.insts = append(u.insts, inst)
		values[key] = inst.sec.object(u.addr(key))
	}
	u.value = cty.ObjectVal(values)
}

// withEach adds each.key and each.value. Misspelt names of them, which are reported already, are unknown.
func (u *unit) withEach(ctx *hcl.EvalContext, key, value cty.Value) *hcl.EvalContext {
	each := map[string]cty.Value{}
	for _, r := range u.refs {
		if r.root == "each" && r.name != "" {
			each[r.name] = cty.DynamicVal
		}
	}
	each["key"], each["value"] = key, value
	child := ctx.NewChild()
	child.Variables = map[string]cty.Value{"each": cty.ObjectVal(each)}
	return child
}

func (l *loader) instance(u *unit, key string, ctx *hcl.EvalContext) *instance {
	sc := scope{ctx: ctx, src: u.src, where: u.title(), header: u.header(), name: u.name}
	if key != "" {
		sc.name = key
	}
	return &instance{key: key, ctx: ctx, sec: l.decodeBody(sc, u.shape, u.block.Body)}
}

// elements evaluates for_each.
func (l *loader) elements(u *unit, a *hclsyntax.Attribute, ctx *hcl.EvalContext) (map[string]cty.Value, bool) {
	v := l.value(a.Expr, ctx)
	problem := ""
	ty := v.Type()
	switch {
	case schema.IsSensitive(v):
		problem = "The value is sensitive, and its keys would be shown as names of blocks. Use a map of which only the elements are sensitive, or nonsensitive()."
	case v.IsNull():
		problem = "The value is null. For no blocks at all, use an empty map: {}."
	case !v.IsKnown(), ty.IsSetType() && !v.IsWhollyKnown():
		return nil, false
	case !ty.IsMapType() && !ty.IsObjectType() && (!ty.IsSetType() || ty.ElementType() != cty.String) && !emptySet(v):
		problem = fmt.Sprintf("for_each takes a map, an object or a set of strings, and this is %s.", describe(v))
		if ty.IsTupleType() || ty.IsListType() {
			problem += " A list has no keys that stay when an element is taken out; for a list of strings, use toset(...)."
		}
	}
	if problem != "" {
		l.report(evaluated(mistake(a.Expr.Range(), "Unusable for_each", "%s", problem), a.Expr, ctx))
		return nil, false
	}
	if v.LengthInt() == 0 {
		l.rehearse(u, ctx, v.Type())
	}
	return l.keyed(a, v, ctx)
}

// rehearse decodes a block that has no elements with an element of which only the type is known, so that mistakes in it are
// found before somebody adds the first one.
func (l *loader) rehearse(u *unit, ctx *hcl.EvalContext, ty cty.Type) {
	value := cty.DynamicVal
	if ty.IsCollectionType() {
		value = cty.UnknownVal(ty.ElementType())
	}
	sc := scope{ctx: u.withEach(ctx, cty.UnknownVal(cty.String), value), src: u.src, where: u.title(), header: u.header()}
	l.decodeBody(sc, u.shape, u.block.Body)
}

func emptySet(v cty.Value) bool { return v.Type().IsSetType() && v.LengthInt() == 0 }

func (l *loader) keyed(a *hclsyntax.Attribute, v cty.Value, ctx *hcl.EvalContext) (map[string]cty.Value, bool) {
	elements := map[string]cty.Value{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if v.Type().IsSetType() {
			k = e
		}
		if k.IsNull() || !k.IsKnown() || k.IsMarked() || k.AsString() == "" {
			l.report(evaluated(mistake(a.Expr.Range(), "Unusable for_each", "A key is empty, null or sensitive. Keys become a part of the blocks' names."), a.Expr, ctx))
			return nil, false
		}
		elements[k.AsString()] = e
	}
	return elements, true
}
