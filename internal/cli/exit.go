package cli

import (
	"errors"
	"fmt"
)

// Exit codes of every command. They are stable.
const (
	ExitOK          = 0
	ExitFailed      = 1
	ExitChanges     = 2
	ExitInvalid     = 3
	ExitStale       = 4
	ExitPartly      = 5
	ExitInterrupted = 130
)

const exitHelp = `Exit codes:
  0    done, or nothing to do
  1    failed; or a plan that could not see a whole host or the Kubernetes API
  2    changes (only with plan --detailed-exitcode and lock --check)
  3    the blueprint or the command line is not valid; nothing was contacted
  4    the plan file no longer fits the live state; nothing was changed
  5    applied in part: what is left is told, and apply goes on from there
  130  interrupted`

// exitError ends the program with a code. Its error, if there is one, is still to be shown.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func exit(code int) error { return &exitError{code: code} }

func invalid(format string, args ...any) error {
	return &exitError{code: ExitInvalid, err: fmt.Errorf(format, args...)}
}

func exitCode(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &e):
		return e.code
	default:
		return ExitFailed
	}
}
