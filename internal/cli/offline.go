package cli

import (
	"github.com/spf13/cobra"
)

// offlineCommand is a command that needs the blueprint and no host.
type offlineCommand struct {
	name, short, long, example string
	json                       bool // it has a JSON form
	run                        func(s *site) error
}

func (c offlineCommand) command(env Env) *cobra.Command {
	var o blueprintOptions
	var out outputOptions
	cmd := &cobra.Command{
		Use: c.name + " [DIRECTORY]", Short: c.short, Long: c.long, Example: c.example,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.dir = blueprintDir(args)
			s, err := load(env, o, out.printer(env))
			if err != nil {
				return err
			}
			return c.run(s)
		},
	}
	o.addFlags(cmd)
	if c.json {
		out.addFlags(cmd)
	} else {
		out.addColorFlag(cmd)
	}
	return cmd
}
