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
	section := ""
	for _, c := range f.Changes {
		title := c.Addr.Block.String()
		if c.Action == plans.Delete {
			title = "removal of " + title
		}
		if title != section {
			section = title
			p.printf("\n%s\n", p.out.bold(title))
		}
		p.change(c)
		if text := commands[c.Addr.String()]; text != "" {
			p.printf("%s", indent(text, "        $ "))
		}
	}
	p.printf("\n%s\n", p.out.bold(SummaryLine(f.Summary)))
	if digest := f.ApprovalDigest(); digest != "" {
		p.printf("Removals need to be approved: apply with --approve-destroy=%s\n", digest)
	}
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
	p.printf("  %s %s  %s\n", p.symbol(c.Action), resourceName(c), p.out.dim(c.Reason.Text))
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

func indent(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(by + strings.TrimSuffix(line, "\n") + "\n")
	}
	return b.String()
}
