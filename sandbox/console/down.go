package console

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/site"
)

func (a *App) downCommand() *cobra.Command {
	keep, wipe := a.Keep, false
	cmd := &cobra.Command{
		Use:     "down",
		Short:   "Stop the " + a.Noun + " and remove its files",
		Long:    "Stop the " + a.Noun + "'s server with everything it started and remove what it made in its directory.\n" + ExitStatus,
		Example: "  " + a.Name + " down\n  " + a.Name + " down --keep   # the next up finds the hosts' files as they are",
		Args:    NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.down(cmd, keep && !wipe) },
	}
	if !a.Keep {
		cmd.Flags().BoolVar(&keep, "keep", false, "keep the files")
		return cmd
	}
	cmd.Short = "Stop the " + a.Noun
	cmd.Long = "Stop the " + a.Noun + "'s server with everything it started. The hosts' files stay, unless they are to be wiped.\n" + ExitStatus
	cmd.Example = "  " + a.Name + " down          # the next up finds the hosts' files as they are\n  " + a.Name + " down --wipe   # nothing is left"
	cmd.Flags().BoolVar(&wipe, "wipe", false, "remove what was made in the directory too")
	return cmd
}

func (a *App) down(cmd *cobra.Command, keep bool) error {
	p, err := a.Paths()
	if err != nil {
		return err
	}
	wasUp, err := site.Down(cmd.Context(), p)
	if err != nil {
		return err
	}
	existed := p.Exists()
	if a.Clean != nil {
		if err := a.Clean(cmd.Context(), p); err != nil {
			return fmt.Errorf("what a killed server left: %w", err)
		}
	}
	if !keep {
		if err := p.Remove(); err != nil {
			return err
		}
	}
	text := "The %s in %s is down and removed.\n"
	switch {
	case !wasUp && !existed:
		text = "There is no %s in %s.\n"
	case keep:
		text = "The %s in %s is down; its files are kept.\n"
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), text, a.Noun, p.Dir)
	return err
}
