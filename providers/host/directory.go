package host

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
	"github.com/expertflow/cxha/providers/hostfile"
)

const directoryType = "host.directory"

// fullDirectory is the type of a directory that left the blueprint and has entries.
const fullDirectory = "directory with entries"

type directory struct{}

var (
	_ providers.HostKind  = directory{}
	_ providers.Explainer = directory{}
)

var directoryObject = cty.Object(map[string]cty.Type{"type": cty.String, "owner": cty.String, "mode": cty.String})

func (directory) Type() providers.Type {
	return providers.Type{Name: directoryType, Object: directoryObject, Doc: "A directory of the blueprint: its owner and mode.", Cost: 0.2}
}

func (directory) Question(r providers.Resource) string {
	q := hostfile.Question(0, r.Addr.Key)
	if !r.Desired.IsNull() {
		return q
	}
	return providers.IfOwned(r.Addr, q+fmt.Sprintf("[ -z \"$(ls -A %s 2>/dev/null)\" ] || echo entries\n", shell.Quote(r.Addr.Key)))
}

func (directory) Answer(r providers.Resource, reply providers.Reply) (cty.Value, error) {
	null := cty.NullVal(directoryObject)
	text, absent, err := answer.Text(r, reply)
	if err != nil || absent {
		return null, err
	}
	line, full := cutLine(text, "entries")
	s, err := hostfile.ParseState(line)
	if err != nil || s.Type == hostfile.TypeAbsent {
		return null, err
	}
	attrs := map[string]cty.Value{"type": cty.StringVal(s.Type), "owner": cty.NullVal(cty.String), "mode": cty.NullVal(cty.String)}
	if s.Mode != "" {
		attrs["owner"], attrs["mode"] = cty.StringVal(s.OwnerLike(stringAttr(r.Desired, "owner"))), cty.StringVal(s.Mode)
	}
	if full && s.Type == hostfile.TypeDirectory {
		attrs["type"] = cty.StringVal(fullDirectory)
	}
	return cty.ObjectVal(attrs), nil
}

// Explain says that a directory with entries stays, and refuses to replace what is no directory.
func (directory) Explain(c plans.Change) (plans.Reason, error) {
	if c.Before.IsNull() {
		return c.Reason, nil
	}
	switch t := stringAttr(c.Before, "type"); t {
	case hostfile.TypeDirectory:
		return c.Reason, nil
	case fullDirectory:
		return plans.Reason{Code: c.Reason.Code, Text: "no longer in the blueprint; it has entries, so the directory stays and only cxha's record of it goes"}, nil
	default:
		return c.Reason, fmt.Errorf("host %s: at %s, where a directory shall be, there is something else (%s); cxha does not remove what it did not make, so move it away", c.Host, c.Addr.Key, t)
	}
}

func (directory) Commands(c plans.Change) (*shell.Script, error) {
	s, p := new(shell.Script), c.Addr.Key
	if c.After.IsNull() {
		s.Add("[ -n \"$(ls -A %s 2>/dev/null)\" ] || [ ! -d %s ] || rmdir %s", p, p, p)
		providers.Disown(s, c.Addr)
		return s, nil
	}
	providers.Own(s, c.Addr)
	s.Add("(umask 022 && mkdir -p %s)", p)
	s.Add("chown %s %s", stringAttr(c.After, "owner"), p)
	s.Add("chmod %s %s", stringAttr(c.After, "mode"), p)
	return s, nil
}
