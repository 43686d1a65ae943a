package cli

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/view"
	"github.com/expertflow/cxha/providers/all"
	"github.com/expertflow/cxha/schema/blueprint"
)

// blueprintOptions say which blueprint is meant and what its variables are.
type blueprintOptions struct {
	dir      string
	vars     []string
	varFiles []string
}

func (o *blueprintOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&o.vars, "var", nil, "set a variable: `name=value` (may be repeated)")
	cmd.Flags().StringArrayVar(&o.varFiles, "var-file", nil, "read variables from a `file` (may be repeated; the last one wins)")
}

// blueprintDir returns the directory that the arguments name, the working directory without any.
func blueprintDir(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

// outputOptions say how results are shown.
type outputOptions struct {
	json    bool
	noColor bool
}

func (o *outputOptions) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON lines instead of text")
	o.addColorFlag(cmd)
}

func (o *outputOptions) addColorFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.noColor, "no-color", false, "no colours (so does the variable NO_COLOR)")
}

func (o *outputOptions) printer(env Env) *view.Printer {
	plain := o.noColor || env.Getenv("NO_COLOR") != ""
	return view.New(view.Options{
		Stdout: env.Stdout, Stderr: env.Stderr, JSON: o.json, Width: env.Width,
		ColorOut: env.StdoutTerminal && !plain, ColorErr: env.StderrTerminal && !plain, Live: env.StderrTerminal,
	})
}

// site is a blueprint with what is needed to look at and change the machines it describes.
type site struct {
	told      []string // warnings of plans that were given
	bp        *blueprint.Blueprint
	model     *engine.Model
	providers *all.Set
	session   *engine.Session
	printer   *view.Printer
	remote    *remote.Connector
}

// load reads and compiles the blueprint. Mistakes in it are shown, all of them.
func load(env Env, o blueprintOptions, p *view.Printer) (*site, error) {
	info, err := os.Stat(o.dir)
	if err != nil {
		return nil, invalid("blueprint %s: %w", o.dir, err)
	}
	if !info.IsDir() {
		return nil, invalid("blueprint %[1]s: it is a file, and a blueprint is a directory of *.cxha.hcl files\na plan file is shown by 'cxha show %[1]s' and applied by 'cxha apply %[1]s'", o.dir)
	}
	bp, diags := blueprint.Load(o.dir, blueprint.LoadOptions{Vars: o.vars, VarFiles: o.varFiles, Env: env.Environ})
	s := &site{bp: bp, printer: p}
	if diags.HasErrors() {
		return nil, s.refuse(diags)
	}
	set, err := all.New()
	if err != nil {
		return nil, err
	}
	s.providers = set
	model, more := engine.Compile(bp, set.Registry)
	diags = append(diags, more...)
	if diags.HasErrors() {
		return nil, s.refuse(diags)
	}
	s.model = model
	p.Diagnostics(diags, bp.Sources)
	return s, nil
}

// connect prepares the session; connections are opened when they are needed.
func (s *site) connect(sink engine.Sink) {
	s.remote = remote.NewConnector(remote.Options{})
	s.session = engine.NewSession(s.remote, s.model.Hosts, sink)
}

// untold leaves out the warnings that a plan before this one of the same run gave.
func (s *site) untold(diags hcl.Diagnostics) hcl.Diagnostics {
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
		told := slices.Contains(s.told, d.Detail)
		if d.Severity == hcl.DiagWarning && !told {
			s.told = append(s.told, d.Detail)
		}
		return d.Severity == hcl.DiagWarning && told
	})
}

// warn prints what the connections found worth a warning since the last time.
func (s *site) warn() {
	for _, w := range s.remote.Warnings() {
		s.printer.Diagnostics(hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "Lines of known_hosts cannot be used", Detail: w}}, s.bp.Sources)
	}
}

func (s *site) close() {
	s.warn()
	s.session.Close()
	// Nothing is left to be said to the hosts; what becomes of the connections does not matter any more.
	_ = s.remote.Close()
}

// plan probes and compares.
func (s *site) plan(ctx context.Context) (*engine.Planned, error) {
	snap, err := engine.Probe(ctx, s.model, s.session)
	s.warn()
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	planned, diags := engine.Plan(s.model, snap)
	s.printer.Diagnostics(s.untold(diags), s.bp.Sources)
	if diags.HasErrors() {
		return nil, exit(ExitFailed)
	}
	return planned, nil
}

func (s *site) refuse(diags hcl.Diagnostics) error {
	s.printer.Diagnostics(diags, s.bp.Sources)
	return exit(ExitInvalid)
}
