package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/charts"
	"github.com/expertflow/cxha/sandbox/machine"
	"github.com/expertflow/cxha/sandbox/mirror"
	"github.com/expertflow/cxha/sandbox/rke2"
	"github.com/expertflow/cxha/sandbox/site"
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
		return usageError{err}
	}
	if o.webhook < 0 {
		return usageError{fmt.Errorf("webhook delay %s: a delay cannot be negative", o.webhook)}
	}
	if o.latency < 0 {
		return usageError{fmt.Errorf("latency %s: a delay cannot be negative", o.latency)}
	}
	return nil
}

func newUpCommand(paths func() (site.Paths, error)) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the sandbox and wait until its hosts answer",
		Long: `Start the sandbox's server in the background and return when every host's SSH server answers. DIR/blueprint is then a
ready copy of the example blueprint with this sandbox's addresses and keys, and DIR/ssh/config serves a stock ssh. A
directory from an earlier run ("down --keep", or a server that was killed) is used again.
` + exitStatus,
		Example: "  cxha-sandbox up --dir /tmp/sbx --workers 3 --latency 5ms",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := paths()
			if err != nil {
				return err
			}
			return runUp(cmd, p, o)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long to wait for the hosts")
	return cmd
}

func runUp(cmd *cobra.Command, p site.Paths, o upOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := o.findExample(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
	defer cancel()
	status, started, err := site.Up(ctx, p, func() (<-chan struct{}, error) { return launch(p, o) })
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if !started {
		_, err := fmt.Fprintf(out, "The sandbox in %s is up already (%d hosts); down ends it.\n", p.Dir, len(status.Hosts)-1)
		return err
	}
	text := fmt.Sprintf("The sandbox in %s is up: %d hosts behind the bastion at 127.0.0.1:%d.\n", p.Dir, len(status.Hosts)-1, status.BastionPort)
	if o.example == "" {
		text += "No examples/worker-ha was found, so the blueprint directory has only the variables; --example names one.\n"
	} else {
		text += fmt.Sprintf("\n  cxha plan %s\n", p.Blueprint())
	}
	_, err = io.WriteString(out, text)
	return err
}

// findExample makes the example's path absolute, or finds the default one; none is no error.
func (o *upOptions) findExample() error {
	if o.example != "" {
		info, err := os.Stat(o.example)
		if err != nil {
			return usageError{fmt.Errorf("example: %w", err)}
		}
		if !info.IsDir() {
			return usageError{fmt.Errorf("example %s is not a directory", o.example)}
		}
		return nil
	}
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	o.example = site.FindExample(executable, dir)
	return nil
}

// launch starts this program again as the server, in a session of its own so that no terminal's signal reaches it.
func launch(p site.Paths, o upOptions) (<-chan struct{}, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(p.Log())
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(executable, "serve", "--dir", p.Dir, "--workers", strconv.Itoa(o.workers),
		"--latency", o.latency.String(), "--webhook-delay", o.webhook.String(), "--example", o.example)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, log.Close())
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := cmd.Wait(); err != nil {
			return // the log has said why
		}
	}()
	return ended, log.Close()
}

// newServeCommand is the background server; people use up.
func newServeCommand(paths func() (site.Paths, error)) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:    "serve",
		Short:  "Run the sandbox in the foreground (what up starts in the background)",
		Hidden: true,
		Args:   noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := paths()
			if err != nil {
				return err
			}
			if err := o.check(); err != nil {
				return err
			}
			chartSources, err := charts.Handler()
			if err != nil {
				return err
			}
			exports := machine.NewExports(p.Exports(), site.ExportName)
			cluster := rke2.Options{WebhookDelay: o.webhook, Provision: exports.Provision}
			return site.Serve(cmd.Context(), site.Config{
				Dir: p.Dir, Workers: o.workers, Latency: o.latency, Example: o.example,
				Programs: map[string]machine.Program{rke2.ProgramName: cluster.Program},
				Mirror:   mirror.Handler(), Charts: chartSources, Exports: exports, Kubeconfig: rke2.AdminKubeconfig,
			})
		},
	}
	o.addFlags(cmd)
	return cmd
}
