package cli

import (
	"github.com/spf13/cobra"
)

func newValidateCommand(env Env) *cobra.Command {
	return offlineCommand{
		name:    "validate",
		short:   "Check the blueprint without contacting a host",
		long:    "Validate reads the blueprint, checks everything that can be known without the machines, and prints every mistake with its place.",
		example: "  cxha validate ./site",
		json:    true,
		run: func(s *site) error {
			return s.printer.Valid(s.bp.Cluster.Name, len(s.bp.Nodes()), len(s.model.Resources))
		},
	}.command(env)
}
