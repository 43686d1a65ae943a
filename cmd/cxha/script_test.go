package main_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/expertflow/cxha/internal/cli"
)

// noRaceSleep keeps programs under the race detector from sleeping for a second before they end.
const noRaceSleep = "atexit_sleep_ms=0"

var update = flag.Bool("update", false, "rewrite the expected parts of the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cxha": func() { os.Exit(cli.Main(os.Args[1:], cli.SystemEnv())) }})
}

// TestScripts runs the scripts that need no cluster.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			env.Setenv("GORACE", noRaceSleep)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// TestIntegrationScripts runs the scripts that need a cluster, each in a sandbox of its own: of virtual hosts, or of the lab's real
// ones where CXHA_SANDBOX names bin/cxha-lab.
func TestIntegrationScripts(t *testing.T) {
	t.Parallel()
	binary := sandboxBinary(t)
	at := placeOf(binary)
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/cluster", RequireExplicitExec: true, RequireUniqueNames: true, UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Defer(at.enter())
			env.Setenv("NO_COLOR", "1")
			env.Setenv("GORACE", noRaceSleep)
			env.Setenv("LIMIT", at.limit)
			env.Setenv("WEB", webImage)
			env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+filepath.Dir(binary))
			// Unix sockets have short names: the work directories of tests do not.
			dir, err := os.MkdirTemp("", "cxha")
			if err != nil {
				return err
			}
			env.Setenv("SANDBOX", dir)
			env.Setenv("EXAMPLES", examples)
			env.Setenv("BP", filepath.Join(dir, "blueprint"))
			env.Defer(func() {
				if err := stopSandbox(binary, dir); err != nil {
					t.Error(err)
				}
			})
			return nil
		},
		Condition: at.condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"sandbox": func(ts *testscript.TestScript, neg bool, args []string) { runSandbox(ts, binary, neg, args) },
			"host":    func(ts *testscript.TestScript, neg bool, args []string) { runHost(ts, binary, neg, args) },
			"kubectl": func(ts *testscript.TestScript, neg bool, args []string) { runKubectl(ts, binary, neg, args) },
			"until":   func(ts *testscript.TestScript, _ bool, args []string) { until(ts, binary, args) },
			"apply":   applyAndPlan,
			"exits":   exits,
			"approve": approve,
			"counted": counted,
			"when":    func(ts *testscript.TestScript, neg bool, args []string) { when(ts, binary, args) },
			"fullyup": func(ts *testscript.TestScript, neg bool, args []string) { fullyUp(ts, binary, args) },
		},
	})
}

func sandboxBinary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the sandbox; skipped by -short")
	}
	binary := os.Getenv("CXHA_SANDBOX")
	if binary == "" {
		var err error
		if binary, err = filepath.Abs("../../bin/cxha-sandbox"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("the sandbox is not built: %v; run make build", err)
	}
	if isLab(binary) && (runtime.GOOS != "linux" || os.Geteuid() != 0) {
		t.Skip("the lab needs root on Linux")
	}
	return binary
}

func stopSandbox(binary, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "blueprint")); err == nil {
		args := []string{"down", "--dir", dir}
		if isLab(binary) { // it keeps its files otherwise
			args = append(args, "--wipe")
		}
		if out, err := exec.Command(binary, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("sandbox down: %w\n%s", err, out)
		}
	}
	return os.RemoveAll(dir)
}

// runSandbox is the verb `sandbox VERB ARGS`: the sandbox's own command line, on this script's sandbox.
func runSandbox(ts *testscript.TestScript, binary string, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: sandbox VERB ARGS")
	}
	check(ts, neg, ts.Exec(binary, append([]string{args[0], "--dir", ts.Getenv("SANDBOX")}, args[1:]...)...))
}

// runHost is the verb `host NAME 'sh text'`: somebody works on a host as root.
func runHost(ts *testscript.TestScript, binary string, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: host NAME 'sh text'")
	}
	check(ts, neg, ts.Exec(binary, "exec", "--dir", ts.Getenv("SANDBOX"), args[0], "--", args[1]))
}

// runKubectl is the verb `kubectl ARGS`, as the cluster's administrator.
func runKubectl(ts *testscript.TestScript, binary string, neg bool, args []string) {
	check(ts, neg, ts.Exec(binary, append([]string{"kubectl", "--dir", ts.Getenv("SANDBOX"), "--"}, args...)...))
}

func check(ts *testscript.TestScript, neg bool, err error) {
	switch {
	case err != nil && !neg:
		ts.Fatalf("%v", err)
	case err == nil && neg:
		ts.Fatalf("it succeeded, and should have failed")
	}
}

// exits is the verb `exits CODE PROGRAM ARGS`.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// applyAndPlan is the verb `apply [ARGS]`: it applies the blueprint, plans again, and fails unless that plan is empty.
func applyAndPlan(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("use `! exec cxha apply` for an apply that fails")
	}
	if err := ts.Exec("cxha", append([]string{"apply", ts.Getenv("BP"), "--yes"}, args...)...); err != nil {
		ts.Fatalf("apply: %v", err)
	}
	applied := ts.ReadFile("stdout")
	if err := ts.Exec("cxha", "plan", ts.Getenv("BP"), "--detailed-exitcode"); err != nil {
		ts.Fatalf("the plan after an apply is not empty: %v", err)
	}
	if out := ts.ReadFile("stdout"); !strings.Contains(out, "0 to create, 0 to change, 0 to replace, 0 to remove") || strings.Contains(out, "unknown") {
		ts.Fatalf("the plan after an apply is not empty:\n%s", out)
	}
	ts.Check(os.WriteFile(ts.MkAbs("applied"), []byte(applied), 0o644))
}

// fullyUp is the verb `fullyup [UP-ARGS]`: a sandbox with the blueprint applied.
func fullyUp(ts *testscript.TestScript, binary string, args []string) {
	runSandbox(ts, binary, false, append([]string{"up"}, args...))
	applyAndPlan(ts, false, nil)
}
