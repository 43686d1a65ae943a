package plans_test

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// generator makes values of bytes, so that a fuzzer can steer it. When the bytes end, it goes on with zeros.
type generator struct {
	data  []byte
	gaps  bool // make unknown values and nulls
	marks bool // make secrets
}

func (g *generator) next(n int) int {
	if len(g.data) == 0 {
		return 0
	}
	b := g.data[0]
	g.data = g.data[1:]
	return int(b) % n
}

// sampleType has every shape that kinds use.
var sampleType = cty.Object(map[string]cty.Type{
	"text":    cty.String,
	"number":  cty.Number,
	"flag":    cty.Bool,
	"list":    cty.List(cty.String),
	"labels":  cty.Map(cty.String),
	"set":     cty.Set(cty.String),
	"taints":  cty.List(cty.Object(map[string]cty.Type{"key": cty.String, "value": cty.String})),
	"options": cty.DynamicPseudoType,
})

// object is a known object of the sample type.
func (g *generator) object() cty.Value {
	attrs := map[string]cty.Value{}
	for _, name := range []string{"text", "number", "flag", "list", "labels", "set", "taints", "options"} {
		attrs[name] = g.value(sampleType.AttributeType(name), 0)
	}
	return cty.ObjectVal(attrs)
}

func (g *generator) value(ty cty.Type, depth int) cty.Value {
	v := g.plain(ty, depth)
	if g.marks && g.next(6) == 5 {
		return v.Mark(schema.Sensitive)
	}
	return v
}

func (g *generator) plain(ty cty.Type, depth int) cty.Value {
	if g.gaps {
		switch g.next(8) {
		case 6:
			return cty.NullVal(ty)
		case 7:
			return cty.UnknownVal(ty)
		}
	}
	switch {
	case ty == cty.String:
		return cty.StringVal(g.text())
	case ty == cty.Number:
		return cty.NumberIntVal(int64(g.next(256) - 128))
	case ty == cty.Bool:
		return cty.BoolVal(g.next(2) == 1)
	case ty == cty.DynamicPseudoType:
		return g.dynamic(depth)
	case ty.IsObjectType():
		return cty.ObjectVal(map[string]cty.Value{"key": g.value(cty.String, depth+1), "value": g.value(cty.String, depth+1)})
	default:
		return g.collection(ty, depth)
	}
}

func (g *generator) collection(ty cty.Type, depth int) cty.Value {
	var elems []cty.Value
	named := map[string]cty.Value{}
	for range g.next(4) {
		e := g.value(ty.ElementType(), depth+1)
		elems = append(elems, e)
		named[g.text()] = e
	}
	switch {
	case ty.IsMapType() && len(named) > 0:
		return cty.MapVal(named)
	case ty.IsMapType():
		return cty.MapValEmpty(ty.ElementType())
	case ty.IsSetType() && len(elems) > 0:
		return cty.SetVal(elems)
	case ty.IsSetType():
		return cty.SetValEmpty(ty.ElementType())
	case len(elems) > 0:
		return cty.ListVal(elems)
	default:
		return cty.ListValEmpty(ty.ElementType())
	}
}

func (g *generator) dynamic(depth int) cty.Value {
	if depth > 3 {
		return cty.True
	}
	attrs := map[string]cty.Value{}
	for range g.next(4) {
		switch g.next(4) {
		case 0:
			attrs[g.text()] = g.value(cty.String, depth+1)
		case 1:
			attrs[g.text()] = g.value(cty.DynamicPseudoType, depth+1)
		case 2:
			attrs[g.text()] = g.value(cty.List(cty.String), depth+1)
		default:
			attrs[g.text()] = cty.TupleVal([]cty.Value{g.value(cty.Bool, depth+1), g.value(cty.DynamicPseudoType, depth+1)})
		}
	}
	return cty.ObjectVal(attrs)
}

// text is one of a few texts, or bytes as they come.
func (g *generator) text() string {
	texts := []string{"", "a", "b", "tls-san", "two\nlines\n", "two\nlines", "  a\n\n   b ${x} %{ if }\n", "(sensitive)", "Über\nÄrger\n", "EOT\nEOT1\n"}
	n := g.next(len(texts) + 2)
	if n < len(texts) {
		return texts[n]
	}
	size := min(g.next(12), len(g.data))
	s := string(g.data[:size])
	g.data = g.data[size:]
	return s
}
