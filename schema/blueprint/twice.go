package blueprint

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// keysTwice reports keys that stand twice in an object constructor, anywhere in an expression: HCL takes the last one without a word. Keys
// that are computed count where the context tells what they are; nil: none is known.
func keysTwice(expr hclsyntax.Expression, ctx *hcl.EvalContext) hcl.Diagnostics {
	var diags hcl.Diagnostics
	more := hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		object, ok := n.(*hclsyntax.ObjectConsExpr)
		if !ok {
			return nil
		}
		first := map[string]hcl.Range{}
		for _, item := range object.Items {
			key, known := objectKey(item.KeyExpr, ctx)
			if !known {
				continue
			}
			here := item.KeyExpr.Range()
			if before, twice := first[key]; twice {
				diags = append(diags, mistake(here, "Declared twice", "The key %q was already given in this object at %s, and only the last one would count. Keep one of the two.", key, at(before)))
				continue
			}
			first[key] = here
		}
		return nil
	})
	return append(diags, more...)
}

// objectKey is the text that a key of an object becomes: HCL takes numbers and bools as well.
func objectKey(expr hclsyntax.Expression, ctx *hcl.EvalContext) (key string, known bool) {
	v, diags := expr.Value(ctx)
	if diags.HasErrors() || !v.IsKnown() || v.IsNull() || v.IsMarked() {
		return "", false
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil {
		return "", false
	}
	return text.AsString(), true
}

// jsonDecode is the standard function, which takes the last one of two equal keys, with that refused.
func jsonDecode() function.Function {
	check := func(args []cty.Value) error {
		if v, _ := args[0].Unmark(); v.IsKnown() && !v.IsNull() {
			if key, twice := jsonKeyTwice([]byte(v.AsString())); twice {
				return function.NewArgErrorf(0, "the key %q stands twice in an object", key)
			}
		}
		return nil
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := check(args); err != nil {
				return cty.NilType, err
			}
			return stdlib.JSONDecodeFunc.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return stdlib.JSONDecode(args[0]) },
	})
}

// jsonKeyTwice returns the first key that stands twice in an object of a JSON text. A text with errors has none.
func jsonKeyTwice(text []byte) (key string, twice bool) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	type level struct {
		keys    map[string]bool // nil: a list
		isValue bool            // the next token is the value of a key
	}
	var open []level
	for {
		token, err := dec.Token()
		if err != nil {
			return "", false
		}
		top := len(open) - 1
		if end, ok := token.(json.Delim); ok && (end == '}' || end == ']') {
			open = open[:top]
			continue
		}
		if top >= 0 && open[top].keys != nil {
			if !open[top].isValue {
				key := fmt.Sprint(token)
				if open[top].keys[key] {
					return key, true
				}
				open[top].keys[key], open[top].isValue = true, true
				continue
			}
			open[top].isValue = false
		}
		switch token {
		case json.Delim('{'):
			open = append(open, level{keys: map[string]bool{}})
		case json.Delim('['):
			open = append(open, level{})
		}
	}
}
