package machine

import (
	"context"
	"errors"
	"io"
)

// ErrStopped is the cause of a cancelled context when a unit is stopped or a command is interrupted: end in an orderly way.
var ErrStopped = errors.New("stopped")

// ErrPowerOff is the cause of a cancelled context when the machine loses its power: child processes must be killed
// (SIGKILL), nothing is flushed and nothing is cleaned.
var ErrPowerOff = errors.New("power is off")

// Program is something that a unit's ExecStart or a shell command runs, implemented in Go. It is found by the first
// line of the file that is executed: "#!cxha-sandbox NAME" runs Programs["NAME"]. Its result is the exit code.
//
// The context is cancelled with context.Cause ErrStopped (end in an orderly way) or ErrPowerOff (power cut).
type Program func(ctx context.Context, p *Process) int

// Process is what a Program is started with.
type Process struct {
	Machine *Machine
	Args    []string          // argv, Args[0] is the path inside the host
	Env     map[string]string // the whole environment
	Dir     string            // the working directory inside the host
	Cred    Cred              // the user that runs it
	Stdin   io.Reader         // never nil
	// Stdout and Stderr are never nil; for units both go to the unit's journal.
	Stdout, Stderr io.Writer
	// Notify is sd_notify(READY=1); it does nothing when the process is not run by a unit of Type=notify. Never nil.
	Notify func()

	life context.Context // the machine's power
}
