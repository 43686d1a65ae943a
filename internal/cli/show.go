package cli

import (
	"os"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/plans"
)

type showOptions struct {
	outputOptions
	format string
}

var showFormats = []string{"text", "json", "markdown"}

func newShowCommand(env Env) *cobra.Command {
	var o showOptions
	cmd := &cobra.Command{
		Use:   "show PLAN-FILE",
		Short: "Show a plan file",
		Long:  "Show reads a plan file of 'cxha plan --out' and prints it as text, as JSON lines, or as Markdown for a comment in a pull request.",
		Example: `  cxha show site.plan
  cxha show site.plan --format markdown`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runShow(env, args[0], o) },
	}
	addFormatFlag(cmd, &o.format, showFormats...)
	o.addColorFlag(cmd)
	return cmd
}

func runShow(env Env, name string, o showOptions) error {
	if !slices.Contains(showFormats, o.format) {
		return invalid("show: --format %s: want text, json or markdown", o.format)
	}
	src, err := os.ReadFile(name)
	if err != nil {
		return invalid("plan file: %w", err)
	}
	o.json = o.format == "json"
	printer := o.printer(env)
	file, diags := plans.ReadFile(src, name)
	if diags.HasErrors() {
		printer.Diagnostics(diags, map[string]*hcl.File{name: {Bytes: src}})
		return exit(ExitInvalid)
	}
	if o.format == "markdown" {
		return printer.Markdown(file)
	}
	return printer.Plan(file, nil)
}
