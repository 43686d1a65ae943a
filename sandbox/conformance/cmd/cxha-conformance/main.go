package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/sandbox/conformance"
)

// Exit codes.
const (
	exitSame        = 0
	exitDiffers     = 1 // or the suite could not run
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if ctx.Err() != nil {
		code = exitInterrupted
	}
	os.Exit(code)
}

const usage = `usage: cxha-conformance [--json] [--keep] INVENTORY

It installs RKE2 on the machines of the inventory, looks whether RKE2 does what cxha relies on (sandbox/CONTRACT.md), and removes it.
The machines must have neither RKE2 nor /etc/rancher, and SSH reaches them as cxha does. It takes some minutes.

  --json  print one JSON document instead of a table
  --keep  leave RKE2 on the machines when a check differs, for somebody who looks at them

Exit status: 0 everything is the same, 1 something differs or the suite could not run, 2 wrong command line or inventory,
130 interrupted: what was installed is removed first; a second Ctrl-C leaves it.
`

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("cxha-conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "%s\nAn inventory, such as inventory.hcl:\n\n%s", usage, conformance.Example)
	}
	asJSON := flags.Bool("json", false, "print JSON")
	keep := flags.Bool("keep", false, "keep RKE2 when something differs")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitSame
	} else if err != nil {
		return exitUsage
	}
	if flags.NArg() != 1 || flags.Arg(0) == "" {
		flags.Usage()
		return exitUsage
	}
	name, err := filepath.Abs(flags.Arg(0))
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	inv, src, diags := conformance.ReadInventory(name)
	if len(diags) > 0 {
		files := map[string]*hcl.File{name: {Bytes: src}}
		if err := hcl.NewDiagnosticTextWriter(stderr, files, 120, false).WriteDiagnostics(diags); err != nil {
			fmt.Fprintln(stderr, err)
		}
		if diags.HasErrors() {
			return exitUsage
		}
	}
	s := &session{inv: inv, json: *asJSON, keep: *keep, stdout: stdout, stderr: stderr}
	differs, err := s.run(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "cxha-conformance: %v\n", err)
	}
	if err != nil || differs {
		return exitDiffers
	}
	return exitSame
}

// session is one run of the suite.
type session struct {
	inv            *conformance.Inventory
	json, keep     bool
	stdout, stderr io.Writer
}

// cleanLimit bounds the removal of RKE2 at the end, also after Ctrl-C.
const cleanLimit = 5 * time.Minute

func (s *session) run(ctx context.Context) (differs bool, err error) {
	connector := remote.NewConnector(remote.Options{})
	defer func() { err = errors.Join(err, connector.Close()) }()
	w, err := conformance.Connect(ctx, s.inv, conformance.Options{Connector: connector, Logf: s.logf})
	if err != nil {
		return false, err
	}
	var results []conformance.Result
	var writeErr error
	checks := conformance.Checks()
	if s.keep {
		keepInstalled(checks, func() bool { return conformance.CountOf(results).Differs > 0 })
	}
	runErr := conformance.Run(ctx, w, checks, func(r conformance.Result) {
		results = append(results, r)
		if !s.json {
			writeErr = errors.Join(writeErr, conformance.WriteResult(s.stdout, r))
		}
	})
	differs = conformance.CountOf(results).Differs > 0
	if s.json {
		writeErr = conformance.WriteJSON(s.stdout, s.inv.Version, results)
	} else {
		writeErr = errors.Join(writeErr, conformance.WriteSummary(s.stdout, s.inv.Version, results))
	}
	var cleanErr error
	if !s.keep || !differs {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
		defer cancel()
		cleanErr = w.Clean(clean)
	}
	return differs, errors.Join(runErr, writeErr, cleanErr)
}

// keepInstalled makes the checks that remove RKE2 skip themselves once something differs.
func keepInstalled(checks []conformance.Check, differs func() bool) {
	for i, c := range checks {
		if !strings.HasPrefix(c.ID, "C-OFF-") {
			continue
		}
		checks[i].Run = func(ctx context.Context, w *conformance.World) error {
			if differs() {
				return &conformance.Skip{Why: "--keep, and something differs"}
			}
			return c.Run(ctx, w)
		}
	}
}

func (s *session) logf(format string, args ...any) {
	fmt.Fprintf(s.stderr, format+"\n", args...)
}
