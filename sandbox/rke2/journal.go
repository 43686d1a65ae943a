package rke2

import (
	"fmt"
	"io"
	"time"
)

// message is an error in RKE2's own words, which cxha and people look for in the journal.
type message string

func messagef(format string, args ...any) error { return message(fmt.Sprintf(format, args...)) }

// Error implements error.
func (m message) Error() string { return string(m) }

// Journal writes log lines in RKE2's form: time="..." level=info msg="...".
type Journal struct {
	Out io.Writer
}

// Infof writes a line of level info.
func (j Journal) Infof(format string, args ...any) { j.line("info", format, args...) }

// Warnf writes a line of level warning.
func (j Journal) Warnf(format string, args ...any) { j.line("warning", format, args...) }

// Errorf writes a line of level error.
func (j Journal) Errorf(format string, args ...any) { j.line("error", format, args...) }

// fatalf writes the last line of a daemon and returns its exit code.
func (j Journal) fatalf(format string, args ...any) int {
	j.line("fatal", format, args...)
	return 1
}

func (j Journal) line(level, format string, args ...any) {
	// A journal that cannot be written to has nobody to tell.
	_, _ = fmt.Fprintf(j.Out, "time=%q level=%s msg=%q\n", time.Now().UTC().Format(time.RFC3339), level, fmt.Sprintf(format, args...))
}
