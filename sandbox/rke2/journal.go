package rke2

import (
	"fmt"
	"io"
	"time"
)

// journal writes log lines in RKE2's form: time="..." level=info msg="...".
type journal struct {
	out io.Writer
}

func (j journal) infof(format string, args ...any)  { j.line("info", format, args...) }
func (j journal) warnf(format string, args ...any)  { j.line("warning", format, args...) }
func (j journal) errorf(format string, args ...any) { j.line("error", format, args...) }

// fatalf writes the last line of a daemon and returns its exit code.
func (j journal) fatalf(format string, args ...any) int {
	j.line("fatal", format, args...)
	return 1
}

func (j journal) line(level, format string, args ...any) {
	// A journal that cannot be written to has nobody to tell.
	_, _ = fmt.Fprintf(j.out, "time=%q level=%s msg=%q\n", time.Now().UTC().Format(time.RFC3339), level, fmt.Sprintf(format, args...))
}
