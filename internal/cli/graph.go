package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newGraphCommand(env Env) *cobra.Command {
	var o blueprintOptions
	var out outputOptions
	format := "dot"
	cmd := &cobra.Command{
		Use:   "graph [DIRECTORY]",
		Short: "Draw the blueprint's resources and what they need",
		Long:  "Graph prints the dependency graph of the blueprint's resources. An arrow points to what is needed first. No host is contacted.",
		Example: `  cxha graph ./site | dot -Tsvg > site.svg
  cxha graph ./site --format mermaid`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.dir = blueprintDir(args)
			printer := out.printer(env)
			s, err := load(env, o, printer)
			if err != nil {
				return err
			}
			text, err := s.model.Draw(format)
			if err != nil {
				return invalid("graph: %w", err)
			}
			_, err = fmt.Fprint(env.Stdout, text)
			return err
		},
	}
	o.addFlags(cmd)
	out.addColorFlag(cmd)
	cmd.Flags().StringVar(&format, "format", format, "`form` of the output: dot, mermaid or text")
	return cmd
}
