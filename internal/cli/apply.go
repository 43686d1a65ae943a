package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/internal/view"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

type applyOptions struct {
	blueprintOptions
	outputOptions
	yes      bool
	approve  string
	parallel int
	perHost  int
}

func newApplyCommand(stop *Interrupts, env Env) *cobra.Command {
	var o applyOptions
	cmd := &cobra.Command{
		Use:   "apply [DIRECTORY | PLAN-FILE]",
		Short: "Bring the machines to what the blueprint says",
		Long: `Apply plans, asks, and makes the changes: in parallel where the dependencies allow. A failure stops only what depends on it;
run apply again and it goes on from what is there.

With a PLAN-FILE of 'cxha plan --out', the machines are looked at again: what was reviewed and still fits is done, what is done already is
skipped, and anything else refuses the whole run. Nothing that nobody reviewed is changed.

Removals need --approve-destroy with the digest that the plan prints, also with --yes.
Ctrl-C once finishes what runs and starts nothing new; twice stops at once.`,
		Example: `  cxha apply ./site
  cxha apply ./site --yes
  cxha apply site.plan
  cxha apply ./site --yes --approve-destroy=3f9c2a71`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.dir = blueprintDir(args)
			return runApply(stop, env, o)
		},
	}
	o.blueprintOptions.addFlags(cmd)
	o.outputOptions.addFlags(cmd)
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	cmd.Flags().StringVar(&o.approve, "approve-destroy", "", "approve the removals with this `digest`, which the plan prints")
	cmd.Flags().IntVar(&o.parallel, "parallel", 0, "changes at the same time (default 64)")
	cmd.Flags().IntVar(&o.perHost, "per-host", 0, "changes at the same time on one host (default 4)")
	return cmd
}

func runApply(stop *Interrupts, env Env, o applyOptions) error {
	if o.parallel < 0 || o.perHost < 0 {
		return invalid("apply: --parallel and --per-host take numbers from 1 on")
	}
	info, err := os.Stat(o.dir)
	if err != nil {
		return invalid("%w", err)
	}
	a := &applier{stop: stop, env: env, o: o, printer: o.printer(env)}
	if info.IsDir() {
		return a.blueprint()
	}
	return a.file(o.dir)
}

// applier is one run of cxha apply.
type applier struct {
	stop    *Interrupts
	env     Env
	o       applyOptions
	printer *view.Printer
	site    *site
	lock    runLock
}

// maxRounds bounds how often an apply plans anew because a change of the round before made something visible.
const maxRounds = 4

// blueprint applies a directory. What can be seen only after other changes is planned, shown and asked for in a next round.
func (a *applier) blueprint() error {
	if !a.o.yes && !a.env.StdinTerminal {
		return invalid("apply: nobody can be asked here: stdin is no terminal\nreview a plan with 'cxha plan --out FILE' and apply the file, or add --yes")
	}
	if err := a.open(); err != nil {
		return err
	}
	defer a.close()
	for round := 1; ; round++ {
		planned, err := a.site.plan(a.stop.soft)
		if err != nil {
			return err
		}
		if err := a.show(planned.Plan); err != nil {
			return err
		}
		if planned.Plan.Summary().Total() == 0 {
			return nothingLeft(planned.Plan, round > 1)
		}
		if err := a.confirm(planned.Plan); err != nil {
			return err
		}
		ledger, err := a.apply(planned, nil)
		if err != nil {
			return err
		}
		if !hasDeferred(planned.Plan) || ledger.Interrupted || ledger.Count(engine.Failed) > 0 || round == maxRounds {
			return verdict(ledger)
		}
	}
}

func (a *applier) show(p *plans.Plan) error {
	file, err := planFile(p, "")
	if err != nil {
		return err
	}
	return a.printer.Plan(file, nil)
}

func (a *applier) open() error {
	s, err := load(a.env, a.o.blueprintOptions, a.printer)
	if err != nil {
		return err
	}
	a.site = s
	s.connect(a.printer.Run)
	if err := a.lockHost(); err != nil {
		s.close()
		return err
	}
	return nil
}

// close gives the locks back and ends the connections. That a lock could not be given back is worth a word, not a failure.
func (a *applier) close() {
	if err := a.lock.release(); err != nil {
		a.printer.Note(fmt.Sprintf("the run lock could not be given back, and expires by itself: %v", err))
	}
	a.site.close()
}

// nothingLeft ends a run when nothing is left to do: well, unless something could not be seen. worked tells whether something
// was done before.
func nothingLeft(p *plans.Plan, worked bool) error {
	n := p.Summary().Unknown
	if n == 0 {
		return nil
	}
	code := ExitFailed
	if worked {
		code = ExitPartly
	}
	return &exitError{code: code, err: fmt.Errorf("apply: %d resources could not be seen; nothing else is left to do", n)}
}

func hasDeferred(p *plans.Plan) bool {
	for _, c := range p.Changes {
		if c.Action == plans.Unknown && c.Reason.Code == plans.KnownAfter {
			return true
		}
	}
	return false
}

