package rke2

import (
	"fmt"
	"strconv"
	"strings"
)

// A unit that ends and is started again by systemd will not get further by itself once it has done so this often, with the same last
// words or with any.
const (
	sameRestarts = 3
	mostRestarts = 10
)

// loop counts how often systemd started a unit again during one wait. RKE2 that waits for something goes on running; one that cannot
// read its configuration ends at once, and its unit stays activating.
type loop struct {
	begun    bool
	first    int // systemd's count when the wait began
	restarts int // and at the last look
	cause    string
	same     int // restarts with this cause
}

// look takes systemd's count of restarts, which old versions do not tell, and the unit's log. The error says what RKE2 said last.
func (l *loop) look(unit, count string, lines []string) error {
	n, err := strconv.Atoi(count)
	if err != nil {
		return nil
	}
	if !l.begun || n < l.restarts { // a start by hand sets the count back
		l.begun, l.first, l.restarts = true, n, n
		return nil
	}
	if n == l.restarts {
		return nil
	}
	more := n - l.restarts
	l.restarts = n
	cause := lastWords(unit, lines)
	if cause != l.cause {
		l.cause, l.same = cause, 0
	}
	if l.same += more; l.same < sameRestarts && n-l.first < mostRestarts {
		return nil
	}
	text := fmt.Sprintf("unit %s ends and is started again and again (%d times by now)", unit, n-l.first)
	if cause != "" {
		text += ": " + cause
	}
	if h, ok := findHint(cause); ok {
		text += "; " + h.text
	}
	return fmt.Errorf("%s", text)
}

// lastWords are the last message of the worst kind that RKE2 wrote; systemd's own lines about the unit do not count.
func lastWords(unit string, lines []string) string {
	last, worst := "", 0
	for _, line := range lines {
		if ofSystemd(unit, line) {
			continue
		}
		if n := severity(line); n >= worst {
			last, worst = message(line), n
		}
	}
	return last
}

func ofSystemd(unit, line string) bool {
	if strings.HasPrefix(line, unit+".service: ") {
		return true
	}
	for _, begin := range []string{"Starting ", "Started ", "Stopping ", "Stopped ", "Failed to start "} {
		if strings.HasPrefix(line, begin) && strings.Contains(line, "Rancher Kubernetes Engine") {
			return true
		}
	}
	return false
}

func severity(line string) int {
	switch {
	case strings.Contains(line, "level=fatal"):
		return 3
	case strings.Contains(line, "level=error"), strings.HasPrefix(line, "Incorrect Usage"):
		return 2
	default:
		return 1
	}
}
