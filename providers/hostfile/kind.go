package hostfile

import (
	"fmt"
	"maps"
	"path"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
	"github.com/expertflow/cxha/schema"
)

// Codec is how a file's content stands in the attributes of a value.
type Codec interface {
	// Attrs returns the attributes that hold the content, and their types.
	Attrs() map[string]cty.Type

	// Decode returns the attributes of a live file. Desired is the resource's, which may be null; secret says that what
	// differs from it must be sensitive.
	Decode(s State, desired cty.Value, secret bool) map[string]cty.Value

	// Encode returns the content of a file with these attributes, and whether it must be hidden when it is shown.
	Encode(after cty.Value) (content string, secret bool, err error)
}

// Kind is the kind of a file whose whole content is cxha's. Its values have the attributes type, owner, mode and those of the codec.
type Kind struct {
	Name  string
	Doc   string
	Path  func(schema.Addr) string
	Codec Codec

	// Owned is set where the file can leave the blueprint while its node stays in it; such files are recorded on the host.
	Owned bool
}

var (
	_ providers.HostKind  = Kind{}
	_ providers.Explainer = Kind{}
)

// Type describes the kind.
func (k Kind) Type() providers.Type {
	attrs := map[string]cty.Type{"type": cty.String, "owner": cty.String, "mode": cty.String}
	maps.Copy(attrs, k.Codec.Attrs())
	return providers.Type{Name: k.Name, Object: cty.Object(attrs), Doc: k.Doc, Cost: 0.2}
}

// Desired returns the value of a file with this owner, mode and content attributes.
func (k Kind) Desired(owner, mode string, content map[string]cty.Value) cty.Value {
	attrs := map[string]cty.Value{"type": cty.StringVal(TypeFile), "owner": cty.StringVal(owner), "mode": cty.StringVal(mode)}
	maps.Copy(attrs, content)
	return cty.ObjectVal(attrs)
}

// Question asks for the file at the resource's path.
func (k Kind) Question(r providers.Resource) string {
	size := MaxContent
	if d := schema.Plain(r.Desired); !d.IsNull() && d.IsWhollyKnown() {
		if content, _, err := k.Codec.Encode(d); err == nil { // what cannot be encoded is refused by Commands
			size += len(content)
		}
	}
	q := Question(size, k.Path(r.Addr))
	if r.Desired.IsNull() {
		return providers.IfOwned(r.Addr, q)
	}
	return q
}

// Answer reads the file's state.
func (k Kind) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(k.Type().Object)
	text, absent, err := answer.Text(r, reply)
	if err != nil || absent {
		return null, err
	}
	s, err := ParseState(text)
	if err != nil {
		return null, err
	}
	if s.Type == TypeAbsent {
		return null, nil
	}
	attrs := map[string]cty.Value{"type": cty.StringVal(s.Type), "owner": cty.NullVal(cty.String), "mode": cty.NullVal(cty.String)}
	for name, ty := range k.Codec.Attrs() {
		attrs[name] = cty.NullVal(ty)
	}
	if s.Type == TypeFile || s.Type == TypeDirectory {
		attrs["owner"], attrs["mode"] = cty.StringVal(s.OwnerLike(word(r.Desired, "owner"))), cty.StringVal(s.Mode)
	}
	if s.Type == TypeFile {
		maps.Copy(attrs, k.Codec.Decode(s, r.Desired, r.Desired.IsNull() || private(s.Mode)))
	}
	return cty.ObjectVal(attrs), nil
}

// private reports whether a file's mode keeps it from other users: what is in it may be secret, whatever the blueprint says of it.
func private(mode string) bool { return mode[len(mode)-1] == '0' }

// word returns a known string attribute, or "".
func word(v cty.Value, name string) string {
	if v.IsNull() || !v.IsKnown() {
		return ""
	}
	a, _ := v.GetAttr(name).Unmark()
	if a.IsNull() || !a.IsKnown() {
		return ""
	}
	return a.AsString()
}

// Explain refuses to replace what is not a file.
func (k Kind) Explain(c plans.Change) (plans.Reason, error) {
	if c.Before.IsNull() {
		return c.Reason, nil
	}
	if t := word(c.Before, "type"); t != TypeFile {
		return c.Reason, fmt.Errorf("host %s: %s is %s where cxha keeps a file; cxha does not remove what it did not make, so move it away", c.Host, k.Path(c.Addr), article(t))
	}
	return c.Reason, nil
}

func article(t string) string {
	switch t {
	case TypeOther:
		return "neither a file nor a directory"
	default:
		return "a " + t
	}
}

// Commands write the file beside its place and rename it, or set only owner and mode where its content is right, or remove it.
func (k Kind) Commands(c plans.Change) (*shell.Script, error) {
	s, p := new(shell.Script), k.Path(c.Addr)
	if c.After.IsNull() {
		s.Add("rm -f %s", p)
		if k.Owned {
			providers.Disown(s, c.Addr)
		}
		return s, nil
	}
	owner, mode := word(c.After, "owner"), word(c.After, "mode")
	content, secret, err := k.Codec.Encode(c.After)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Addr, err)
	}
	if k.Owned {
		providers.Own(s, c.Addr)
	}
	if k.sameContent(c) {
		s.Add("chown %s %s", owner, p)
		s.Add("chmod %s %s", mode, p)
		return s, nil
	}
	s.Add("(umask 022 && mkdir -p %s)", path.Dir(p))
	s.File(shell.File{Path: p, Content: content, Secret: secret, Owner: owner, Mode: mode})
	return s, nil
}

func (k Kind) sameContent(c plans.Change) bool {
	if c.Before.IsNull() || word(c.Before, "type") != TypeFile {
		return false
	}
	for name := range k.Codec.Attrs() {
		if !schema.Plain(c.Before.GetAttr(name)).RawEquals(schema.Plain(c.After.GetAttr(name))) {
			return false
		}
	}
	return true
}
