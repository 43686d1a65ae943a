package blueprint

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// unit is what references can name, and what is computed at one time: a variable, a local, or a block with all its instances.
type unit struct {
	root   string // the word that references to it begin with; "output" and "check" have no references
	name   string
	shape  *schema.Shape
	src    *source
	block  *hclsyntax.Block     // nil: a local
	local  *hclsyntax.Attribute // nil: a block
	extra  bool                 // a second declaration of a name: looked through for mistakes, and not used
	refs   []ref
	state  state
	value  cty.Value // as references see it
	failed bool      // the instances are not known
	insts  []*instance
}

// instance is a block, or one of those that for_each makes of it.
type instance struct {
	key string
	ctx *hcl.EvalContext
	sec *section
}

type state int

const (
	fresh state = iota
	computing
	computed
)

// ref is a reference to a unit, or to all units of a root.
type ref struct {
	root      string
	name      string // empty: all of them
	depends   bool   // in depends_on
	at        hcl.Range
	traversal hcl.Traversal
}

func (r ref) String() string {
	if r.name == "" {
		return r.root
	}
	return r.root + "." + r.name
}

func (u *unit) String() string { return u.root + "." + u.name }

// header is where the unit was declared.
func (u *unit) header() hcl.Range {
	if u.local != nil {
		return u.local.NameRange
	}
	return u.block.DefRange()
}

// addr is the address of the instance with that key.
func (u *unit) addr(key string) schema.BlockAddr {
	return schema.BlockAddr{Type: u.root, Name: u.name, Key: key}
}

// title is the unit as a sentence names it: worker "w1".
func (u *unit) title() string { return title(u.block) }

func title(b *hclsyntax.Block) string {
	s := b.Type
	for _, l := range b.Labels {
		s += ` "` + l + `"`
	}
	return s
}
