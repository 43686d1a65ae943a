package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/site"
)

// newHostCommand is kill, start, cut or mend.
func newHostCommand(paths func() (site.Paths, error), verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " HOST...",
		Short:   short,
		Long:    short + ".\n" + exitStatus,
		Example: "  cxha-sandbox " + verb + " w1",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("the name of a host is missing")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := paths()
			if err != nil {
				return err
			}
			for _, host := range args {
				if err := hostError(site.NewClient(p).Host(cmd.Context(), verb, host)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// hostError makes an unknown host a mistake of the command line.
func hostError(err error) error {
	if errors.Is(err, site.ErrUnknownHost) {
		return usageError{err}
	}
	return err
}

func newExecCommand(paths func() (site.Paths, error), std streams) *cobra.Command {
	var withStdin bool
	cmd := &cobra.Command{
		Use:   "exec HOST -- COMMAND [ARGUMENT...]",
		Short: "Run a shell command on a host as root, at its console",
		Long: `Run a shell command on a host as root. It needs no network and is not counted. Several words are joined with blanks, as
ssh does. The exit status is the command's.
` + exitStatus,
		Example: `  cxha-sandbox exec w1 -- systemctl status rke2-agent
  cxha-sandbox exec w1 -- 'echo "write-kubeconfig-mode: \"0644\"" >> /etc/rancher/rke2/config.yaml'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usageError{errors.New("a host and a command are needed")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := paths()
			if err != nil {
				return err
			}
			req := site.ExecRequest{Command: strings.Join(args[1:], " ")}
			if withStdin {
				if req.Stdin, err = io.ReadAll(std.in); err != nil {
					return err
				}
			}
			res, err := site.NewClient(p).Exec(cmd.Context(), args[0], req)
			if err != nil {
				return hostError(err)
			}
			if _, err := std.out.Write(res.Stdout); err != nil {
				return err
			}
			if _, err := std.err.Write(res.Stderr); err != nil {
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

func newKubeconfigCommand(paths func() (site.Paths, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print an admin kubeconfig that works from this computer",
		Long: `Print an admin kubeconfig of the cluster. Its server is the real address of the API server on 127.0.0.1, so a stock
kubectl can use it.
` + exitStatus,
		Example: "  cxha-sandbox kubeconfig > kubeconfig\n  kubectl --kubeconfig kubeconfig get nodes -o wide",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := paths()
			if err != nil {
				return err
			}
			config, err := site.NewClient(p).Kubeconfig(cmd.Context())
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(config)
			return err
		},
	}
}

func newLatencyCommand(paths func() (site.Paths, error)) *cobra.Command {
	return &cobra.Command{
		Use:     "latency DELAY",
		Short:   "Change the delay between hosts",
		Long:    "Change the delay of everything that goes from one host to another, one way.\n" + exitStatus,
		Example: "  cxha-sandbox latency 20ms",
		Args:    exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := time.ParseDuration(args[0])
			if err != nil || d < 0 {
				return usageError{fmt.Errorf("%q is no delay, such as 20ms", args[0])}
			}
			p, err := paths()
			if err != nil {
				return err
			}
			return site.NewClient(p).Latency(cmd.Context(), d)
		},
	}
}

func newArpCommand(paths func() (site.Paths, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "arp add|remove ADDRESS...",
		Short: "Put a foreign machine on an address, or take it away",
		Long: `Put a machine that is none of the sandbox's on an address: it answers ARP and nothing else, as a printer or a forgotten
server does. It is gone when the sandbox's server ends.
` + exitStatus,
		Example: "  cxha-sandbox arp add 10.10.1.50",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || args[0] != "add" && args[0] != "remove" {
				return usageError{errors.New("it is add or remove, and an address")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := paths()
			if err != nil {
				return err
			}
			for _, text := range args[1:] {
				addr, err := netip.ParseAddr(text)
				if err != nil {
					return usageError{fmt.Errorf("%q is no address, such as 10.10.1.50", text)}
				}
				if err := site.NewClient(p).Arp(cmd.Context(), args[0], addr); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
