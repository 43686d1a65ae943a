package console

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/rest"
	kubectl "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"

	"github.com/expertflow/cxha/sandbox/site"
)

func (a *App) kubectlCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl -- ARGS",
		Short: "Run the stock kubectl as the cluster's administrator",
		Long: `Run Kubernetes' own kubectl, which is built in, on the cluster. Everything behind -- is kubectl's, and so is the
exit status. The kubeconfig that it uses is kept in the directory.
` + ExitStatus,
		Example: "  " + a.Name + " kubectl -- get nodes -o wide",
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.Paths()
			if err != nil {
				return err
			}
			config, err := site.NewClient(p).Do(cmd.Context(), site.Kubeconfig)
			if err != nil {
				return err
			}
			file := filepath.Join(p.Dir, "kubeconfig")
			if err := os.WriteFile(file, config, 0o600); err != nil {
				return fmt.Errorf("kubeconfig: %w", err)
			}
			if err := runKubectl(a.Streams, append([]string{"--kubeconfig", file}, args...)); err != nil {
				return fmt.Errorf("kubectl: %w", err)
			}
			return nil
		},
	}
}

// asKubectl gives calls the name under which the API server notes who changed a field: a program's own name otherwise.
func asKubectl(c *rest.Config) *rest.Config {
	c.UserAgent = "kubectl"
	return c
}

// runKubectl runs kubectl in this process. Most of its commands end the process themselves when they fail.
func runKubectl(io Streams, args []string) error {
	streams := genericiooptions.IOStreams{In: io.In, Out: io.Out, ErrOut: io.Err}
	k := kubectl.NewKubectlCommand(kubectl.KubectlOptions{
		Arguments: append([]string{"kubectl"}, args...), IOStreams: streams,
		ConfigFlags: genericclioptions.NewConfigFlags(true).WithDiscoveryBurst(300).WithDiscoveryQPS(50).WithWrapConfigFn(asKubectl),
	})
	k.SetArgs(args)
	err := k.Execute()
	if errors.Is(err, util.ErrExit) {
		return exitCode(1)
	}
	return err
}
