package blueprint

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

func mistake(at hcl.Range, summary, detail string, args ...any) *hcl.Diagnostic {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: at.Ptr()}
}

func warning(at hcl.Range, summary, detail string, args ...any) *hcl.Diagnostic {
	d := mistake(at, summary, detail, args...)
	d.Severity = hcl.DiagWarning
	return d
}

// evaluated adds what shows the values that the expression was computed from.
func evaluated(d *hcl.Diagnostic, expr hcl.Expression, ctx *hcl.EvalContext) *hcl.Diagnostic {
	d.Expression, d.EvalContext = expr, ctx
	return d
}

// hideSource moves diagnostics away from a line that may hold a secret.
func hideSource(diags hcl.Diagnostics, to hcl.Range) {
	for _, d := range diags {
		d.Subject, d.Context, d.Expression, d.EvalContext = to.Ptr(), nil, nil, nil
		hideReason(d)
	}
}

// hideReason takes out what a function says about its arguments: many repeat them.
func hideReason(d *hcl.Diagnostic) {
	if d.Summary == "Invalid function argument" || d.Summary == "Error in function call" {
		d.Detail = "A function refuses its arguments. Its reason is not shown, because the expression has something sensitive in it."
	}
}

// hasSensitive reports whether an expression refers to something sensitive, or makes it.
func hasSensitive(expr hclsyntax.Expression, ctx *hcl.EvalContext) bool {
	for _, t := range expr.Variables() {
		if v, _ := t.TraverseAbs(ctx); v.ContainsMarked() {
			return true
		}
	}
	found := false
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		call, ok := n.(*hclsyntax.FunctionCallExpr)
		found = found || ok && call.Name == "sensitive"
		return nil
	})
	return found
}

// didYouMean returns a sentence to append to a detail, or "".
func didYouMean(name string, candidates []string, prefix string) string {
	if near := schema.Suggest(name, candidates); near != "" {
		return " Did you mean " + prefix + near + "?"
	}
	return ""
}

// didYouMeanOf is didYouMean for names of which few are declared: without a near one it lists them.
func didYouMeanOf(name string, declared []string) string {
	if near := didYouMean(name, declared, ""); near != "" || len(declared) == 0 {
		return near
	}
	return " Declared are " + strings.Join(declared, ", ") + "."
}

// at writes a range the way editors understand it.
func at(r hcl.Range) string {
	return fmt.Sprintf("%s:%d,%d", r.Filename, r.Start.Line, r.Start.Column)
}

// describe tells what a value is, for a sentence: the string "abc".
func describe(v cty.Value) string {
	if v.IsMarked() {
		return "a sensitive value"
	}
	if v.IsNull() {
		return "null"
	}
	ty := v.Type()
	if !v.IsKnown() || ty.IsSetType() && !v.IsWhollyKnown() {
		return ty.FriendlyName()
	}
	switch {
	case ty == cty.String:
		return "the string " + strconv.Quote(v.AsString())
	case ty == cty.Number:
		return "the number " + v.AsBigFloat().Text('f', -1)
	case ty == cty.Bool && v.True():
		return "the bool true"
	case ty == cty.Bool:
		return "the bool false"
	case ty.IsCollectionType(), ty.IsTupleType():
		return countOf(v.LengthInt(), kindOf(ty))
	case ty.IsObjectType():
		return "an object"
	}
	return ty.FriendlyName()
}

func kindOf(ty cty.Type) string {
	switch {
	case ty.IsMapType():
		return "map"
	case ty.IsSetType():
		return "set"
	}
	return "list"
}

func countOf(n int, kind string) string {
	if n == 1 {
		return "a " + kind + " with 1 element"
	}
	return fmt.Sprintf("a %s with %d elements", kind, n)
}
