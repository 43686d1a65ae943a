package blueprint

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/expertflow/cxha/schema"
)

// given is the value that somebody gave a variable: an expression of a file, or the text of an option or of the environment.
type given struct {
	name string
	expr hclsyntax.Expression // nil: text
	text string
	at   hcl.Range
}

// readValues collects the values of variables. A later one replaces an earlier one.
func (l *loader) readValues() {
	l.envValues()
	auto, err := withEnding(l.dir, AutoVarsEnding)
	if err != nil {
		l.report(unreadable(l.dir, err))
	}
	for _, path := range slices.Concat(auto, l.opts.VarFiles) {
		l.fileValues(path)
	}
	for _, arg := range l.opts.Vars {
		l.optionValue(arg)
	}
}

// envPrefix begins the names of environment variables that give values.
const envPrefix = "CXHA_VAR_"

// envValues takes values of declared variables only: the environment is shared with other blueprints.
func (l *loader) envValues() {
	for name := range l.byName["var"] {
		if text, ok := l.env[envPrefix+name]; ok {
			l.values[name] = given{name: name, text: text, at: l.addText(envPrefix+name, name, text)}
		}
	}
}

func (l *loader) optionValue(arg string) {
	name, text, ok := strings.Cut(arg, "=")
	name = strings.TrimSpace(name)
	if !ok {
		l.bp.Sources["--var"] = &hcl.File{Bytes: []byte(arg)}
		l.report(mistake(whole("--var", arg), "Value without a name", "--var takes NAME=VALUE, and %q has no equals sign.", arg))
		return
	}
	g := given{name: name, text: text, at: l.addText("--var "+name, name, text)}
	if l.declared(g, g.at) {
		l.values[name] = g
	}
}

// addText makes a value that stands in no file a source that diagnostics can show, unless it is a secret.
func (l *loader) addText(source, variable, text string) hcl.Range {
	if u := l.byName["var"][variable]; u != nil && u.sensitive() {
		return u.header()
	}
	l.bp.Sources[source] = &hcl.File{Bytes: []byte(text)}
	return whole(source, text)
}

func whole(source, text string) hcl.Range {
	lines := strings.Split(text, "\n")
	end := hcl.Pos{Line: len(lines), Column: len(lines[len(lines)-1]) + 1, Byte: len(text)}
	return hcl.Range{Filename: source, Start: hcl.InitialPos, End: end}
}

func (l *loader) fileValues(path string) {
	path = filepath.Clean(path)
	text, err := os.ReadFile(path)
	if err != nil {
		l.report(unreadable(path, err))
		l.brokenVars = true
		return
	}
	src, diags := parse(text, path)
	l.report(diags...)
	l.bp.Sources[path] = src.file
	l.brokenVars = l.brokenVars || src.torn
	for _, line := range src.broken {
		l.hide("value", words.FindAllString(line, 1))
	}
	for _, b := range src.body.Blocks {
		if !src.nameless(b) {
			l.report(mistake(b.DefRange(), "Block among values", "A file of values has only lines NAME = VALUE. Blocks belong into files *%s.", FileEnding))
		}
	}
	for _, a := range sortedAttrs(src.body) {
		g := given{name: a.Name, expr: a.Expr, at: a.Expr.Range()}
		if l.declared(g, a.NameRange) {
			l.values[a.Name] = g
		}
	}
}

// declared reports a value whose variable the blueprint does not have.
func (l *loader) declared(g given, where hcl.Range) bool {
	if l.byName["var"][g.name] != nil {
		return true
	}
	if l.complete() && !l.hidden["var"][g.name] && !l.mentioned(g.name) {
		names := slices.Sorted(maps.Keys(l.byName["var"]))
		detail := fmt.Sprintf("There is a value for the variable %q, which the blueprint does not declare.", g.name)
		if near := didYouMean(g.name, names, ""); near != "" {
			detail += near
		} else {
			detail += fmt.Sprintf(" Declare it with a block variable %q, or take the value out.", g.name)
		}
		l.report(mistake(where, "Value of an unknown variable", "%s", detail))
		if near := schema.Suggest(g.name, names); near != "" {
			l.hide("value", []string{near})
		}
	}
	return false
}
