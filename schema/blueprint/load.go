package blueprint

import (
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/expertflow/cxha/schema"
)

// LoadOptions say where values of variables come from. A later source wins over an earlier one: the variable's default, Env,
// the files *.auto.cxhavars of the blueprint in the order of their names, VarFiles, Vars.
type LoadOptions struct {
	Vars     []string // NAME=VALUE, from --var, in order
	VarFiles []string // paths, from --var-file, in order
	Env      []string // the environment in the form of os.Environ: CXHA_VAR_NAME=VALUE, HOME, and what env() may read
	Relock   bool     // the lock file is about to be written anew: mistakes in it are warnings, and it may differ from the blueprint
}

// Load reads the blueprint in dir. The blueprint is never nil and its Sources are always filled; the rest of it can be used
// only if the diagnostics have no errors. All mistakes in all files are reported, each once, in the order of the files.
func Load(dir string, opts LoadOptions) (*Blueprint, hcl.Diagnostics) {
	l := newLoader(dir, opts)
	if l.read() {
		l.collect()
		l.readValues()
		l.checkReferences()
		l.evaluate()
		l.readLock()
		l.build()
		l.check()
	}
	return l.bp, tidy(l.diags)
}

// loader is one run of Load.
type loader struct {
	dir    string
	env    environment
	opts   LoadOptions
	bp     *Blueprint
	diags  hcl.Diagnostics
	shapes []schema.Shape
	files  []*source

	units   []*unit                             // in source order
	byName  map[string]map[string]*unit         // by the word that references begin with, and name
	hidden  map[string]map[string]bool          // names that a mistake elsewhere keeps from being declared: references to them are no mistakes
	missing map[string]*undeclared              // by reference
	given   map[*hclsyntax.Body]map[string]bool // names of attributes and blocks that a body has, right or misspelt
	values  map[string]given                    // of variables
	funcs   map[string]function.Function
	cluster *section  // nil: there is none
	config  cty.Value // the cluster's config

	nodes     []*built
	releases  []*builtRelease
	balancers []*builtBalancer
	ingresses []*builtIngress
	storages  []*builtStorage

	torn       bool // a syntax error may have swallowed whole blocks
	unknown    bool // there are blocks whose type is not known
	brokenVars bool // a file of values has syntax errors
}

func newLoader(dir string, opts LoadOptions) *loader {
	l := &loader{
		dir:     dir,
		env:     newEnvironment(opts.Env),
		opts:    opts,
		bp:      &Blueprint{Dir: dir, Sources: map[string]*hcl.File{}},
		shapes:  schema.Shapes(),
		byName:  map[string]map[string]*unit{},
		hidden:  map[string]map[string]bool{},
		missing: map[string]*undeclared{},
		given:   map[*hclsyntax.Body]map[string]bool{},
		values:  map[string]given{},
	}
	l.funcs = functions(dir, l.env)
	return l
}

func (l *loader) shape(typ string) (*schema.Shape, bool) {
	i := slices.IndexFunc(l.shapes, func(s schema.Shape) bool { return s.Type == typ })
	if i < 0 {
		return nil, false
	}
	return &l.shapes[i], true
}

func (l *loader) report(diags ...*hcl.Diagnostic) { l.diags = append(l.diags, diags...) }

// complete reports whether every block of the files was seen, so that the absence of one is a mistake of its own.
func (l *loader) complete() bool { return !l.torn && !l.unknown }

// tidy sorts diagnostics by place and leaves out repetitions, which blocks with for_each make.
func tidy(diags hcl.Diagnostics) hcl.Diagnostics {
	type identity struct {
		summary, detail string
		at              hcl.Range
	}
	seen := map[identity]bool{}
	var out hcl.Diagnostics
	for _, d := range diags {
		id := identity{summary: d.Summary, detail: d.Detail, at: place(d)}
		if !seen[id] {
			seen[id] = true
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b *hcl.Diagnostic) int {
		p, q := place(a), place(b)
		return cmp.Or(cmp.Compare(p.Filename, q.Filename), cmp.Compare(p.Start.Byte, q.Start.Byte))
	})
	return out
}

func place(d *hcl.Diagnostic) hcl.Range {
	if d.Subject == nil {
		return hcl.Range{}
	}
	return *d.Subject
}