// file applies a reviewed plan.
func (a *applier) file(name string) error {
	src, err := os.ReadFile(name)
	if err != nil {
		return invalid("plan file: %w", err)
	}
	reviewed, diags := plans.ReadFile(src, name)
	if diags.HasErrors() {
		a.printer.Diagnostics(diags, map[string]*hcl.File{name: {Bytes: src}})
		return exit(ExitInvalid)
	}
	a.o.dir = filepath.Join(filepath.Dir(name), filepath.FromSlash(reviewed.Blueprint))
	if _, err := os.Stat(a.o.dir); err != nil {
		return invalid("plan file %s: its blueprint is not there: %w\nthe blueprint's path in the file is relative to the file: move both together", name, err)
	}
	if err := a.open(); err != nil {
		return err
	}
	defer a.close()
	planned, err := a.site.plan(a.stop.soft)
	if err != nil {
		return err
	}
	check := plans.Check(reviewed, planned.Plan)
	if len(check.Stale) > 0 {
		if err := a.printer.Stale(check.Stale); err != nil {
			return err
		}
		return exit(ExitStale)
	}
	// After a run that was cut off, what is left to be removed is less than what was reviewed and approved.
	if err := a.approveDestroy(plans.ApprovalDigest(planned.Plan), reviewed.ApprovalDigest()); err != nil {
		return err
	}
	only := map[schema.Addr]bool{}
	for _, addr := range check.Run {
		only[addr] = true
	}
	a.printer.Fits(len(check.Run), len(check.Done))
	if len(check.Run) == 0 {
		return nothingLeft(planned.Plan, len(check.Done) > 0)
	}
	ledger, err := a.apply(planned, only)
	if err != nil {
		return err
	}
	return verdict(ledger)
}

func (a *applier) apply(planned *engine.Planned, only map[schema.Addr]bool) (*engine.Ledger, error) {
	if a.lock.lease == nil && planned.Present(inventory(a.site.bp)) {
		if err := a.lockAPI(); err != nil {
			return nil, err
		}
	}
	file := timesFile(a.site.bp.Cluster.Name, a.o.dir)
	known := readTimes(file)
	ledger, err := engine.Apply(a.stop.hard, planned, a.site.session, engine.ApplyOptions{
		Parallel: a.o.parallel, PerHost: a.o.perHost, Only: only, Stop: a.lock.watch(a.stop.soft), Times: known.of,
	})
	if err == nil {
		known.learn(ledger)
		if err := known.save(file); err != nil {
			a.printer.Note(fmt.Sprintf("how long the changes took could not be kept, so the next apply cannot foretell it: %v", err))
		}
	}
	if lost := a.lock.lost(); err == nil && lost != nil && !ledger.Complete() {
		return nil, stoppedWithoutLock(ledger, lost)
	}
	return ledger, err
}

// stoppedWithoutLock is the end of a run that lost its lock: somebody else may be changing the cluster.
func stoppedWithoutLock(l *engine.Ledger, lost error) error {
	code := ExitFailed
	if l.Count(engine.Done) > 0 {
		code = ExitPartly
	}
	return &exitError{code: code, err: fmt.Errorf("apply: %w; nothing new was started since, and what ran was finished\nfind out who else changes this cluster, then apply again", lost)}
}

// inventory is a resource that is there once the API is.
func inventory(bp *blueprint.Blueprint) schema.Addr {
	return schema.Addr{Block: bp.Cluster.Addr, Type: "kube.inventory"}
}

// verdict turns a ledger into the exit code.
func verdict(l *engine.Ledger) error {
	switch {
	case l.Interrupted:
		return exit(ExitInterrupted)
	case l.Complete():
		return nil
	case l.Count(engine.Done) > 0:
		return exit(ExitPartly)
	default:
		return exit(ExitFailed)
	}
}

func (a *applier) confirm(p *plans.Plan) error {
	if err := a.approveDestroy(plans.ApprovalDigest(p)); err != nil {
		return err
	}
	if a.o.yes {
		return nil
	}
	a.printer.Ask("Apply these changes? Only 'yes' is taken as a yes: ")
	answer, err := readLine(a.stop.soft, a.env.Stdin)
	if err != nil {
		return err
	}
	if answer != "yes" {
		return &exitError{code: ExitFailed, err: errors.New("apply: nothing was changed")}
	}
	return nil
}

// approveDestroy refuses to go on unless the removals with this digest were approved, by it or by one of the others that
// stand for more than these.
func (a *applier) approveDestroy(digest string, others ...string) error {
	if digest == "" || digest == a.o.approve || (a.o.approve != "" && slices.Contains(others, a.o.approve)) {
		return nil
	}
	if a.o.approve == "" {
		return &exitError{code: ExitFailed, err: fmt.Errorf("apply: the plan removes something, which needs an approval of its own; nothing was changed\nto approve exactly these removals, add --approve-destroy=%s", digest)}
	}
	return &exitError{code: ExitStale, err: fmt.Errorf("apply: --approve-destroy=%s approves other removals than these; nothing was changed\nlook at the plan again; its removals are approved with --approve-destroy=%s", a.o.approve, digest)}
}

// readLine reads an answer, or ends with the context: reading from a terminal cannot be cut short.
func readLine(ctx context.Context, r io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(r).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil
		}
		got <- result{strings.TrimSpace(line), err}
	}()
	select {
	case res := <-got:
		return res.line, res.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
