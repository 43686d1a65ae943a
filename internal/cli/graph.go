package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newGraphCommand(env Env) *cobra.Command {
	var format string
	cmd := offlineCommand{
		name:  "graph",
		short: "Draw the blueprint's resources and what they need",
		long:  "Graph prints the dependency graph of the blueprint's resources. An arrow points to what is needed first. No host is contacted.",
		example: `  cxha graph ./site | dot -Tsvg > site.svg
  cxha graph ./site --format mermaid`,
		run: func(s *site) error {
			text, err := s.model.Draw(format)
			if err != nil {
				return invalid("graph: %w", err)
			}
			_, err = fmt.Fprint(env.Stdout, text)
			return err
		},
	}.command(env)
	addFormatFlag(cmd, &format, "dot", "mermaid", "text")
	return cmd
}
