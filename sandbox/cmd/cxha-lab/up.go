//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/charts"
	"github.com/expertflow/cxha/sandbox/console"
	"github.com/expertflow/cxha/sandbox/lab"
	"github.com/expertflow/cxha/sandbox/mirror"
	"github.com/expertflow/cxha/sandbox/site"
)

// upOptions are the flags of up and of the server that it launches.
type upOptions struct {
	workers  int
	sites    int
	example  string
	programs string
	bare     bool
	base     string // of serve alone
	timeout  time.Duration
}

func (o *upOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.workers, "workers", 2, "number of workers, by turns in site a and site b")
	cmd.Flags().IntVar(&o.sites, "sites", 2, "number of sites; the lab has two")
	cmd.Flags().StringVar(&o.example, "example", "", "blueprint to copy (default: examples/worker-ha beside the program or above the working directory)")
	cmd.Flags().StringVar(&o.programs, "programs", "", "programs and images of the cluster (default: lab beside this program)")
	cmd.Flags().BoolVar(&o.bare, "bare", false, "hosts only: the release mirror has no programs, so that no cluster can be made")
}

func (o *upOptions) check() error {
	if _, err := site.Layout(o.workers); err != nil {
		return console.Usage(err)
	}
	if o.sites != 2 {
		return console.Usage(fmt.Errorf("%d sites: the lab has two", o.sites))
	}
	return nil
}

// findPrograms is the directory of the programs; empty when the hosts are to be bare, or no programs were built.
func (o *upOptions) findPrograms() (string, error) {
	if o.bare {
		return "", nil
	}
	if o.programs == "" {
		executable, err := os.Executable()
		if err != nil {
			return "", err
		}
		beside := filepath.Join(filepath.Dir(executable), "lab")
		if _, err := os.Stat(filepath.Join(beside, "rke2")); errors.Is(err, os.ErrNotExist) {
			return "", nil
		}
		return beside, nil
	}
	dir, err := filepath.Abs(o.programs)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, "rke2")); err != nil {
		return "", console.Usage(fmt.Errorf("programs: %w; make lab-programs builds them", err))
	}
	return dir, nil
}

func upCommand(a *console.App) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the lab and wait until its hosts answer",
		Long: `Start the lab's server in the background and return when every host's SSH server answers. DIR/blueprint is then a ready copy of the
example blueprint with this lab's addresses and keys, and DIR/ssh/config serves a stock ssh. A directory from an earlier run is used
again. The first up on a machine makes the hosts' base system, which takes minutes.
` + console.ExitStatus,
		Example: "  cxha-lab up --dir /tmp/lab --workers 3",
		Args:    console.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.up(cmd.Context(), a)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait for the hosts")
	unsupported(cmd, "latency", "the machine's kernel would need netem")
	unsupported(cmd, "webhook-delay", "MetalLB's webhook is the real one, and takes the time that it takes")
	return cmd
}

func (o *upOptions) up(ctx context.Context, a *console.App) error {
	example, err := console.FindExample(o.example)
	if err != nil {
		return err
	}
	programs, err := o.findPrograms()
	if err != nil {
		return err
	}
	if o.base, err = lab.EnsureBase(ctx, a.Err); err != nil {
		return err
	}
	if programs == "" && !o.bare {
		if _, err := fmt.Fprintln(a.Err, "The cluster's programs are not built (make lab-programs), so there are hosts only."); err != nil {
			return err
		}
	}
	return a.Up(ctx, console.Launch{Example: example, Timeout: o.timeout, Serve: []string{
		"--workers", strconv.Itoa(o.workers), "--example", example, "--base", o.base, "--programs", programs, "--bare=" + strconv.FormatBool(programs == ""),
	}})
}

// unsupported is a flag that cxha-sandbox has: whoever uses it hears why it is not here.
func unsupported(cmd *cobra.Command, name, why string) {
	cmd.Flags().Func(name, "", func(string) error { return errors.New("the lab has it not: " + why) })
	cmd.Flags().Lookup(name).Hidden = true
}

// serveCommand is the background server; people use up.
func serveCommand(a *console.App) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:    "serve",
		Short:  "Run the lab in the foreground (what up starts in the background)",
		Hidden: true,
		Args:   console.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := errors.Join(o.check(), lab.CheckMachine()); err != nil {
				return err
			}
			p, err := a.Paths()
			if err != nil {
				return err
			}
			config, err := o.config(p)
			if err != nil {
				return err
			}
			return site.Serve(cmd.Context(), p, func(ctx context.Context) (site.World, error) { return lab.Open(ctx, config) })
		},
	}
	o.addFlags(cmd)
	cmd.Flags().StringVar(&o.base, "base", "", "base system")
	return cmd
}

func (o *upOptions) config(p site.Paths) (lab.Config, error) {
	chartSources, err := charts.Handler()
	if err != nil {
		return lab.Config{}, err
	}
	config := lab.Config{Dir: p.Dir, Workers: o.workers, Base: o.base, Example: o.example, Charts: chartSources}
	if o.programs != "" {
		config.Images = filepath.Join(o.programs, "images", "extra")
	}
	config.Mirror, err = mirror.New(mirror.Options{Programs: o.programs, Cache: filepath.Join(lab.CacheDir, "releases")})
	return config, err
}
