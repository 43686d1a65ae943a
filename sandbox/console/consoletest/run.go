package consoletest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/expertflow/cxha/sandbox/site"
)

// asProgram makes the test binary behave as the program, its background server and its components included.
const asProgram = "CXHA_SANDBOX_TEST_MAIN"

// Main is the body of TestMain: it runs the tests, or the program where the binary was started by Run.
func Main(m *testing.M, program func()) {
	if os.Getenv(asProgram) != "" {
		program()
		return
	}
	os.Exit(m.Run())
}

// Output is what one call of the program printed, and its exit code.
type Output struct {
	Stdout, Stderr string
	Code           int
}

// Run calls the program.
func Run(t *testing.T, args ...string) Output {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	o := Output{Stdout: stdout.String(), Stderr: stderr.String()}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		o.Code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return o
}

// Do calls the program for a directory, and ends the test where its exit code is another than want.
func Do(t *testing.T, dir string, want int, args ...string) Output {
	t.Helper()
	got := Run(t, append([]string{"--dir", dir}, args...)...)
	if got.Code != want {
		t.Fatalf("%v: %+v, want exit code %d", args, got, want)
	}
	return got
}

// Status is the status of a directory.
func Status(t *testing.T, dir string) site.Status {
	t.Helper()
	var s site.Status
	if err := json.Unmarshal([]byte(Do(t, dir, 0, "status", "--json").Stdout), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Wait polls a condition until it holds or five minutes are over.
func Wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("did not happen: %s", what)
		}
	}
}

// Mistake is a command line that the program refuses: its arguments, what its message has to say, and the exit code.
type Mistake struct {
	Args    []string
	Message string
	Code    int
}

// Mistakes calls the program with each, for a directory.
func Mistakes(t *testing.T, dir string, mistakes map[string]Mistake) {
	t.Helper()
	for name, m := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Run(t, append([]string{"--dir", dir}, m.Args...)...)
			if got.Code != m.Code || !strings.Contains(got.Stderr, m.Message) {
				t.Errorf("got %+v, want %q and exit code %d", got, m.Message, m.Code)
			}
		})
	}
}

// HelpNamesExitCodes wants every command's help to say what its exit codes mean.
func HelpNamesExitCodes(t *testing.T, root *cobra.Command) {
	t.Helper()
	for _, c := range root.Commands() {
		if !c.Hidden && c.Name() != "help" && !strings.Contains(c.Long, "Exit status") && c.Name() != "completion" {
			t.Errorf("%s does not say what its exit codes mean", c.Name())
		}
	}
}
