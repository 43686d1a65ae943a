package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Edge says that From needs To, and where that is written (the zero range: nowhere).
type Edge[K Key] struct {
	From, To K
	Range    hcl.Range
}

// CycleError tells that nodes need themselves. Cycles holds the shortest cycle of every set of nodes that need each other,
// as the edges to follow: each begins where the one before ends, the first at the smallest node.
type CycleError[K Key] struct {
	Cycles [][]Edge[K]
}

// Error names every edge of every cycle.
func (e *CycleError[K]) Error() string {
	var texts []string
	for _, cycle := range e.Cycles {
		var edges []string
		for _, edge := range cycle {
			edges = append(edges, edgeText(edge))
		}
		texts = append(texts, "dependency cycle: "+strings.Join(edges, ", "))
	}
	return strings.Join(texts, "; ")
}

// Diagnostics returns one diagnostic per cycle. Its detail has a line for every edge; its subject is the first edge that has a range.
func (e *CycleError[K]) Diagnostics() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, cycle := range e.Cycles {
		d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Dependency cycle"}
		var b strings.Builder
		b.WriteString("These need each other in a circle, so none of them can be the first:\n")
		for _, edge := range cycle {
			fmt.Fprintf(&b, "  %s\n", edgeText(edge))
			if d.Subject == nil && edge.Range.Filename != "" {
				d.Subject = edge.Range.Ptr()
			}
		}
		b.WriteString("Remove one of these dependencies.")
		d.Detail = b.String()
		diags = append(diags, d)
	}
	return diags
}

func edgeText[K Key](e Edge[K]) string {
	s := fmt.Sprintf("%s needs %s", e.From, e.To)
	if e.Range.Filename != "" {
		s += fmt.Sprintf(" (%s)", e.Range)
	}
	return s
}

func newCycleError[K Key](keys []node[K], edges []edge, cyclic [][]int) *CycleError[K] {
	needs := make([][]edge, len(keys))
	for _, e := range edges {
		needs[e.from] = append(needs[e.from], e)
	}
	err := &CycleError[K]{}
	slices.SortFunc(cyclic, func(a, b []int) int { return slices.Min(a) - slices.Min(b) })
	for _, members := range cyclic {
		var cycle []Edge[K]
		for _, e := range shortestCycle(needs, members) {
			cycle = append(cycle, Edge[K]{From: keys[e.from].key, To: keys[e.to].key, Range: e.at})
		}
		err.Cycles = append(err.Cycles, cycle)
	}
	return err
}

// shortestCycle returns the shortest cycle among members; of several, the one through the smallest node. It begins there.
func shortestCycle(needs [][]edge, members []int) []edge {
	slices.Sort(members)
	inside := make(map[int]bool, len(members))
	for _, m := range members {
		inside[m] = true
	}
	var best []edge
	for _, start := range members {
		if c := cycleFrom(needs, inside, start, len(best)); c != nil {
			best = c
		}
	}
	return best
}

// cycleFrom searches breadth first for the shortest way from start back to it; nil where it is not shorter than limit (0: no limit).
func cycleFrom(needs [][]edge, inside map[int]bool, start, limit int) []edge {
	came := map[int]edge{}
	level := []int{start}
	for depth := 1; len(level) > 0 && (limit == 0 || depth < limit); depth++ {
		var next []int
		for _, n := range level {
			for _, e := range needs[n] {
				if e.to == start {
					return wayBack(came, e, start)
				}
				if _, seen := came[e.to]; !seen && inside[e.to] {
					came[e.to] = e
					next = append(next, e.to)
				}
			}
		}
		level = next
	}
	return nil
}

func wayBack(came map[int]edge, last edge, start int) []edge {
	way := []edge{last}
	for e := last; e.from != start; {
		e = came[e.from]
		way = append(way, e)
	}
	slices.Reverse(way)
	return way
}
