package main_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/expertflow/cxha/sandbox/images/imagestest"
)

func TestReapsAndEnds(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("/proc tells what children a process has; this is " + runtime.GOOS)
	}
	path := imagestest.Program(t, ".")
	// The child of the shell is pause's own when the shell has become pause.
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "/bin/sh", "-c", `sleep 0.3 & exec "$0"`, path)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	children := fmt.Sprintf("/proc/%d/task/%[1]d/children", command.Process.Pid)
	seen := false
	deadline := time.After(10 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		list, err := os.ReadFile(children)
		if err != nil {
			t.Fatal(err)
		}
		has := strings.TrimSpace(string(list)) != ""
		seen = seen || has
		if seen && !has {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after 10 s the children are %q, seen %t", list, seen)
		}
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("pause ended with %v", err)
	}
}
