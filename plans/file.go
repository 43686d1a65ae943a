package plans

import (
	"fmt"
	"path/filepath"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// FileFormat is the version of the plan file's form that this program writes and reads.
const FileFormat = 1

// File is a plan as it is reviewed: what would change, and nothing else. It holds no secret, no time and no absolute path.
type File struct {
	Cluster   string
	Blueprint string // the blueprint's directory, relative to that of the file, with slashes
	Summary   Summary
	Changes   []FileChange // in the plan's order, without no-ops
}

// FileChange is one change in a plan file.
type FileChange struct {
	Addr     schema.Addr
	Host     string
	Action   Action
	Reason   Reason
	Observed string        // schema.Fingerprint of all that was observed; empty for Unknown
	Planned  string        // schema.Fingerprint of all that will be; empty where a part of it is known only after apply
	Requires []schema.Addr // changes that are made first
	Before   []FileAttr    // what differs, where it is there
	After    []FileAttr
}

// FileAttr is an attribute, or a part of one, as it is shown: without marks, secrets replaced by "(sensitive DIGEST)",
// collections as tuples and objects, unknown where it is known only after apply.
type FileAttr struct {
	Path  string // as AttrChange.Path
	Value cty.Value
}

// Attrs returns what differs, in the order of Before and then of what is only in After. Its Root fields are empty.
func (c FileChange) Attrs() []AttrChange {
	var out []AttrChange
	at := map[string]int{}
	none := cty.NullVal(cty.DynamicPseudoType)
	for _, b := range c.Before {
		at[b.Path] = len(out)
		out = append(out, AttrChange{Path: b.Path, Before: b.Value, After: none})
	}
	for _, a := range c.After {
		if i, ok := at[a.Path]; ok {
			out[i].After = a.Value
		} else {
			out = append(out, AttrChange{Path: a.Path, Before: none, After: a.Value})
		}
	}
	return out
}

// FileOptions say where a plan file is and what it is for.
type FileOptions struct {
	Dir       string // directory of the plan file, absolute
	Blueprint string // directory of the blueprint, absolute; empty: Plan.Blueprint, which is absolute then
}

// NewFile returns a plan as it is reviewed.
func NewFile(p *Plan, o FileOptions) (*File, error) {
	bp := o.Blueprint
	if bp == "" {
		bp = p.Blueprint
	}
	rel, err := filepath.Rel(o.Dir, bp)
	if err != nil {
		return nil, fmt.Errorf("blueprint %s as seen from %s: %w", bp, o.Dir, err)
	}
	f := &File{Cluster: p.Cluster, Blueprint: filepath.ToSlash(rel), Summary: p.Summary()}
	for _, c := range p.Changes {
		if c.Action == NoOp {
			continue
		}
		fc, err := newFileChange(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Addr, err)
		}
		f.Changes = append(f.Changes, fc)
	}
	return f, nil
}

func newFileChange(c Change) (FileChange, error) {
	fc := FileChange{Addr: c.Addr, Host: c.Host, Action: c.Action, Reason: c.Reason}
	if c.Action == Unknown {
		return fc, nil
	}
	fc.Observed, fc.Requires = c.Observed, c.Requires
	if after := orNull(c.After); after.IsWhollyKnown() {
		planned, err := schema.Fingerprint(after, c.Salt)
		if err != nil {
			return fc, err
		}
		fc.Planned = planned
	}
	for _, a := range Attrs(c.Before, c.After) {
		if err := fc.add(a, c.Salt); err != nil {
			return fc, fmt.Errorf("%s: %w", a.Path, err)
		}
	}
	return fc, nil
}

func (c *FileChange) add(a AttrChange, salt string) error {
	before, err := fileValue(a.Before, salt)
	if err != nil {
		return err
	}
	after, err := fileValue(a.After, salt)
	if err != nil {
		return err
	}
	if !isNull(before) {
		c.Before = append(c.Before, FileAttr{a.Path, before})
	}
	if !isNull(after) {
		c.After = append(c.After, FileAttr{a.Path, after})
	}
	return nil
}

func isNull(v cty.Value) bool { return v.IsKnown() && v.IsNull() }
