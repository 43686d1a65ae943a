package blueprint

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/expertflow/cxha/schema"
)

// variableType is a variable's type constraint.
type variableType struct {
	ty       cty.Type
	defaults *typeexpr.Defaults
	literal  bool // text from outside is the value itself; for other types it is an expression
}

// sensitive reports whether a variable is marked so, by a literal true: it must be known before any value is looked at.
func (u *unit) sensitive() bool {
	a := u.block.Body.Attributes["sensitive"]
	if a == nil {
		return false
	}
	v, diags := a.Expr.Value(nil)
	if diags.HasErrors() || !v.IsWhollyKnown() || v.IsNull() {
		return true
	}
	b, err := convert.Convert(v, cty.Bool)
	return err != nil || b.True()
}

// computeVariable returns the value of a variable: the given one or the default, in the variable's type.
func (l *loader) computeVariable(u *unit) cty.Value {
	vt, ok := l.variableType(u)
	if !ok || u.src.damaged(u.block.Range()) {
		return cty.DynamicVal
	}
	v := l.defaultValue(u, vt)
	if g, isGiven := l.values[u.name]; isGiven {
		v = l.givenValue(u, vt, g)
	} else if u.block.Body.Attributes["default"] == nil {
		l.reportNoValue(u)
	}
	if u.sensitive() {
		v = v.Mark(schema.Sensitive)
	}
	return v
}

func (l *loader) reportNoValue(u *unit) {
	if l.brokenVars || l.hidden["value"][u.name] || l.given[u.block.Body]["default"] || u.extra {
		return
	}
	l.report(mistake(u.header(), "Variable without a value",
		"The variable %q has no default, and no value was given. Give one by --var %s=..., in a file that ends with %s beside the blueprint's files, in a file named by --var-file, or in the environment variable %s%s.",
		u.name, u.name, AutoVarsEnding, envPrefix, u.name))
}

func (l *loader) variableType(u *unit) (variableType, bool) {
	a := u.block.Body.Attributes["type"]
	if a == nil {
		return variableType{ty: cty.DynamicPseudoType, literal: true}, !l.given[u.block.Body]["type"]
	}
	ty, defaults, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
	l.report(diags...)
	return variableType{ty: ty, defaults: defaults, literal: ty.IsPrimitiveType()}, !diags.HasErrors()
}

func (l *loader) defaultValue(u *unit, vt variableType) cty.Value {
	a := u.block.Body.Attributes["default"]
	if a == nil || len(a.Expr.Variables()) > 0 {
		return cty.DynamicVal
	}
	return l.exprValue(u, vt, a.Expr)
}

func (l *loader) givenValue(u *unit, vt variableType, g given) cty.Value {
	expr := g.expr
	if expr == nil && vt.literal {
		return l.typed(u, vt, cty.StringVal(g.text), g.at)
	}
	if expr == nil {
		parsed, diags := hclsyntax.ParseExpression([]byte(g.text), g.at.Filename, hcl.InitialPos)
		if diags.HasErrors() {
			first := hcl.Diagnostics{diags[0]}
			if u.sensitive() {
				hideSource(first, u.header())
			}
			first[0].Detail += fmt.Sprintf(" The variable's type is %s, so its value is written as in a blueprint.", typeexpr.TypeString(vt.ty))
			l.report(first...)
			return cty.DynamicVal
		}
		expr = parsed
	}
	if refs := expr.Variables(); len(refs) > 0 {
		where := refs[0].SourceRange()
		if u.sensitive() {
			where = u.header()
		}
		l.report(mistake(where, "Reference in a value", "A value of a variable cannot refer to anything, and %q is a reference. If you mean the text, put it in quotes.", refs[0].RootName()))
		return cty.DynamicVal
	}
	return l.exprValue(u, vt, expr)
}

func (l *loader) exprValue(u *unit, vt variableType, expr hclsyntax.Expression) cty.Value {
	ctx := &hcl.EvalContext{Functions: l.funcs}
	v, diags := expr.Value(ctx)
	diags = append(diags, keysTwice(expr, ctx)...)
	if u.sensitive() {
		hideSource(diags, u.header())
	}
	l.report(diags...)
	if diags.HasErrors() {
		return cty.DynamicVal
	}
	return l.typed(u, vt, v, expr.Range())
}

// typed converts a value to the variable's type.
func (l *loader) typed(u *unit, vt variableType, v cty.Value, where hcl.Range) cty.Value {
	if vt.defaults != nil && !v.IsNull() {
		v = vt.defaults.Apply(v)
	}
	out, err := convert.Convert(v, vt.ty)
	if err == nil {
		return out
	}
	what := describe(v)
	if u.sensitive() {
		where, what = u.header(), "the value"
	}
	l.report(mistake(where, "Wrong type", "The variable %q has the type %s, and %s does not fit: %s.", u.name, typeexpr.TypeString(vt.ty), what, conversionProblem(err)))
	return cty.UnknownVal(vt.ty)
}

// validate checks a variable's value by its validation blocks. A refused value is not used any further.
func (l *loader) validate(u *unit) {
	for _, b := range u.block.Body.Blocks {
		shape, ok := u.shape.Block(b.Type)
		if !ok || u.value.IsNull() || !u.value.IsKnown() {
			continue
		}
		ctx := l.context(l.bodyRefs(u, shape, b.Body))
		sec := l.decodeBody(scope{ctx: ctx, where: title(b) + " of " + u.title(), header: b.DefRange()}, shape, b.Body)
		if message, failed := sec.failedCondition(); failed {
			l.reportInvalid(u, b, sec, message)
			u.value = cty.UnknownVal(u.value.Type()).WithSameMarks(u.value)
			return
		}
	}
}

func (l *loader) reportInvalid(u *unit, b *hclsyntax.Block, sec *section, message string) {
	where := u.header()
	if g, ok := l.values[u.name]; ok {
		where = g.at
	} else if a := u.block.Body.Attributes["default"]; a != nil {
		where = a.Expr.Range()
	}
	d := mistake(where, "Invalid value of a variable", "%s", fmt.Sprintf("%s The rule stands at %s.", message, at(b.DefRange())))
	if u.sensitive() {
		d.Subject = u.header().Ptr()
	} else {
		f := sec.fields["condition"]
		d.Expression, d.EvalContext = f.expr, f.ctx
	}
	l.report(d)
}
