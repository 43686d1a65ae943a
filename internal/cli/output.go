package cli

import (
	"github.com/spf13/cobra"
)

func newOutputCommand(env Env) *cobra.Command {
	var o blueprintOptions
	var out outputOptions
	cmd := &cobra.Command{
		Use:   "output [DIRECTORY]",
		Short: "Print the blueprint's outputs",
		Long:  "Output prints the values of the blueprint's output blocks. Sensitive ones are not printed.",
		Example: `  cxha output ./site
  cxha output ./site --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.dir = blueprintDir(args)
			printer := out.printer(env)
			s, err := load(env, o, printer)
			if err != nil {
				return err
			}
			return printer.Outputs(s.bp.Outputs)
		},
	}
	o.addFlags(cmd)
	out.addFlags(cmd)
	return cmd
}
