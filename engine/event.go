package engine

import (
	"time"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

// Sink receives the events of a probe or a run, one at a time. It must not block for long: work waits for it.
type Sink func(Event)

// Event is something that happened: one of the structs below.
type Event interface{ event() }

// The events of a probe.
type (
	// ProbeStarted begins a probe.
	ProbeStarted struct{ Hosts int }

	// HostProbed tells that a host answered, or why it did not.
	HostProbed struct {
		Host string
		Took time.Duration
		Err  error
	}

	// ProbeEnded ends a probe.
	ProbeEnded struct{}
)

// The events of a run.
type (
	// RunStarted begins a run of so many changes; Estimate is the length of its longest path.
	RunStarted struct {
		Cluster  string
		Total    int
		Estimate time.Duration
	}

	// ChangeStarted tells that a change runs now.
	ChangeStarted struct{ Change plans.Change }

	// ChangeProgress tells what a running change waits for.
	ChangeProgress struct {
		Addr schema.Addr
		Text string
	}

	// ChangeDone tells that a change was made and seen to be there. Remaining is how long the rest may take.
	ChangeDone struct {
		Change    plans.Change
		Took      time.Duration
		Remaining time.Duration
	}

	// ChangeFailed tells that a change failed.
	ChangeFailed struct {
		Change plans.Change
		Took   time.Duration
		Err    error
	}

	// RunEnded ends a run.
	RunEnded struct{ Ledger *Ledger }
)

func (ProbeStarted) event()   {}
func (HostProbed) event()     {}
func (ProbeEnded) event()     {}
func (RunStarted) event()     {}
func (ChangeStarted) event()  {}
func (ChangeProgress) event() {}
func (ChangeDone) event()     {}
func (ChangeFailed) event()   {}
func (RunEnded) event()       {}
