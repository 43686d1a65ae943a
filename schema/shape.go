package schema

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// Shape describes one type of block: what may stand in it, and what it means. Shapes are data: the loader reads blueprints by
// them, and the language reference is written from them.
type Shape struct {
	Type    string
	Label   Label // zero: the block has no label
	Doc     string
	Example string
	Attrs   []Attr
	Blocks  []Shape  // blocks that may stand in it
	Root    string   // the word that references to it begin with: worker, var; empty: nothing can refer to it
	Single  bool     // a nested block that may stand there once; it can also be written as an attribute with an object or null
	Open    bool     // takes attributes of any name (locals)
	Later   []string // types of nested blocks that the design names and this version does not know
}

// Label describes the quoted word behind a block's type.
type Label struct {
	Name string // in the reference: NAME, PATH
	Rule *Rule  // nil: an identifier, so that references can name the block
}

// Form says how the expression of an attribute is read.
type Form int

// The forms.
const (
	FormValue  Form = iota // a value of the attribute's type
	FormBlock              // a reference to a block of type Attr.Of, or the name of one
	FormBlocks             // a list of references to blocks of the types Attr.Roots
	FormEach               // a map, an object or a set of strings: one block for each element
	FormType               // a type constraint such as list(string)
)

// Secrecy says what an attribute does with sensitive values.
type Secrecy int

// The secrecies.
const (
	Open   Secrecy = iota // the value is shown in plans, so a sensitive one is refused
	Keeps                 // a sensitive value stays sensitive
	Always                // the value is sensitive however it is written
)

// Attr describes one attribute of a block.
type Attr struct {
	Name        string
	Form        Form
	Type        cty.Type // of FormValue
	Of          string   // of FormBlock: the block type
	Roots       []string // of FormBlocks: the block types
	Required    bool
	Kinds       []string                 // the labels of the blocks that have it; nil: all
	RequiredFor []string                 // the labels of the blocks that need it
	Default     cty.Value                // cty.NilVal: none
	DefaultDoc  string                   // the default in words, where it depends on something else
	Derive      func(name string) string // makes the default of the block's label, or of its key of for_each; "": none
	Merge       bool                     // what is given is added to the default instead of replacing it; a null takes a map's element out
	Secrecy     Secrecy
	Rule        *Rule // for the value, or for each element of a list or map
	KeyRule     *Rule // for each key of a map
	Doc         string
	Example     string
}

// Attr returns the attribute of that name.
func (s *Shape) Attr(name string) (*Attr, bool) {
	i := slices.IndexFunc(s.Attrs, func(a Attr) bool { return a.Name == name })
	if i < 0 {
		return nil, false
	}
	return &s.Attrs[i], true
}

// Block returns the nested shape of that type.
func (s *Shape) Block(typ string) (*Shape, bool) {
	i := slices.IndexFunc(s.Blocks, func(b Shape) bool { return b.Type == typ })
	if i < 0 {
		return nil, false
	}
	return &s.Blocks[i], true
}

// Names lists the attributes and nested blocks, in the order of the shape.
func (s *Shape) Names() []string {
	var names []string
	for _, a := range s.Attrs {
		names = append(names, a.Name)
	}
	for _, b := range s.Blocks {
		names = append(names, b.Type)
	}
	return names
}

// TypeName writes the type the way blueprints do: list(string).
func (a *Attr) TypeName() string {
	switch a.Form {
	case FormBlock:
		return "reference to a " + a.Of + ", or its name"
	case FormBlocks:
		return "list of references"
	case FormEach:
		return "map, object or set of strings"
	case FormType:
		return "type"
	}
	return typeName(a.Type)
}

func typeName(t cty.Type) string {
	switch {
	case t == cty.DynamicPseudoType:
		return "any"
	case t == cty.Bool:
		return "bool"
	case t.IsListType():
		return "list(" + typeName(t.ElementType()) + ")"
	case t.IsMapType():
		return "map(" + typeName(t.ElementType()) + ")"
	}
	return t.FriendlyName()
}

// Function describes a function of the language.
type Function struct {
	Name  string
	Usage string // abs(number)
	Doc   string // what it returns
}
