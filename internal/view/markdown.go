package view

import (
	"fmt"
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
		if c.Action != plans.Unknown {
			p.printf("| %s | `%s` | %s |\n", c.Action, cell(c.Addr.String()), cell(c.Reason.Text))
		}
	}
	for _, u := range unseens(f.Changes) {
		var names []string
		for _, b := range u.blocks {
			for _, c := range b.changes {
				names = append(names, "`"+cell(c.Addr.String())+"`")
			}
		}
		p.printf("| %s | %s | %s |\n", plans.Unknown, strings.Join(names, ", "), cell(u.text()))
	}
	var diff strings.Builder
	for _, c := range f.Changes {
		fmt.Fprintf(&diff, "# %s (%s)\n", c.Addr, c.Action)
		for _, a := range c.Attrs() {
			diff.WriteString(markdownAttr(a, c.Action))
		}
	}
	fence := fence(diff.String())
	p.printf("\n<details><summary>Attributes</summary>\n\n%sdiff\n%s%s\n\n</details>\n", fence, diff.String(), fence)
	return p.writes
}

// fence returns a fence of code that the text does not end: a line of backquotes longer than any in it.
func fence(text string) string {
	f := "```"
	for strings.Contains(text, f) {
		f += "`"
	}
	return f
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
