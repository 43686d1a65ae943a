package rke2

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
)

// startLimit is how long RKE2 may take to start: a first start downloads images (domain.md §9.1).
const startLimit = 15 * time.Minute

// fatalRepeats is how often a message that tells of a lasting fault must come anew until the wait is given up: RKE2 itself
// goes on trying, and its unit stays activating.
const fatalRepeats = 3

// logLines are how many lines of the unit's log each look takes.
const logLines = 30

// Await polls the unit until it is active.
func (service) Await(c plans.Change) providers.Await {
	unit := word(c.After, "unit")
	w := &watch{unit: unit}
	return providers.Await{
		Question: fmt.Sprintf("systemctl show -p ActiveState,SubState,Result,NRestarts %[1]s.service\necho log:\njournalctl -u %[1]s.service -n %d -o cat --no-pager 2>/dev/null || :\n", unit, logLines),
		Every:    500 * time.Millisecond,
		Limit:    startLimit,
		Done:     w.done,
		OnLimit:  fmt.Sprintf("journalctl -u %s.service -n 20 -o cat --no-pager\n", unit),
	}
}

// watch is one wait: what of the log it has seen, how often it saw a message anew that tells of a lasting fault, and how often systemd
// started the unit again.
type watch struct {
	unit   string
	begun  bool
	log    []string
	faults map[string]int
	loop   loop
}

func (w *watch) done(reply providers.Reply) (done bool, missing string, err error) {
	state, log, ok := strings.Cut(reply.Stdout, "log:\n")
	if reply.Exit != 0 || !ok {
		return false, "", fmt.Errorf("unit %s: its state cannot be seen: exit code %d, %s", w.unit, reply.Exit, strings.TrimSpace(reply.Stderr))
	}
	said, err := answer.Map(state)
	if err != nil {
		return false, "", fmt.Errorf("unit %s: %w", w.unit, err)
	}
	lines := logLinesOf(log)
	if f := w.fault(lines); f != nil {
		return false, "", f
	}
	if l := w.loop.look(w.unit, said["NRestarts"], lines); l != nil {
		return false, "", l
	}
	switch said["ActiveState"] {
	case stateActive:
		return true, "", nil
	case "failed":
		return false, "", w.failed(said["Result"], lines)
	default:
		return false, w.missing(said, lines), nil
	}
}

// missing tells what the unit does: the last line of its log.
func (w *watch) missing(said map[string]string, lines []string) string {
	if len(lines) == 0 {
		return fmt.Sprintf("%s is %s (%s)", w.unit, said["ActiveState"], said["SubState"])
	}
	return message(lines[len(lines)-1])
}

// message returns what a log line says: RKE2 writes time="..." level=... msg="...".
func message(line string) string {
	_, rest, ok := strings.Cut(line, " msg=")
	if !ok {
		return line
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return line
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return line
	}
	return text
}

func (w *watch) failed(result string, lines []string) error {
	text := fmt.Sprintf("unit %s failed (%s)", w.unit, result)
	for _, line := range lines {
		if h, ok := findHint(line); ok {
			return errors.New(text + "; " + h.text)
		}
	}
	return errors.New(text)
}

// fault counts what is new in the log since the last look, and returns an error when a lasting fault was told often enough.
// What stood in the log at the first look may be from before this start.
func (w *watch) fault(lines []string) error {
	fresh := newLines(w.log, lines)
	w.log = lines
	if !w.begun {
		w.begun, w.faults = true, map[string]int{}
		return nil
	}
	for _, line := range fresh {
		h, ok := findHint(line)
		if !ok || !h.lasting {
			continue
		}
		if w.faults[h.message]++; w.faults[h.message] >= fatalRepeats {
			return fmt.Errorf("unit %s does not get further: %s; %s", w.unit, message(line), h.text)
		}
	}
	return nil
}

// newLines returns the lines of now that follow the longest end of before with which now begins.
func newLines(before, now []string) []string {
	for skip := range before {
		tail := before[skip:]
		if len(tail) <= len(now) && equal(tail, now[:len(tail)]) {
			return now[len(tail):]
		}
	}
	return now
}

func equal(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// logLinesOf returns a log's lines without empty ones.
func logLinesOf(log string) []string {
	var lines []string
	for line := range strings.Lines(log) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
