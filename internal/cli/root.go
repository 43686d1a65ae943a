package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/internal/crash"
)

// Main runs the command line args and returns the exit code.
func Main(args []string, env Env) int {
	stop := newInterrupts(env.Stderr)
	defer stop.close()
	return Run(stop, args, env)
}

// Run is Main with the interrupts of the caller.
func Run(stop *Interrupts, args []string, env Env) int {
	root := newRoot(stop, env)
	root.SetArgs(args)
	err := checkDashes(root, args)
	if err == nil {
		err = crash.Call(func() error { return root.ExecuteContext(stop.hard) })
	}
	var e *exitError
	if err != nil && (!errors.As(err, &e) || e.err != nil) {
		reportError(env, err)
	}
	if stop.soft.Err() != nil && (err != nil || stop.hard.Err() != nil) {
		return ExitInterrupted
	}
	return exitCode(err)
}

func reportError(env Env, err error) {
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	// There is nowhere left to report a failure to write to stderr.
	_, _ = fmt.Fprintf(env.Stderr, "cxha: %v\n", err)
	var fault *crash.Error
	if errors.As(err, &fault) {
		_, _ = fmt.Fprintln(env.Stderr, fault.Detail())
	}
}

func newRoot(stop *Interrupts, env Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "cxha",
		Short: "Build and keep Kubernetes clusters on your own machines",
		Long: `cxha brings machines and an RKE2 cluster to the state that a blueprint describes, and keeps them there.
It looks at the machines as they are: there is no state file.

` + exitHelp,
		Example: `  cxha plan ./site              show what differs between the blueprint and the machines
  cxha plan ./site -o site.plan write the plan to review in a pull request
  cxha apply site.plan          do exactly what was reviewed
  cxha apply ./site             plan, ask, do
  cxha status ./site            nodes, versions, readiness
  cxha kubectl ./site -- get pods -A`,
		SilenceUsage: true, SilenceErrors: true,
		Version: version(),
		Args:    noSuchCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return invalid("%w%s\nrun '%s --help' for its flags", err, flagHint(cmd, err), cmd.CommandPath())
	})
	root.AddCommand(
		newPlanCommand(stop, env), newApplyCommand(stop, env), newShowCommand(env), newStatusCommand(stop, env),
		newGraphCommand(env), newKubeconfigCommand(stop, env), newKubectlCommand(stop, env), newValidateCommand(env), newOutputCommand(env), newLockCommand(stop, env),
	)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	describe(root.Commands())
	return root
}

// describe adds the exit codes to every command's help, and gives a wrong number of arguments the right one of them.
func describe(commands []*cobra.Command) {
	for _, c := range commands {
		if c.Long == "" {
			c.Long = c.Short + "."
		}
		c.Long += "\n\n" + exitHelp
		if args := c.Args; args != nil {
			c.Args = func(cmd *cobra.Command, given []string) error {
				if err := args(cmd, given); err != nil {
					return invalid("%w\nrun '%s --help' for its arguments", err, cmd.CommandPath())
				}
				return nil
			}
		}
		describe(c.Commands())
	}
}

// addFormatFlag adds --format with its values, which completion knows. The first one is the default.
func addFormatFlag(cmd *cobra.Command, to *string, values ...string) {
	last := len(values) - 1
	cmd.Flags().StringVar(to, "format", values[0], fmt.Sprintf("`form` of the output: %s or %s", strings.Join(values[:last], ", "), values[last]))
	if err := cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(fmt.Sprintf("flag format: %v; this is a bug in cxha", err))
	}
}

func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if advice := foreignCommands[args[0]]; advice != "" {
		hint = "\n" + advice
	} else if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("\ndid you mean %s?", strings.Join(near, " or "))
	}
	return invalid("unknown command %q%s\nrun 'cxha --help' for the commands", args[0], hint)
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
