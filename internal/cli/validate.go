package cli

import (
	"github.com/spf13/cobra"
)

func newValidateCommand(env Env) *cobra.Command {
	var o blueprintOptions
	var out outputOptions
	cmd := &cobra.Command{
		Use:     "validate [DIRECTORY]",
		Short:   "Check the blueprint without contacting a host",
		Long:    "Validate reads the blueprint, checks everything that can be known without the machines, and prints every mistake with its place.",
		Example: "  cxha validate ./site",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.dir = blueprintDir(args)
			printer := out.printer(env)
			s, err := load(env, o, printer)
			if err != nil {
				return err
			}
			return printer.Valid(s.bp.Cluster.Name, len(s.bp.Nodes()), len(s.model.Resources))
		},
	}
	o.addFlags(cmd)
	out.addFlags(cmd)
	return cmd
}
