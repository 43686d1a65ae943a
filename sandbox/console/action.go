package console

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/site"
)

// do has the server do a verb. What it does not know or cannot do is a mistake of the command line.
func (a *App) do(ctx context.Context, verb string, args ...string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	out, err := c.Do(ctx, verb, args...)
	if err != nil {
		return classify(err)
	}
	_, err = a.Out.Write(out)
	return err
}

func classify(err error) error {
	if errors.Is(err, site.ErrUnknownHost) || errors.Is(err, site.ErrUnsupported) {
		return Usage(err)
	}
	return err
}

// HostCommand is a verb that is done to hosts, one after the other.
func (a *App) HostCommand(verb, short string) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " HOST...",
		Short:   short,
		Long:    short + ".\n" + ExitStatus,
		Example: "  " + a.Name + " " + verb + " w1",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return Usage(errors.New("the name of a host is missing"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, host := range args {
				if err := a.do(cmd.Context(), verb, host); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// LinkCommand is a verb that is done to what lies between two hosts or two sites; more are the names of its other arguments.
func (a *App) LinkCommand(verb, short, example string, more ...string) *cobra.Command {
	use := verb + " A B"
	for _, m := range more {
		use += " " + m
	}
	return &cobra.Command{
		Use: use, Short: short, Long: short + ". A and B are hosts, or the sites a and b.\n" + ExitStatus,
		Example: "  " + a.Name + " " + example,
		Args:    Exactly(2 + len(more)),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.do(cmd.Context(), verb, args...) },
	}
}

func (a *App) kubeconfigCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print an admin kubeconfig that works from this computer",
		Long: `Print an admin kubeconfig of the cluster. Its server is the real address of the API server on 127.0.0.1, so a stock
kubectl can use it.
` + ExitStatus,
		Example: "  " + a.Name + " kubeconfig > kubeconfig\n  kubectl --kubeconfig kubeconfig get nodes -o wide",
		Args:    NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.do(cmd.Context(), site.Kubeconfig) },
	}
}

func (a *App) resetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "reset-stats",
		Short: "Set the counters of SSH connections and commands to zero",
		Long:  "Set the counters of SSH connections and commands of all hosts to zero.\n" + ExitStatus,
		Args:  NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.do(cmd.Context(), site.ResetStats) },
	}
}

func (a *App) latencyCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "latency DELAY",
		Short:   "Change the delay between hosts",
		Long:    "Change the delay of everything that goes from one host to another, one way.\n" + ExitStatus,
		Example: "  " + a.Name + " latency 20ms",
		Args:    Exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := time.ParseDuration(args[0])
			if err != nil || d < 0 {
				return Usage(fmt.Errorf("%q is no delay, such as 20ms", args[0]))
			}
			return a.do(cmd.Context(), site.Latency, d.String())
		},
	}
}

func (a *App) arpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "arp add|remove ADDRESS...",
		Short: "Put a foreign machine on an address, or take it away",
		Long: `Put a machine that is none of the ` + a.Noun + `'s on an address: it answers ARP and nothing else, as a printer or a forgotten
server does. It is gone when the server ends.
` + ExitStatus,
		Example: "  " + a.Name + " arp add 10.10.3.50",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || args[0] != "add" && args[0] != "remove" {
				return Usage(errors.New("it is add or remove, and an address"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, text := range args[1:] {
				addr, err := netip.ParseAddr(text)
				if err != nil {
					return Usage(fmt.Errorf("%q is no address, such as 10.10.3.50", text))
				}
				if err := a.do(cmd.Context(), "arp-"+args[0], addr.String()); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
