package plans

import (
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// Verdict says what of a reviewed plan is still to be done. Where anything is stale, nothing may run.
type Verdict struct {
	Run   []schema.Addr // changes of the new plan that were reviewed and fit, in its order
	Done  []schema.Addr // reviewed changes that are made already, in the reviewed order
	Stale []Mismatch    // in the order of the new plan; what is no longer in it comes last
}

// Mismatch tells how what was reviewed and what would happen now differ.
type Mismatch struct {
	Addr        schema.Addr
	Kind        MismatchKind
	Differences []Difference
}

// MismatchKind sorts mismatches. The values are stable.
type MismatchKind string

// The kinds of mismatches.
const (
	Differs    MismatchKind = "differs"    // another change, or the same of something else
	Unreviewed MismatchKind = "unreviewed" // a change that is not in the file, or was unknown there
	Unseeable  MismatchKind = "unseeable"  // its state is not known now
	Gone       MismatchKind = "gone"       // the blueprint no longer has it
)

// Difference is one point in which the plans differ. What is action, host, observed,
// planned, or before or after with the path of an attribute.
type Difference struct {
	What          string
	Reviewed, Now string // for reading; values in HCL, in one line
}

const (
	notInPlan = "not in the plan"
	nothing   = "(none)"
)

// Check compares a reviewed plan with one that was made just now. A change fits when its resource, its action, what was
// observed and what will be are as reviewed; what was to be known only after apply may be known now. A reviewed change with
// nothing left to do counts as done if what it should have made is there.
func Check(reviewed *File, now *Plan) Verdict {
	c := &checker{reviewed: map[schema.Addr]FileChange{}, seen: map[schema.Addr]bool{}, done: map[schema.Addr]bool{}}
	for _, r := range reviewed.Changes {
		c.reviewed[r.Addr] = r
	}
	for _, n := range now.Changes {
		c.seen[n.Addr] = true
		c.check(n)
	}
	for _, r := range reviewed.Changes {
		if !c.seen[r.Addr] && r.Action.Changes() {
			c.vanished(r)
		}
		if c.done[r.Addr] {
			c.verdict.Done = append(c.verdict.Done, r.Addr)
		}
	}
	return c.verdict
}

type checker struct {
	reviewed map[schema.Addr]FileChange
	seen     map[schema.Addr]bool
	done     map[schema.Addr]bool
	verdict  Verdict
}

func (c *checker) check(n Change) {
	r, listed := c.reviewed[n.Addr]
	known := listed && r.Action.Changes()
	switch {
	case n.Action == NoOp && known:
		if ds := undone(r, n); len(ds) > 0 {
			c.stale(n.Addr, Differs, append([]Difference{{"action", r.Action.String(), n.Action.String()}}, ds...))
		} else {
			c.done[n.Addr] = true
		}
	case n.Action == Unknown && known:
		c.stale(n.Addr, Unseeable, []Difference{{"action", r.Action.String(), unknownText(n.Reason)}})
	case !n.Action.Changes(): // neither reviewed as a change nor one now
	case !listed:
		c.stale(n.Addr, Unreviewed, []Difference{{"action", notInPlan, n.Action.String()}})
	case !known:
		c.stale(n.Addr, Unreviewed, []Difference{{"action", unknownText(r.Reason), n.Action.String()}})
	default:
		if ds := misfits(r, n); len(ds) > 0 {
			c.stale(n.Addr, Differs, ds)
		} else {
			c.verdict.Run = append(c.verdict.Run, n.Addr)
		}
	}
}

func unknownText(r Reason) string {
	if r.Text == "" {
		return Unknown.String()
	}
	return Unknown.String() + " (" + r.Text + ")"
}

// vanished handles a reviewed change whose resource is in the new plan no more: what was to be removed is gone then.
func (c *checker) vanished(r FileChange) {
	if r.Action == Delete {
		c.done[r.Addr] = true
		return
	}
	c.stale(r.Addr, Gone, []Difference{{"action", r.Action.String(), notInPlan}})
}

func (c *checker) stale(addr schema.Addr, kind MismatchKind, ds []Difference) {
	c.verdict.Stale = append(c.verdict.Stale, Mismatch{Addr: addr, Kind: kind, Differences: ds})
}

// misfits returns in what a change differs from the reviewed one.
func misfits(r FileChange, n Change) []Difference {
	var ds []Difference
	if r.Action != n.Action {
		ds = append(ds, Difference{"action", r.Action.String(), n.Action.String()})
	}
	if r.Host != n.Host {
		ds = append(ds, Difference{"host", orNothing(r.Host), orNothing(n.Host)})
	}
	fc, err := newFileChange(n)
	if err != nil {
		return append(ds, Difference{"after", "", err.Error()})
	}
	if r.Observed != n.Observed {
		ds = append(ds, newDiffer("before", n.Before, n.Salt).compare(r.Before, r.Before)...)
	}
	after := newDiffer("after", n.After, n.Salt)
	after.compare(r.After, r.Before, r.After)
	if r.Action == n.Action {
		after.compareUntouched(fc.Before, fc.After)
	}
	ds = append(ds, after.found...)
	switch {
	case len(ds) > 0:
	case r.Observed != n.Observed: // what differs was not to be changed, so the file does not show it
		ds = []Difference{{"observed", r.Observed, n.Observed}}
	case r.Planned != "" && r.Planned != fc.Planned:
		ds = []Difference{{"planned", r.Planned, orNothing(fc.Planned)}}
	}
	return ds
}

// undone returns in what a live value differs from what a reviewed change was to make.
func undone(r FileChange, n Change) []Difference {
	if r.Action != Delete {
		return newDiffer("after", n.Before, n.Salt).compare(r.After, r.Before, r.After)
	}
	if orNull(n.Before).IsNull() {
		return nil
	}
	return []Difference{{"after", nothing, "still there"}}
}

// differ compares what a file says with a value.
type differ struct {
	what    string
	parts   map[string]cty.Value
	salt    string
	touched map[string]bool // paths that were compared
	found   []Difference
}

func newDiffer(what string, v cty.Value, salt string) *differ {
	return &differ{what: what, parts: parts(v), salt: salt, touched: map[string]bool{}}
}

// compare looks at the paths of all touched attributes: the value must have there what is said, and nothing where nothing is.
func (d *differ) compare(said []FileAttr, touched ...[]FileAttr) []Difference {
	values := map[string]cty.Value{}
	for _, a := range said {
		values[a.Path] = a.Value
	}
	for _, a := range slices.Concat(touched...) {
		if d.touched[a.Path] {
			continue
		}
		d.touched[a.Path] = true
		want, ok := values[a.Path]
		if !ok {
			want = cty.NullVal(cty.DynamicPseudoType)
		}
		now, err := fileValue(d.part(a.Path), d.salt)
		switch {
		case err != nil:
			d.add(a.Path, shownText(want), err.Error())
		case !accepts(want, now):
			d.add(a.Path, shownText(want), shownText(now))
		}
	}
	return d.found
}

// compareUntouched finds attributes that the new plan changes and the reviewed one leaves as they are.
func (d *differ) compareUntouched(before, after []FileAttr) {
	now := map[string]cty.Value{}
	for _, a := range after {
		now[a.Path] = a.Value
	}
	for _, a := range slices.Concat(before, after) {
		if d.covered(a.Path) {
			continue
		}
		d.touched[a.Path] = true
		text := nothing
		if v, ok := now[a.Path]; ok {
			text = shownText(v)
		}
		d.add(a.Path, "(unchanged)", text)
	}
}

// covered reports whether a path, or something that it is a part of, was compared.
func (d *differ) covered(path string) bool {
	for p := range d.touched {
		if rest, ok := strings.CutPrefix(path, p); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

func (d *differ) part(path string) cty.Value {
	if v, ok := d.parts[path]; ok {
		return v
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

func (d *differ) add(path, reviewed, now string) {
	d.found = append(d.found, Difference{d.what + " " + path, reviewed, now})
}

// accepts is equal, but takes anything where the reviewed value was to be known only after apply.
func accepts(reviewed, now cty.Value) bool {
	switch {
	case !reviewed.IsKnown():
		return true
	case isMapping(reviewed) && isMapping(now):
		for _, k := range keys(reviewed, now) {
			if !accepts(child(reviewed, k), child(now, k)) {
				return false
			}
		}
		return true
	case isSequence(reviewed) && isSequence(now) && reviewed.LengthInt() == now.LengthInt():
		rs, ns := reviewed.AsValueSlice(), now.AsValueSlice()
		for i := range rs {
			if !accepts(rs[i], ns[i]) {
				return false
			}
		}
		return true
	default:
		return equal(reviewed, now)
	}
}

func shownText(v cty.Value) string {
	if isNull(v) {
		return nothing
	}
	return inlineText(v)
}

func orNothing(s string) string {
	if s == "" {
		return nothing
	}
	return s
}
