package view

import "errors"

// failureText is an error with what the host printed, which the error itself leaves out.
func failureText(err error) string {
	text := err.Error()
	var detailed interface{ Detail() string }
	if errors.As(err, &detailed) {
		if detail := detailed.Detail(); detail != "" {
			text += "\n" + indent(detail, "| ")
		}
	}
	return printable(text)
}
