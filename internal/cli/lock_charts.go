package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/internal/view"
	"github.com/expertflow/cxha/providers/helm"
	"github.com/expertflow/cxha/schema/blueprint"
)

type lockOptions struct {
	blueprintOptions
	outputOptions
	check         bool
	acceptChanged bool
}

func newLockCommand(stop *Interrupts, env Env) *cobra.Command {
	var o lockOptions
	cmd := &cobra.Command{
		Use:   "lock [DIRECTORY]",
		Short: "Record the digests of the blueprint's charts",
		Long: `Lock looks up every chart of the blueprint where it comes from and writes ` + blueprint.LockFile + ` beside the blueprint: the version of
RKE2, and the version and digest of every chart. A plan refuses a chart that is not in the file or has other bytes, so that a
reviewed plan means the same bytes next month. The versions are those of the blueprint; only digests are looked up. No host is contacted.
The charts are kept in the user's cache directory, and plans and applies need no network for them then. With the charts at hand, lock
also warns of values that a chart does not know, and of those that its schema refuses.

A chart whose digest changed while its version did not is an error, unless --accept-changed says that the change is wanted. With --check
nothing is written, and the command exits with 2 where it would write another file.`,
		Example: `  cxha lock ./site
  cxha lock ./site --check
  cxha lock ./site --accept-changed`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			o.dir = blueprintDir(args)
			return runLockCharts(stop, env, o)
		},
	}
	o.blueprintOptions.addFlags(cmd)
	o.outputOptions.addFlags(cmd)
	cmd.Flags().BoolVar(&o.check, "check", false, "write nothing; exit with 2 when the file would change")
	cmd.Flags().BoolVar(&o.acceptChanged, "accept-changed", false, "accept that a chart has another digest under the same version")
	return cmd
}

func runLockCharts(stop *Interrupts, env Env, o lockOptions) error {
	printer := o.printer(env)
	if err := checkBlueprintDir(o.dir); err != nil {
		return err
	}
	bp, diags := blueprint.Load(o.dir, blueprint.LoadOptions{Vars: o.vars, VarFiles: o.varFiles, Env: env.Environ, Relock: true})
	printer.Diagnostics(diags, bp.Sources)
	if diags.HasErrors() {
		return exit(ExitInvalid)
	}
	charts := helm.NewCharts(helm.ChartOptions{})
	lock, err := charts.Resolve(stop.soft, bp, printer.Resolving)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	notes, err := charts.Review(stop.soft, bp, lock)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	changes := helm.LockChanges(bp.Lock, lock)
	if err := refuseRewritten(changes, o.acceptChanged); err != nil {
		return err
	}
	differs, err := writeLock(lock, o)
	if err != nil {
		return err
	}
	if err := printer.Lock(view.Lock{File: lock.Path, Differs: differs, Written: differs && !o.check, Changes: changes, Notes: notes}); err != nil {
		return err
	}
	if o.check && differs {
		return exit(ExitChanges)
	}
	return nil
}

func refuseRewritten(changes []helm.LockChange, accept bool) error {
	var errs []error
	for _, c := range changes {
		if c.Rewritten && !accept {
			errs = append(errs, fmt.Errorf("%s: it is %s now, and %s has %s", c, c.NewDigest, blueprint.LockFile, c.OldDigest))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("lock: %w\nsomebody changed what was agreed on without giving it another version; if that is wanted, add --accept-changed", errors.Join(errs...))
}

// writeLock writes the lock file where its text differs from what is there, and reports whether it does.
func writeLock(lock blueprint.Lock, o lockOptions) (differs bool, err error) {
	text := blueprint.FormatLock(lock, o.dir)
	old, err := os.ReadFile(lock.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("lock file: %w", err)
	}
	if err == nil && bytes.Equal(old, text) {
		return false, nil
	}
	if o.check {
		return true, nil
	}
	tmp := lock.Path + ".new"
	if err := os.WriteFile(tmp, text, 0o644); err != nil {
		return true, fmt.Errorf("lock file: %w", err)
	}
	if err := os.Rename(tmp, lock.Path); err != nil {
		return true, fmt.Errorf("lock file: %w", errors.Join(err, os.Remove(tmp)))
	}
	return true, nil
}

// checkBlueprintDir refuses what is no directory.
func checkBlueprintDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return invalid("blueprint %s: %w", dir, err)
	case !info.IsDir():
		return invalid("blueprint %s: it is a file, and a blueprint is a directory of *.cxha.hcl files", dir)
	}
	return nil
}
