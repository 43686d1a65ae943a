package helm

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// changeError is a change of a release that failed. What it says holds no secret values.
type changeError struct {
	place place
	err   error
	masks masks
}

func (e *changeError) Error() string {
	text := e.err.Error()
	var notReady *notReadyError
	if errors.As(e.err, &notReady) {
		text = notReady.Error() // without Helm's words around it
	}
	if strings.Contains(text, "exists and cannot be imported into the current release") {
		text += "\nanother release or tool made that object: remove it there, or let the release make one of another name"
	}
	return fmt.Sprintf("release %s in namespace %s: %s", e.place.name, e.place.namespace, e.masks.text(text))
}

func (e *changeError) Unwrap() error { return e.err }

// limitError means that the block's timeout is over.
type limitError struct{ limit time.Duration }

func (e *limitError) Error() string { return fmt.Sprintf("not done after %s", e.limit) }

// notReadyError says which objects of a release did not become ready, or did not go, and why.
type notReadyError struct {
	what    string   // what was waited for
	reasons []string // one for each object
	err     error    // how the wait ended
}

func (e *notReadyError) Error() string {
	return fmt.Sprintf("%s: %v\n  %s", e.what, brief(e.err), strings.Join(e.reasons, "\n  "))
}

func (e *notReadyError) Unwrap() error { return e.err }

// brief is the limit that ended a wait, or the error itself.
func brief(err error) error {
	var limit *limitError
	if errors.As(err, &limit) {
		return limit
	}
	return err
}
