package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/site"
)

// Program is what the two programs do not have in common.
type Program struct {
	Name    string // the command's
	Noun    string // what it runs: "sandbox"
	Short   string
	Long    string
	Example string
	// Keep makes down keep the files unless it is told to wipe them; otherwise it removes them unless it is told to keep them.
	Keep bool
	// Clean, if set, ends and frees what a server that was killed left of the directory's processes; down calls it.
	Clean func(ctx context.Context, p site.Paths) error
	// Commands are the program's own verbs: up and serve at least.
	Commands func(a *App) []*cobra.Command
}

// Streams are the program's standard input and outputs.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// App is one call of a program, as its verbs see it.
type App struct {
	Program
	Streams
	dir string
}

// Paths are the places in the directory that the command line names.
func (a *App) Paths() (site.Paths, error) { return site.NewPaths(a.dir) }

// client talks to the server of the directory.
func (a *App) client() (*site.Client, error) {
	p, err := a.Paths()
	if err != nil {
		return nil, err
	}
	return site.NewClient(p), nil
}

// exitCode ends the program without another message: the command on the host has said what there is to say.
type exitCode int

// Error implements error.
func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// UsageError is a mistake on the command line.
type UsageError struct{ error }

// Usage makes an error one of the command line.
func Usage(err error) error { return UsageError{err} }

// Unwrap lets errors.Is see the cause.
func (e UsageError) Unwrap() error { return e.error }

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// ExitStatus ends the long help of every verb.
const ExitStatus = `
Exit status:
  0    done
  1    failed
  2    wrong command line
  130  interrupted`

// Main runs the program with the process' command line and ends the process.
func (p Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(p.run(ctx, os.Args[1:], Streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run executes a command line and returns the exit code.
func (p Program) run(ctx context.Context, args []string, io Streams) int {
	root := p.Root(io)
	root.SetArgs(args)
	root.SetIn(io.In)
	root.SetOut(io.Out)
	root.SetErr(io.Err)
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	case ctx.Err() != nil:
		return exitInterrupted
	}
	if _, err := fmt.Fprintf(io.Err, "%s: %v\n", p.Name, err); err != nil {
		return exitFailed
	}
	if _, usage := errors.AsType[UsageError](err); usage {
		return exitUsage
	}
	return exitFailed
}

// Root is the program's command line.
func (p Program) Root(io Streams) *cobra.Command {
	a := &App{Program: p, Streams: io}
	root := &cobra.Command{
		Use: p.Name, Short: p.Short, Long: p.Long + ExitStatus, Example: p.Example,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return Usage(err) })
	root.PersistentFlags().StringVar(&a.dir, "dir", "."+p.Name, "directory that holds the whole "+p.Noun)
	root.AddCommand(
		a.downCommand(), a.statusCommand(),
		a.HostCommand(site.Kill, "Cut a host's power: everything on it ends at once, its files stay"),
		a.HostCommand(site.Start, "Power a host on: it boots and starts its enabled units"),
		a.HostCommand(site.Cut, "Cut a host's network line; what is under way hangs"),
		a.HostCommand(site.Mend, "Mend a host's network line"),
		a.execCommand(), a.kubectlCommand(), a.kubeconfigCommand(), a.resetCommand(), a.latencyCommand(), a.arpCommand(),
	)
	root.AddCommand(p.Commands(a)...)
	return root
}

// NoArgs is cobra's check with the exit code of a wrong command line.
func NoArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return Usage(err)
	}
	return nil
}

// Exactly is cobra's ExactArgs with the exit code of a wrong command line.
func Exactly(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.ExactArgs(n)(cmd, args); err != nil {
			return Usage(err)
		}
		return nil
	}
}
