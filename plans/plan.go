package plans

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// Reason says why a resource has its action: a code that scripts can rely on and a text for people.
type Reason struct {
	Code ReasonCode
	Text string // may be empty; no user secrets
}

// ReasonCode is the stable part of a reason.
type ReasonCode string

// The reasons.
const (
	Absent         ReasonCode = "absent"          // desired, and not there
	Drift          ReasonCode = "drift"           // there, and different
	Removed        ReasonCode = "removed"         // carries cxha's mark and is not in the blueprint
	Superseded     ReasonCode = "superseded"      // carries cxha's mark, and a newer version of it is in the blueprint
	Removes        ReasonCode = "removes"         // there, and different: the change removes parts that nothing takes the place of; the text names them all
	Unreachable    ReasonCode = "unreachable"     // its host did not answer
	Unseen         ReasonCode = "unseen"          // it could not be probed, though its host answered
	DependsUnknown ReasonCode = "depends_unknown" // it needs something whose state is not known
	KnownAfter     ReasonCode = "known_after"     // it can be compared only after a change it depends on
)

// Change is what would happen to one resource.
type Change struct {
	Addr     schema.Addr
	Host     string // host it is on; empty: none
	Action   Action
	Reason   Reason
	Before   cty.Value     // what was observed; null: absent
	After    cty.Value     // what will be; null: absent; unknown parts are known only after apply. Same type as Before.
	Desired  cty.Value     // what the blueprint asks for, before what is live fills its gaps; null: it shall not be
	Observed string        // schema.Fingerprint of Before; empty for Unknown
	Requires []schema.Addr // changes of the same plan that must be done first, sorted; none for NoOp
	Salt     string        // salts the digests of secrets; known to the cluster's hosts only, never shown or written
}

// Plan is everything an apply would do.
type Plan struct {
	Cluster   string
	Blueprint string   // the blueprint's directory as the user gave it
	Changes   []Change // removals first, then in the order of the graph; no-ops included, so that a run can use their values
}

// Summary counts a plan's changes.
type Summary struct {
	Create, Update, Replace, Delete, Unknown, Unchanged int
}

// Total returns how many changes would run.
func (s Summary) Total() int { return s.Create + s.Update + s.Replace + s.Delete }

// Summary counts the changes by action.
func (p *Plan) Summary() Summary {
	var s Summary
	for _, c := range p.Changes {
		switch c.Action {
		case Create:
			s.Create++
		case Update:
			s.Update++
		case Replace:
			s.Replace++
		case Delete:
			s.Delete++
		case Unknown:
			s.Unknown++
		case NoOp:
			s.Unchanged++
		}
	}
	return s
}
