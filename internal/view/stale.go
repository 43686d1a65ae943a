package view

import (
	"github.com/expertflow/cxha/plans"
)

type staleLine struct {
	Type        string            `json:"type"`
	Addr        string            `json:"address"`
	Kind        string            `json:"kind"`
	Differences []staleDifference `json:"differences"`
}

type staleDifference struct {
	What     string `json:"what"`
	Reviewed string `json:"reviewed"`
	Now      string `json:"now"`
}

var staleTexts = map[plans.MismatchKind]string{
	plans.Differs:    "is not as it was reviewed",
	plans.Unreviewed: "nobody reviewed this change",
	plans.Unseeable:  "cannot be seen now",
	plans.Gone:       "is no longer in the blueprint",
}

// Stale prints why a reviewed plan is refused: for each change, reviewed -> now.
func (p *Printer) Stale(ms []plans.Mismatch) error {
	p.clear()
	if !p.o.JSON {
		p.notef("%s\n\n", p.err.red("The plan file no longer fits the live state, so nothing was changed (reviewed -> now):"))
	}
	for _, m := range ms {
		if p.o.JSON {
			l := staleLine{Type: "stale", Addr: m.Addr.String(), Kind: string(m.Kind), Differences: []staleDifference{}}
			for _, d := range m.Differences {
				l.Differences = append(l.Differences, staleDifference(d))
			}
			p.json(l)
			continue
		}
		p.notef("  %s  %s\n", p.err.bold(m.Addr.String()), staleTexts[m.Kind])
		for _, d := range m.Differences {
			p.notef("      %s: %s -> %s\n", d.What, d.Reviewed, d.Now)
		}
	}
	if !p.o.JSON {
		p.notef("\nMake a new plan with 'cxha plan --out', and have it reviewed.\n")
	}
	return p.writes
}

// Fits tells how much of a reviewed plan is still to be done.
func (p *Printer) Fits(run, done int) {
	p.clear()
	if p.o.JSON {
		return
	}
	p.notef("The plan file fits: %d to do, %d done already.\n", run, done)
}

// Note prints something worth knowing.
func (p *Printer) Note(text string) {
	p.clear()
	p.notef("%s %s\n", p.err.yellow("note:"), text)
}

// Ask prints a question; the answer is read by the caller.
func (p *Printer) Ask(question string) { p.notef("\n%s", question) }
