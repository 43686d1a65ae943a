package view

import (
	"fmt"
	"strings"

	"github.com/expertflow/cxha/plans"
)

// Plan prints a plan: removals first, then what differs, block by block, and a summary in one line. commands, by address, are
// shown below their changes; it may be nil.
func (p *Printer) Plan(f *plans.File, commands map[string]string) error {
	if p.o.JSON {
		p.planJSON(f, commands)
		return p.writes
	}
	p.planText(f, commands)
	return p.writes
}

func (p *Printer) planText(f *plans.File, commands map[string]string) {
	p.clear()
	for _, s := range sections(f.Changes) {
		p.printf("\n%s\n", p.out.bold(s.title))
		for _, c := range s.changes {
			p.change(c)
			if text := commands[c.Addr.String()]; text != "" {
				p.printf("%s", indent(text, "        $ "))
			}
		}
		for _, u := range s.unseen {
			p.printf("  %s %s  %s\n", p.symbol(plans.Unknown), names(u.changes), p.out.dim(u.why))
		}
	}
	p.printf("\n%s\n", p.out.bold(SummaryLine(f.Summary)))
	if digest := f.ApprovalDigest(); digest != "" {
		p.printf("Removals need to be approved: apply with --approve-destroy=%s\n", digest)
	}
}

// section is the changes of one block; removals are a section of their own.
type section struct {
	title   string
	changes []plans.FileChange
	unseen  []hidden
}

// hidden is what of a block is unknown for one cause.
type hidden struct {
	changes []plans.FileChange
	why     string
}

// sections puts changes together by block, in the order in which the blocks come first.
func sections(changes []plans.FileChange) []*section {
	first := map[string]*unseen{} // by the address of the first change of a block that a cause hides
	for _, u := range unseens(changes) {
		for _, b := range u.blocks {
			first[b.changes[0].Addr.String()] = u
		}
	}
	var all []*section
	byTitle := map[string]*section{}
	of := func(title string) *section {
		s := byTitle[title]
		if s == nil {
			s = &section{title: title}
			byTitle[title] = s
			all = append(all, s)
		}
		return s
	}
	for _, c := range changes {
		title := c.Addr.Block.String()
		switch u := first[c.Addr.String()]; {
		case c.Action == plans.Delete:
			s := of("removal of " + title)
			s.changes = append(s.changes, c)
		case c.Action != plans.Unknown:
			s := of(title)
			s.changes = append(s.changes, c)
		case u != nil:
			s := of(title)
			s.unseen = append(s.unseen, hidden{u.in(title), u.told()})
		}
	}
	return all
}

// SummaryLine is the line that ends a plan.
func SummaryLine(s plans.Summary) string {
	line := fmt.Sprintf("Plan: %d to create, %d to change, %d to replace, %d to remove, %d unchanged", s.Create, s.Update, s.Replace, s.Delete, s.Unchanged)
	if s.Unknown > 0 {
		line += fmt.Sprintf(", %d unknown", s.Unknown)
	}
	return line + "."
}

func (p *Printer) change(c plans.FileChange) {
	p.printf("  %s %s  %s\n", p.symbol(c.Action), resourceName(c), p.out.dim(reasonLine(c)))
	for _, a := range c.Attrs() {
		for _, line := range attrLines(a, c.Action) {
			p.printf("      %s\n", line)
		}
	}
}

func resourceName(c plans.FileChange) string {
	return strings.TrimPrefix(c.Addr.String(), c.Addr.Block.String()+"/")
}

func (p *Printer) symbol(a plans.Action) string {
	s := string(rune(a))
	switch a {
	case plans.Create:
		return p.out.green(s)
	case plans.Delete, plans.Replace:
		return p.out.red(s)
	default:
		return p.out.yellow(s)
	}
}

func reasonLine(c plans.FileChange) string { return firstLine(printable(c.Reason.Text)) }

// firstLine is a reason without its hints: those of a host that does not answer were printed once, with its warning.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func indent(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(by + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}
