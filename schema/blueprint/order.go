package blueprint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/schema"
)

// order computes units depth first, so that each comes after those that it refers to.
type order struct {
	loader   *loader
	path     []step
	reported map[string]bool
}

// step is a unit on the way to the one being visited, with the reference by which the way goes on.
type step struct {
	unit *unit
	ref  ref
}

func (o *order) visit(u *unit) {
	switch u.state {
	case computed:
		return
	case computing:
		o.report(u)
		return
	}
	u.state = computing
	for _, r := range u.refs {
		for _, to := range o.loader.meant(r) {
			o.path = append(o.path, step{unit: u, ref: r})
			o.visit(to)
			o.path = o.path[:len(o.path)-1]
		}
	}
	o.loader.compute(u)
	u.state = computed
}

// Cycle is the Extra of a diagnostic about blocks that refer to each other in a circle: its edges in order.
type Cycle []Ref

// report tells the circle that the path has just closed at u: once, whatever the number of its references.
func (o *order) report(u *unit) {
	start := slices.IndexFunc(o.path, func(s step) bool { return s.unit == u })
	steps := o.path[start:]
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.unit.String()
	}
	slices.Sort(names)
	if key := strings.Join(names, " "); o.reported[key] {
		return
	} else {
		o.reported[key] = true
	}
	var cycle Cycle
	var lines strings.Builder
	for i, s := range steps {
		to := steps[(i+1)%len(steps)].unit
		verb := "refers to"
		if s.ref.depends {
			verb = "depends on"
		}
		fmt.Fprintf(&lines, "\n  %s %s %s at %s", s.unit, verb, to, at(s.ref.at))
		cycle = append(cycle, Ref{To: schema.BlockAddr{Type: to.root, Name: to.name}, Range: s.ref.at})
	}
	detail := "These need each other, so none of them can be computed or built first:" + lines.String() + "\nTake out one of the references, or move what both need into a local or a variable."
	if len(steps) == 1 {
		detail = fmt.Sprintf("%s needs itself, by the reference at %s. Take the reference out, or move the value into a local.", u, at(steps[0].ref.at))
	}
	o.loader.report(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Reference cycle", Detail: detail, Subject: steps[0].ref.at.Ptr(), Extra: cycle})
}
