package blueprint

import (
	"math/big"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// section is a block with its values: every attribute of its shape has one, in the attribute's type. It is null where nothing
// was given and there is no default, and unknown after a mistake.
type section struct {
	shape  *schema.Shape
	name   string // label, or key of for_each
	scope  scope
	fields map[string]field
	blocks []*section // in source order
}

// field is the value of an attribute, and where it comes from.
type field struct {
	value cty.Value
	expr  hcl.Expression
	ctx   *hcl.EvalContext
	at    hcl.Range // of the expression, or of the block's header where the attribute was not given
	given bool
	refs  []ref // of depends_on
}

func (s *section) get(name string) cty.Value {
	if f, ok := s.fields[name]; ok {
		return f.value
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

// usable reports whether the attribute has a value that is known and not null.
func (s *section) usable(name string) bool {
	v := s.get(name)
	return v.IsKnown() && !v.IsNull()
}

// failed reports whether the attribute's value was refused: what is said about it now would be said twice.
func (s *section) failed(name string) bool { return !s.get(name).IsWhollyKnown() }

func (s *section) str(name string) string {
	if !s.usable(name) {
		return ""
	}
	return schema.Plain(s.get(name)).AsString()
}

func (s *section) boolean(name string) bool {
	return s.usable(name) && schema.Plain(s.get(name)).True()
}

func (s *section) integer(name string) int {
	if !s.usable(name) {
		return 0
	}
	n, accuracy := schema.Plain(s.get(name)).AsBigFloat().Int64()
	if accuracy != big.Exact {
		return 0
	}
	return int(n)
}

func (s *section) strs(name string) []string {
	if !s.usable(name) {
		return nil
	}
	var out []string
	for it := schema.Plain(s.get(name)).ElementIterator(); it.Next(); {
		if _, e := it.Element(); e.IsKnown() && !e.IsNull() {
			out = append(out, e.AsString())
		}
	}
	return out
}

func (s *section) strMap(name string) map[string]string {
	out := map[string]string{}
	if !s.usable(name) {
		return out
	}
	for it := schema.Plain(s.get(name)).ElementIterator(); it.Next(); {
		if k, e := it.Element(); e.IsKnown() && !e.IsNull() {
			out[k.AsString()] = e.AsString()
		}
	}
	return out
}

// sections returns the nested blocks of a type.
func (s *section) sections(typ string) []*section {
	var out []*section
	for _, b := range s.blocks {
		if b.shape.Type == typ {
			out = append(out, b)
		}
	}
	return out
}

// section returns the nested block of a type that stands there at most once.
func (s *section) section(typ string) (*section, bool) {
	i := slices.IndexFunc(s.blocks, func(b *section) bool { return b.shape.Type == typ })
	if i < 0 {
		return nil, false
	}
	return s.blocks[i], true
}

// object is the section as references see it: its attributes, and its address as id.
func (s *section) object(addr schema.BlockAddr) cty.Value {
	attrs := map[string]cty.Value{"id": cty.StringVal(addr.String()), "name": cty.StringVal(s.name)}
	for _, a := range s.shape.Attrs {
		if a.Form == schema.FormValue || a.Form == schema.FormBlock {
			attrs[a.Name] = s.get(a.Name)
		}
	}
	return cty.ObjectVal(attrs)
}

// source tells where the section's attributes were written.
func (s *section) source() Source {
	src := Source{Block: s.scope.header, Attrs: map[string]hcl.Range{}}
	s.addSource(src, "")
	return src
}

func (s *section) addSource(src Source, prefix string) {
	for name, f := range s.fields {
		if f.given {
			src.Attrs[prefix+name] = f.at
		}
	}
	for _, b := range s.blocks {
		if b.shape.Single {
			b.addSource(src, prefix+b.shape.Type+".")
		}
	}
}

// failedCondition returns the message of a check or validation whose condition is false.
func (s *section) failedCondition() (message string, failed bool) {
	if !s.usable("condition") || s.boolean("condition") {
		return "", false
	}
	if message = s.str("error_message"); message == "" {
		message = "The condition is not true."
	}
	return message, true
}

// mistake makes a diagnostic about one of the section's attributes.
func (s *section) mistake(attr, summary, detail string, args ...any) *hcl.Diagnostic {
	f := s.fields[attr]
	return evaluated(mistake(f.at, summary, detail, args...), f.expr, f.ctx)
}

// elementMistake makes a diagnostic about one element of a map or object, at its key if that was written out.
func (s *section) elementMistake(attr, key, summary, detail string, args ...any) *hcl.Diagnostic {
	d := s.mistake(attr, summary, detail, args...)
	if r, ok := keyRange(s.fields[attr].expr, key); ok {
		d.Subject = r.Ptr()
	}
	return d
}

// valueMistake makes a diagnostic about one text of a list, at the text if it was written out.
func (s *section) valueMistake(attr, text, summary, detail string, args ...any) *hcl.Diagnostic {
	d := s.mistake(attr, summary, detail, args...)
	if r, ok := elementRange(s.fields[attr].expr, cty.StringVal(text)); ok {
		d.Subject = r.Ptr()
	}
	return d
}
