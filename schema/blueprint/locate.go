package blueprint

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// elementRange finds where an element of a list or map was written, if it was written out as a text.
func elementRange(expr hcl.Expression, v cty.Value) (hcl.Range, bool) {
	return locate(expr, v, func(n hclsyntax.Node) bool { _, ok := n.(*hclsyntax.TemplateExpr); return ok })
}

// keyRange finds where a key of an object was written.
func keyRange(expr hcl.Expression, key string) (hcl.Range, bool) {
	return locate(expr, cty.StringVal(key), func(n hclsyntax.Node) bool { _, ok := n.(*hclsyntax.ObjectConsKeyExpr); return ok })
}

func locate(expr hcl.Expression, v cty.Value, kind func(hclsyntax.Node) bool) (hcl.Range, bool) {
	root, ok := expr.(hclsyntax.Node)
	if !ok {
		return hcl.Range{}, false
	}
	var found hcl.Range
	_ = hclsyntax.VisitAll(root, func(n hclsyntax.Node) hcl.Diagnostics {
		e, isExpr := n.(hclsyntax.Expression)
		if !isExpr || !found.Empty() || !kind(n) {
			return nil
		}
		if literal, diags := e.Value(nil); !diags.HasErrors() && literal.RawEquals(v) {
			found = e.Range()
		}
		return nil
	})
	return found, !found.Empty()
}
