package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

type planOptions struct {
	blueprintOptions
	outputOptions
	out          string
	detailedExit bool
	commands     bool
}

func newPlanCommand(stop *Interrupts, env Env) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [DIRECTORY]",
		Short: "Show what differs between the blueprint and the machines",
		Long: `Plan looks at every host of the blueprint (one SSH connection and one command each) and at the Kubernetes API,
and shows what an apply would change. It changes nothing. DIRECTORY holds the blueprint's *.cxha.hcl files; the
default is the working directory.

What could not be seen is shown as unknown. If that is a whole host, or the Kubernetes API, the exit code is 1.

With --out the plan is also written as text that colleagues can review; 'cxha apply FILE' does exactly that.`,
		Example: `  cxha plan ./site
  cxha plan ./site --out site.plan
  cxha plan ./site --detailed-exitcode --json
  cxha plan ./site --commands`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.dir = blueprintDir(args)
			return runPlan(stop, env, o)
		},
	}
	o.blueprintOptions.addFlags(cmd)
	o.outputOptions.addFlags(cmd)
	cmd.Flags().StringVarP(&o.out, "out", "o", "", "write the plan to a `file` for review")
	cmd.Flags().BoolVar(&o.detailedExit, "detailed-exitcode", false, "exit with 2 when the plan has changes, with 1 when it has none but something could not be seen")
	cmd.Flags().BoolVar(&o.commands, "commands", false, "show the commands that each change runs on its host")
	return cmd
}

func runPlan(stop *Interrupts, env Env, o planOptions) error {
	if o.out != "" {
		if err := checkOut(o.out); err != nil {
			return err
		}
	}
	printer := o.printer(env)
	s, err := load(env, o.blueprintOptions, printer)
	if err != nil {
		return err
	}
	s.connect(printer.Probe)
	defer s.close()
	planned, err := s.plan(stop.soft)
	if err != nil {
		return err
	}
	var commands map[string]string
	if o.commands {
		if commands, err = planned.Commands(); err != nil {
			return err
		}
	}
	file, err := planFile(planned.Plan, o.out)
	if err != nil {
		return err
	}
	if err := printer.Plan(file, commands); err != nil {
		return err
	}
	if o.out != "" {
		if err := writePlan(file, o.out); err != nil {
			return err
		}
	}
	if o.detailedExit {
		return detailed(planned.Plan.Summary())
	}
	if whole := notSeen(s, planned.Plan); len(whole) > 0 {
		return &exitError{code: ExitFailed, err: fmt.Errorf("plan: %s could not be seen, so the plan does not tell what is to be done there", strings.Join(whole, " and "))}
	}
	return nil
}

// notSeen names the blueprint's hosts that a plan knows nothing of, and the Kubernetes API if it is up to nobody in the plan to bring it back.
func notSeen(s *site, p *plans.Plan) []string {
	var whole []string
	controlPlane := schema.Addr{Block: s.bp.ControlPlane.Addr, Type: "rke2.service"}
	stays, api := false, plans.Change{}
	ours := map[string]bool{}
	for _, n := range s.bp.Nodes() {
		ours[n.Name] = true
	}
	for _, c := range p.Changes {
		switch {
		case c.Action == plans.Unknown && c.Reason.Code == plans.Unreachable && ours[c.Host] && !slices.Contains(whole, "host "+c.Host):
			whole = append(whole, "host "+c.Host)
		case c.Addr == controlPlane:
			stays = c.Action == plans.NoOp
		case c.Addr == inventory(s.bp):
			api = c
		}
	}
	slices.Sort(whole)
	if api.Action == plans.Unknown && stays {
		whole = append(whole, "the Kubernetes API")
	}
	return whole
}

// detailed tells by the exit code what a plan found. That nothing differs can be said only of what was seen.
func detailed(s plans.Summary) error {
	switch {
	case s.Total() > 0:
		return exit(ExitChanges)
	case s.Unknown > 0:
		return &exitError{code: ExitFailed, err: fmt.Errorf("plan: %d resources could not be seen, so it is not known whether they differ", s.Unknown)}
	default:
		return nil
	}
}

// checkOut refuses a place for the plan file before anything is looked at.
func checkOut(name string) error {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return invalid("plan file %s: it is a directory\nname a file in it", name)
	}
	if _, err := os.Stat(filepath.Dir(name)); err != nil {
		return invalid("plan file %s: %w", name, err)
	}
	return nil
}

// planFile returns a plan as it is shown and written. name is the file it is for; empty: none.
func planFile(p *plans.Plan, name string) (*plans.File, error) {
	dir, err := filepath.Abs(filepath.Dir(name))
	if err != nil {
		return nil, fmt.Errorf("plan file %s: %w", name, err)
	}
	bp, err := filepath.Abs(p.Blueprint)
	if err != nil {
		return nil, fmt.Errorf("blueprint %s: %w", p.Blueprint, err)
	}
	return plans.NewFile(p, plans.FileOptions{Dir: dir, Blueprint: bp})
}

// writePlan puts a plan file in its place in one step.
func writePlan(f *plans.File, name string) error {
	var buf bytes.Buffer
	if err := f.Write(&buf); err != nil {
		return fmt.Errorf("plan file %s: %w", name, err)
	}
	tmp := name + ".new"
	err := os.WriteFile(tmp, buf.Bytes(), 0o644)
	if err == nil {
		err = os.Rename(tmp, name)
	}
	if err != nil {
		if rest := os.Remove(tmp); !errors.Is(rest, fs.ErrNotExist) {
			err = errors.Join(err, rest)
		}
		return fmt.Errorf("plan file: %w", err)
	}
	return nil
}
