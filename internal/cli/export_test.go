package cli

import (
	"time"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/plans"
)

// Times is for tests.
type Times struct{ t *times }

// ReadTimes is for tests.
func ReadTimes(file string) Times { return Times{readTimes(file)} }

// DecodeTimes is for tests.
func DecodeTimes(text []byte) Times { return Times{decodeTimes(text)} }

// Of is for tests.
func (t Times) Of(c plans.Change) (time.Duration, bool) { return t.t.of(c) }

// Learn is for tests.
func (t Times) Learn(l *engine.Ledger) { t.t.learn(l) }

// Save is for tests.
func (t Times) Save(file string) error { return t.t.save(file) }
