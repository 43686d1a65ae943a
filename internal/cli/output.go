package cli

import (
	"github.com/spf13/cobra"
)

func newOutputCommand(env Env) *cobra.Command {
	return offlineCommand{
		name:  "output",
		short: "Print the blueprint's outputs",
		long:  "Output prints the values of the blueprint's output blocks. Sensitive ones are not printed.",
		example: `  cxha output ./site
  cxha output ./site --json`,
		json: true,
		run:  func(s *site) error { return s.printer.Outputs(s.bp.Outputs) },
	}.command(env)
}
