package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/site"
)

func newDownCommand(paths func() (site.Paths, error)) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "Stop the sandbox and remove its files",
		Long:    "Stop the sandbox's server with everything it started and remove what it made in its directory.\n" + exitStatus,
		Example: "  cxha-sandbox down\n  cxha-sandbox down --keep   # the next up finds the hosts' files as they are",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := paths()
			if err != nil {
				return err
			}
			wasUp, err := site.Down(cmd.Context(), p)
			if err != nil {
				return err
			}
			existed := p.Exists()
			if !keep {
				if err := p.Remove(); err != nil {
					return err
				}
			}
			text := "The sandbox in %s is down and removed.\n"
			switch {
			case !wasUp && !existed:
				text = "There is no sandbox in %s.\n"
			case keep:
				text = "The sandbox in %s is down; its files are kept.\n"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), text, p.Dir)
			return err
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the files")
	return cmd
}
