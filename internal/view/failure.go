package view

import (
	"errors"

	"github.com/expertflow/cxha/engine"
)

// failureText is an error with what the host printed, which the error itself leaves out.
func failureText(err error) string {
	text := err.Error()
	var command *engine.CommandError
	if errors.As(err, &command) {
		if detail := command.Detail(); detail != "" {
			text += "\n" + indent(detail, "| ")
		}
	}
	return printable(text)
}
