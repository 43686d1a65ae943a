package view

import (
	"strings"

	"github.com/expertflow/cxha/plans"
)

// Markdown prints a plan for a comment in a pull request: a table of the changes, and what each changes folded below it.
func (p *Printer) Markdown(f *plans.File) error {
	p.printf("### cxha plan of cluster `%s`\n\n%s\n", f.Cluster, SummaryLine(f.Summary))
	if digest := f.ApprovalDigest(); digest != "" {
		p.printf("\n**It removes something.** Apply with `--approve-destroy=%s`.\n", digest)
	}
	if len(f.Changes) == 0 {
		return p.writes
	}
	p.printf("\n| | resource | why |\n|---|---|---|\n")
	for _, c := range f.Changes {
		p.printf("| %s | `%s` | %s |\n", c.Action, c.Addr, cell(c.Reason.Text))
	}
	p.printf("\n<details><summary>Attributes</summary>\n\n```diff\n")
	for _, c := range f.Changes {
		p.printf("# %s (%s)\n", c.Addr, c.Action)
		for _, a := range c.Attrs() {
			p.printf("%s", markdownAttr(a, c.Action))
		}
	}
	p.printf("```\n\n</details>\n")
	return p.writes
}

func markdownAttr(a plans.AttrChange, action plans.Action) string {
	var b strings.Builder
	if action != plans.Create {
		b.WriteString(indent(a.Path+" = "+valueText(a.Before), "- "))
	}
	if action != plans.Delete {
		b.WriteString(indent(a.Path+" = "+valueText(a.After), "+ "))
	}
	return b.String()
}

// cell makes a text fit into a cell of a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}
