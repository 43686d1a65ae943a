package engine

import (
	"fmt"
	"strings"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// CommandError is a change that failed on its host: what ran, what the host printed, and why it is a failure.
type CommandError struct {
	Host   string
	Addr   schema.Addr
	Script string // secrets hidden; empty when the wait after the commands failed
	Reply  providers.Reply
	Cause  error // nil: the exit code says it
}

// Error returns one line; Detail has the rest.
func (e *CommandError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("host %s: %s: %v", e.Host, e.Addr, e.Cause)
	}
	return fmt.Sprintf("host %s: %s: exit code %d: %s", e.Host, e.Addr, e.Reply.Exit, tail(e.Reply.Stderr, 2))
}

// Unwrap returns the cause.
func (e *CommandError) Unwrap() error { return e.Cause }

// Detail returns what the host printed, for people.
func (e *CommandError) Detail() string {
	return strings.TrimSpace(e.Reply.Stdout + e.Reply.Stderr)
}
