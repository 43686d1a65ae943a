package console

import (
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/site"
)

func (a *App) execCommand() *cobra.Command {
	var withStdin bool
	cmd := &cobra.Command{
		Use:   "exec HOST -- COMMAND [ARGUMENT...]",
		Short: "Run a shell command on a host as root, at its console",
		Long: `Run a shell command on a host as root. It needs no network and is not counted. Several words are joined with blanks, as
ssh does. The exit status is the command's.
` + ExitStatus,
		Example: "  " + a.Name + " exec w1 -- systemctl status rke2-agent\n  " + a.Name +
			` exec w1 -- 'echo "write-kubeconfig-mode: \"0644\"" >> /etc/rancher/rke2/config.yaml'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return Usage(errors.New("a host and a command are needed"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			req := site.ExecRequest{Command: strings.Join(args[1:], " ")}
			if withStdin {
				if req.Stdin, err = io.ReadAll(a.In); err != nil {
					return err
				}
			}
			res, err := client.Exec(cmd.Context(), args[0], req)
			if err != nil {
				return classify(err)
			}
			if _, err := a.Out.Write(res.Stdout); err != nil {
				return err
			}
			if _, err := a.Err.Write(res.Stderr); err != nil {
				return err
			}
			if res.Code != 0 {
				return exitCode(res.Code)
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&withStdin, "stdin", "i", false, "pass standard input on")
	return cmd
}
