package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/internal/view"
)

type kubeconfigOptions struct {
	blueprintOptions
	outputOptions
	out string
}

func newKubeconfigCommand(stop *Interrupts, env Env) *cobra.Command {
	var o kubeconfigOptions
	cmd := &cobra.Command{
		Use:   "kubeconfig [DIRECTORY]",
		Short: "Print the cluster's administrator's kubeconfig",
		Long: `Kubeconfig reads the administrator's kubeconfig from the control plane by SSH and prints it, with the control plane's address in it: kubectl and
Helm use it where port 6443 of the control plane can be reached. Where it cannot, 'cxha kubectl' goes through SSH.

It is a secret: who has it has the cluster.`,
		Example: `  cxha kubeconfig ./site --out ~/.kube/cx
  KUBECONFIG=~/.kube/cx kubectl get nodes`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.dir = blueprintDir(args)
			return runKubeconfig(stop, env, o)
		},
	}
	o.blueprintOptions.addFlags(cmd)
	o.addColorFlag(cmd)
	cmd.Flags().StringVarP(&o.out, "out", "o", "", "write it to a `file` that only you can read")
	return cmd
}

func runKubeconfig(stop *Interrupts, env Env, o kubeconfigOptions) error {
	if o.out != "" {
		if err := checkOut(o.out); err != nil {
			return err
		}
	}
	s, err := load(env, o.blueprintOptions, o.printer(env))
	if err != nil {
		return err
	}
	s.connect(nil)
	defer s.close()
	server := "https://" + net.JoinHostPort(s.bp.ControlPlane.Address.String(), "6443")
	text, err := s.providers.Kube.AdminConfig(stop.soft, s.session, s.bp, server)
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	if o.out == "" {
		_, err = env.Stdout.Write(text)
		return err
	}
	return writeSecret(o.out, text)
}

// writeSecret puts a file in its place in one step that only its owner can read.
func writeSecret(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*") // its mode is 0600
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("kubeconfig: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

func newKubectlCommand(stop *Interrupts, env Env) *cobra.Command {
	var o struct {
		blueprintOptions
		outputOptions
	}
	cmd := &cobra.Command{
		Use:   "kubectl [DIRECTORY] -- ARGUMENTS",
		Short: "Run kubectl on the cluster, through SSH",
		Long: `Kubectl runs the kubectl of your PATH with the arguments after the two dashes, as the cluster's administrator. Its connections go through the SSH
connection to the control plane, so port 6443 need not be open. The kubeconfig for it lies in a directory that only you can read, and is removed when
kubectl ends. The exit code is kubectl's.`,
		Example: `  cxha kubectl -- get pods -A
  cxha kubectl ./site -- logs -n expertflow deploy/web -f`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			if dash < 0 || dash > 1 || dash == len(args) {
				return invalid("kubectl: write the blueprint's directory, two dashes, and what kubectl is to do: cxha kubectl ./site -- get pods")
			}
			o.dir = blueprintDir(args[:dash])
			return runKubectl(stop, env, o.blueprintOptions, o.printer(env), args[dash:])
		},
	}
	o.blueprintOptions.addFlags(cmd)
	o.addColorFlag(cmd)
	return cmd
}

func runKubectl(stop *Interrupts, env Env, o blueprintOptions, printer *view.Printer, args []string) error {
	program, err := exec.LookPath("kubectl")
	if err != nil {
		return invalid("kubectl: there is no program kubectl in your PATH: install it, or use 'cxha kubeconfig' where it is")
	}
	s, err := load(env, o, printer)
	if err != nil {
		return err
	}
	s.connect(nil)
	defer s.close()
	forward, err := s.providers.Kube.Forward(stop.hard, s.session, s.bp)
	if err != nil {
		return fmt.Errorf("kubectl: %w", err)
	}
	defer func() { _ = forward.Close() }() // kubectl has ended, so nothing is lost
	text, err := s.providers.Kube.AdminConfig(stop.soft, s.session, s.bp, forward.Server())
	if err != nil {
		return fmt.Errorf("kubectl: %w", err)
	}
	dir, err := os.MkdirTemp(env.Getenv("XDG_RUNTIME_DIR"), "cxha-kubectl-") // its mode is 0700
	if err != nil {
		return fmt.Errorf("kubectl: %w", err)
	}
	err = kubectl(stop, env, program, filepath.Join(dir, "kubeconfig"), text, args)
	return errors.Join(err, os.RemoveAll(dir))
}

// kubectl runs the program with a kubeconfig. Ctrl-C reaches it by itself; cxha waits for its end, unless it is to stop at once.
func kubectl(stop *Interrupts, env Env, program, config string, text []byte, args []string) error {
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return fmt.Errorf("kubectl: %w", err)
	}
	cmd := exec.CommandContext(stop.hard, program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = env.Stdin, env.Stdout, env.Stderr
	for _, kv := range env.Environ {
		if !strings.HasPrefix(kv, "KUBECONFIG=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "KUBECONFIG="+config)
	err := cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return exit(max(ended.ExitCode(), ExitFailed)) // a signal has no code
	}
	if err != nil {
		return fmt.Errorf("kubectl: %w", err)
	}
	return nil
}
