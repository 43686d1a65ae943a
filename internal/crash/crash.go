package crash

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// Report is where users report faults.
const Report = "https://github.com/expertflow/cxha/issues"

// Error is a panic that was caught.
type Error struct {
	Value any    // what the code panicked with
	Stack string // of the goroutine, from the panic on
}

// Error returns one line; Detail has the stack.
func (e *Error) Error() string {
	return fmt.Sprintf("cxha came upon a fault of its own: %v; please report it at %s", e.Value, Report)
}

// Detail returns the stack, for the report. It has function names and places in the source, no values.
func (e *Error) Detail() string { return e.Stack }

// Catch sets err when the function that defers it panics:
//
//	defer crash.Catch(&err)
func Catch(err *error) {
	if v := recover(); v != nil {
		*err = &Error{Value: v, Stack: fromPanic(string(debug.Stack()))}
	}
}

// Call runs f and returns its panic as an error.
func Call(f func() error) (err error) {
	defer Catch(&err)
	return f()
}

// fromPanic drops the frames that only caught the panic.
func fromPanic(stack string) string {
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") && i+2 < len(lines) {
			lines = lines[i+2:]
			break
		}
	}
	for i, line := range lines { // the arguments of calls are addresses, which help nobody
		if open := strings.LastIndex(line, "("); !strings.HasPrefix(line, "\t") && open > 0 && strings.HasSuffix(line, ")") {
			lines[i] = line[:open]
		}
	}
	return strings.Join(lines, "\n")
}
