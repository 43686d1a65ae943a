package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/site"
)

// streams are the program's standard input and outputs.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// exitCode ends the program without another message: the command on the host has said what there is to say.
type exitCode int

// Error implements error.
func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// usageError is a mistake on the command line.
type usageError struct{ error }

// Unwrap lets errors.Is see the cause.
func (e usageError) Unwrap() error { return e.error }

const exitStatus = `
Exit status:
  0    done
  1    failed
  2    wrong command line
  130  interrupted`

func newRootCommand(io streams) *cobra.Command {
	var dir string
	root := &cobra.Command{
		Use:   "cxha-sandbox",
		Short: "A cluster's machines on one computer",
		Long: `cxha-sandbox runs the machines of a two-site cluster inside one process: SSH servers with a file system, a shell and
systemd on two private networks that are reached through a bastion on 127.0.0.1. RKE2 on them is a stand-in that runs
the real etcd and Kubernetes control plane. sandbox/README.md says what is real and what is not.
` + exitStatus,
		Example: `  cxha-sandbox up --workers 2
  cxha apply .cxha-sandbox/blueprint --yes
  cxha-sandbox kubeconfig > kubeconfig && kubectl --kubeconfig kubeconfig get nodes
  cxha-sandbox kill w1
  cxha-sandbox down`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&dir, "dir", ".cxha-sandbox", "directory that holds the whole sandbox")
	paths := func() (site.Paths, error) { return site.NewPaths(dir) }
	root.AddCommand(
		newUpCommand(paths), newServeCommand(paths), newDownCommand(paths), newStatusCommand(paths),
		newHostCommand(paths, "kill", "Cut a host's power: everything on it ends at once, its files stay"),
		newHostCommand(paths, "start", "Power a host on: it boots and starts its enabled units"),
		newHostCommand(paths, "cut", "Cut a host's network line; what is under way hangs"),
		newHostCommand(paths, "mend", "Mend a host's network line"),
		newExecCommand(paths, io), newKubectlCommand(paths, io), newKubeconfigCommand(paths), newResetCommand(paths), newLatencyCommand(paths),
		newArpCommand(paths),
	)
	return root
}

// noArgs and exactly are cobra's checks with the exit code of a wrong command line.
func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usageError{err}
	}
	return nil
}

func exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(cmd, args); err != nil {
			return usageError{err}
		}
		return nil
	}
}
