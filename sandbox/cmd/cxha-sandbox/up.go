package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/charts"
	"github.com/expertflow/cxha/sandbox/console"
	"github.com/expertflow/cxha/sandbox/machine"
	"github.com/expertflow/cxha/sandbox/mirror"
	"github.com/expertflow/cxha/sandbox/rke2/virtualhost"
	"github.com/expertflow/cxha/sandbox/site"
	"github.com/expertflow/cxha/sandbox/virtual"
)

// upOptions are the flags of up and of the server that it launches.
type upOptions struct {
	workers int
	latency time.Duration
	example string
	timeout time.Duration
	webhook time.Duration
}

func (o *upOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.workers, "workers", 2, "number of workers, by turns in site a and site b")
	cmd.Flags().DurationVar(&o.latency, "latency", 0, "delay of everything that goes from one host to another, one way")
	cmd.Flags().DurationVar(&o.webhook, "webhook-delay", time.Second, "how long MetalLB's webhook refuses after its pod has become ready")
	cmd.Flags().StringVar(&o.example, "example", "", "blueprint to copy (default: examples/worker-ha beside the program or above the working directory)")
}

func (o *upOptions) check() error {
	if _, err := site.Layout(o.workers); err != nil {
		return console.Usage(err)
	}
	if o.webhook < 0 {
		return console.Usage(fmt.Errorf("webhook delay %s: a delay cannot be negative", o.webhook))
	}
	if o.latency < 0 {
		return console.Usage(fmt.Errorf("latency %s: a delay cannot be negative", o.latency))
	}
	return nil
}

func upCommand(a *console.App) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the sandbox and wait until its hosts answer",
		Long: `Start the sandbox's server in the background and return when every host's SSH server answers. DIR/blueprint is then a
ready copy of the example blueprint with this sandbox's addresses and keys, and DIR/ssh/config serves a stock ssh. A
directory from an earlier run ("down --keep", or a server that was killed) is used again.
` + console.ExitStatus,
		Example: "  cxha-sandbox up --dir /tmp/sbx --workers 3 --latency 5ms",
		Args:    console.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			example, err := console.FindExample(o.example)
			if err != nil {
				return err
			}
			return a.Up(cmd.Context(), console.Launch{Example: example, Timeout: o.timeout, Serve: []string{
				"--workers", strconv.Itoa(o.workers), "--latency", o.latency.String(), "--webhook-delay", o.webhook.String(), "--example", example,
			}})
		},
	}
	o.addFlags(cmd)
	cmd.Flags().DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait for the hosts")
	return cmd
}

// serveCommand is the background server; people use up.
func serveCommand(a *console.App) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:    "serve",
		Short:  "Run the sandbox in the foreground (what up starts in the background)",
		Hidden: true,
		Args:   console.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			p, err := a.Paths()
			if err != nil {
				return err
			}
			chartSources, err := charts.Handler()
			if err != nil {
				return err
			}
			exports := machine.NewExports(p.Exports(), site.ExportName)
			cluster := virtualhost.Options{WebhookDelay: o.webhook, Provision: exports.Provision}
			config := virtual.Config{
				Dir: p.Dir, Workers: o.workers, Latency: o.latency, Example: o.example,
				Programs: map[string]machine.Program{virtualhost.ProgramName: cluster.Program},
				Mirror:   mirror.Handler(), Charts: chartSources, Exports: exports, Kubeconfig: virtualhost.AdminKubeconfig,
			}
			return site.Serve(cmd.Context(), p, func(ctx context.Context) (site.World, error) { return virtual.Open(ctx, config) })
		},
	}
	o.addFlags(cmd)
	return cmd
}
