package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// everyNth of the events of a first apply is one at which make test kills it; make soak takes every one.
const everyNth = 10

// TestIntegrationKill kills `cxha apply` (SIGKILL) after an event that it emits in the first apply. The next apply must
// converge, and the plan after it must be empty.
func TestIntegrationKill(t *testing.T) {
	t.Parallel()
	binary := sandboxBinary(t)
	step := everyNth
	if os.Getenv("CXHA_SOAK") != "" {
		step = 1
	}
	total := killAt(t, binary, -1)
	if total < 2*everyNth {
		t.Fatalf("a first apply has only %d events", total)
	}
	for n := 0; n < total; n += step {
		t.Run(fmt.Sprintf("event%03d", n), func(t *testing.T) {
			t.Parallel()
			killAt(t, binary, n)
		})
	}
}

// killAt brings up a sandbox, kills the first apply after event n (-1: not at all), applies again, and wants an empty plan.
// It returns how many events the first apply emitted.
func killAt(t *testing.T, binary string, n int) int {
	t.Helper()
	dir := newSandbox(t, binary)
	blueprint := filepath.Join(dir, "blueprint")
	events := 0
	cmd := cxha("apply", blueprint, "--yes", "--json")
	lines, code, err := follow(cmd, func(_ int, line string) error {
		if !isEvent(line) {
			return nil
		}
		if events++; events == n+1 {
			return cmd.Process.Kill()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 0 && code != 0 {
		t.Fatalf("first apply: exit code %d\n%s", code, strings.Join(lines, "\n"))
	}
	for _, args := range [][]string{{"apply", blueprint, "--yes"}, {"plan", blueprint, "--detailed-exitcode"}} {
		if out, err := cxha(args...).CombinedOutput(); err != nil {
			t.Fatalf("%s after the kill at event %d: %v\n%s", args[0], n, err, out)
		}
	}
	return events
}

// isEvent reports whether a line of apply --json tells of the run: what comes before it changes nothing.
func isEvent(line string) bool {
	return strings.HasPrefix(line, `{"type":"run_`) || strings.HasPrefix(line, `{"type":"change_`)
}

// cxha is the program: this test binary under another name, as testscript makes it.
func cxha(args ...string) *exec.Cmd {
	cmd := exec.Command("cxha", args...)
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "GORACE="+noRaceSleep)
	return cmd
}
