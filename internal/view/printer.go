package view

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Options say where and how to print.
type Options struct {
	Stdout, Stderr     io.Writer
	JSON               bool
	ColorOut, ColorErr bool
	Live               bool // stderr is a terminal: progress may be drawn over
	Width              int  // columns

	Now func() time.Time // the clock of the times that are printed; nil: time.Now
}

// Printer prints the results of commands to stdout and everything else to stderr. It is not safe for concurrent use; the
// engine tells it one event at a time.
type Printer struct {
	o       Options
	out     style
	err     style
	run     *runView
	silent  []*silent // of the probe that runs
	drawing bool      // the status line is on the screen
	writes  error     // the first failure to write
}

// New returns a printer.
func New(o Options) *Printer {
	if o.Width <= 0 {
		o.Width = 80
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Printer{o: o, out: style{o.ColorOut}, err: style{o.ColorErr}}
}

// Diagnostics prints every diagnostic with its place and source line.
func (p *Printer) Diagnostics(diags hcl.Diagnostics, files map[string]*hcl.File) {
	if len(diags) == 0 {
		return
	}
	if p.o.JSON {
		for _, d := range sorted(diags) {
			p.json(diagnosticJSON(d))
		}
		return
	}
	var b strings.Builder
	p.keep(hcl.NewDiagnosticTextWriter(&b, files, uint(p.o.Width), true).WriteDiagnostics(sorted(diags)))
	text := b.String()
	if !p.o.ColorErr {
		text = caretLines(text)
	}
	p.notef("%s", text)
}

// sorted returns diagnostics in the order of the files and lines they are about.
func sorted(diags hcl.Diagnostics) hcl.Diagnostics {
	place := func(d *hcl.Diagnostic) hcl.Range {
		if d.Subject == nil {
			return hcl.Range{}
		}
		return *d.Subject
	}
	return slices.SortedStableFunc(slices.Values(diags), func(a, b *hcl.Diagnostic) int {
		x, y := place(a), place(b)
		return cmp.Or(cmp.Compare(x.Filename, y.Filename), cmp.Compare(x.Start.Byte, y.Start.Byte))
	})
}

func (p *Printer) keep(err error) {
	if p.writes == nil {
		p.writes = err
	}
}

// printf writes to stdout.
func (p *Printer) printf(format string, args ...any) {
	_, err := fmt.Fprintf(p.o.Stdout, format, args...)
	p.keep(err)
}

// notef writes to stderr.
func (p *Printer) notef(format string, args ...any) {
	_, err := fmt.Fprintf(p.o.Stderr, format, args...)
	p.keep(err)
}

// SchemaVersion is the version of the form of all JSON that is printed. It grows when a field changes its meaning or goes; fields may be
// added at any time.
const SchemaVersion = 1

// json writes one line to stdout: an object, with the version of its form and the time behind its own fields.
func (p *Printer) json(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		p.keep(err)
		return
	}
	own := bytes.TrimSuffix(b, []byte("}"))
	if len(own) > 1 {
		own = append(own, ',')
	}
	p.printf("%s\"schema\":%d,\"time\":%q}\n", own, SchemaVersion, p.o.Now().UTC().Format(time.RFC3339Nano))
}

// document writes an object whose fields are the user's own.
func (p *Printer) document(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		p.keep(err)
		return
	}
	p.printf("%s\n", b)
}

type diagnosticLine struct {
	Type     string     `json:"type"`
	Severity string     `json:"severity"`
	Summary  string     `json:"summary"`
	Detail   string     `json:"detail"`
	Range    *rangeLine `json:"range,omitempty"`
}

type rangeLine struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func diagnosticJSON(d *hcl.Diagnostic) diagnosticLine {
	l := diagnosticLine{Type: "diagnostic", Severity: "error", Summary: d.Summary, Detail: d.Detail}
	if d.Severity == hcl.DiagWarning {
		l.Severity = "warning"
	}
	if d.Subject != nil {
		l.Range = &rangeLine{File: d.Subject.Filename, Line: d.Subject.Start.Line, Column: d.Subject.Start.Column}
	}
	return l
}

// style colours text where that is wanted. No meaning is carried by colour alone.
type style struct{ on bool }

func (s style) paint(code, text string) string {
	if !s.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(t string) string   { return s.paint("1", t) }
func (s style) dim(t string) string    { return s.paint("2", t) }
func (s style) red(t string) string    { return s.paint("31", t) }
func (s style) green(t string) string  { return s.paint("32", t) }
func (s style) yellow(t string) string { return s.paint("33", t) }
