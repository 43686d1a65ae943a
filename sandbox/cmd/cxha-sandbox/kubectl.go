package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	"github.com/expertflow/cxha/sandbox/site"
)

func newKubectlCommand(paths func() (site.Paths, error), io streams) *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl -- ARGS",
		Short: "Run the stock kubectl as the cluster's administrator",
		Long: `Run Kubernetes' own kubectl, which is built in, on the sandbox's cluster. Everything behind -- is kubectl's, and so is the
exit status. The kubeconfig that it uses is kept in the sandbox's directory.
` + exitStatus,
		Example: "  cxha-sandbox kubectl -- get nodes -o wide",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := paths()
			if err != nil {
				return err
			}
			config, err := site.NewClient(p).Kubeconfig(cmd.Context())
			if err != nil {
				return err
			}
			file := filepath.Join(p.Dir, "kubeconfig")
			if err := os.WriteFile(file, config, 0o600); err != nil {
				return fmt.Errorf("kubeconfig: %w", err)
			}
			if err := runKubectl(io, append([]string{"--kubeconfig", file}, args...)); err != nil {
				return fmt.Errorf("kubectl: %w", err)
			}
			return nil
		},
	}
}

// runKubectl runs kubectl in this process. Most of its commands end the process themselves when they fail.
func runKubectl(io streams, args []string) error {
	streams := genericiooptions.IOStreams{In: io.in, Out: io.out, ErrOut: io.err}
	k := kubectl.NewKubectlCommand(kubectl.KubectlOptions{
		Arguments: append([]string{"kubectl"}, args...), IOStreams: streams,
		ConfigFlags: genericclioptions.NewConfigFlags(true).WithDiscoveryBurst(300).WithDiscoveryQPS(50),
	})
	k.SetArgs(args)
	err := k.Execute()
	if errors.Is(err, util.ErrExit) {
		return exitCode(1)
	}
	return err
}
