package view

import (
	"fmt"
	"strings"

	"github.com/expertflow/cxha/plans"
)

// Plan prints a plan: what differs, block by block, and a summary in one line. commands, by address, are shown below their
// changes; it may be nil.
func (p *Printer) Plan(plan *plans.Plan, commands map[string]string) error {
	if p.o.JSON {
		p.planJSON(plan, commands)
		return p.writes
	}
	p.planText(plan, commands)
	return p.writes
}

func (p *Printer) planText(plan *plans.Plan, commands map[string]string) {
	block := ""
	removing := false
	for _, c := range plan.Changes {
		if c.Action == plans.NoOp {
			continue
		}
		if gone := c.Action == plans.Delete; gone != removing || block == "" {
			removing, block = gone, ""
			if gone {
				p.printf("%s\n", p.out.bold("Removals"))
			}
		}
		if b := c.Addr.Block.String(); b != block {
			block = b
			p.printf("\n%s\n", p.out.bold(b))
		}
		p.change(c)
		if text := commands[c.Addr.String()]; text != "" {
			p.printf("%s", indent(text, "        $ "))
		}
	}
	p.printf("\n%s\n", p.out.bold(SummaryLine(plan.Summary())))
	if digest := plans.ApprovalDigest(plan); digest != "" {
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

func (p *Printer) change(c plans.Change) {
	name := strings.TrimPrefix(c.Addr.String(), c.Addr.Block.String()+"/")
	p.printf("  %s %s  %s\n", p.symbol(c.Action), name, p.out.dim(c.Reason.Text))
	if c.Action == plans.Unknown {
		return
	}
	for _, a := range plans.Attrs(c.Before, c.After) {
		for _, line := range attrLines(a, c.Action) {
			p.printf("      %s\n", line)
		}
	}
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
