package main_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// approve is the verb `approve [-partly] BLUEPRINT [ARGS]`: it plans, takes the digest of the removals from the plan, and
// applies with it. With -partly the apply must end with exit code 5.
func approve(ts *testscript.TestScript, _ bool, args []string) {
	code := "0"
	if args[0] == "-partly" {
		code, args = "5", args[1:]
	}
	ts.Check(ts.Exec("cxha", append([]string{"plan"}, args...)...))
	digest := regexp.MustCompile(`--approve-destroy=([0-9a-f]+)`).FindStringSubmatch(ts.ReadFile("stdout"))
	if digest == nil {
		ts.Fatalf("the plan has no digest of removals")
	}
	exits(ts, false, append([]string{code, "cxha", "apply", "--yes", "--approve-destroy=" + digest[1]}, args...))
}

// until is the verb `until PATTERN ARGS`: it runs kubectl with the arguments again and again until its output matches.
func until(ts *testscript.TestScript, binary string, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: until PATTERN ARGS")
	}
	pattern := regexp.MustCompile(args[0])
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		cmd := exec.CommandContext(ctx, binary, append([]string{"kubectl", "--dir", ts.Getenv("SANDBOX"), "--"}, args[1:]...)...)
		cmd.Env = environ(ts)
		out, err := cmd.CombinedOutput()
		switch {
		case pattern.Match(out):
			return
		case ctx.Err() != nil:
			ts.Fatalf("kubectl %s: %v\n%s", strings.Join(args[1:], " "), err, out)
		}
	}
}

// counted is the verb `counted CONNECTIONS COMMANDS`: the last stdout is the sandbox's status, and every host of the cluster
// had so many SSH connections and commands.
func counted(ts *testscript.TestScript, _ bool, args []string) {
	var status struct {
		Hosts []struct {
			Name        string `json:"name"`
			Connections int    `json:"connections"`
			Commands    int    `json:"commands"`
		} `json:"hosts"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &status))
	if len(status.Hosts) == 0 {
		ts.Fatalf("the status names no hosts")
	}
	for _, h := range status.Hosts {
		if h.Name == "bastion" {
			continue
		}
		if got := []string{strconv.Itoa(h.Connections), strconv.Itoa(h.Commands)}; got[0] != args[0] || got[1] != args[1] {
			ts.Fatalf("host %s: %s connections and %s commands, want %s and %s", h.Name, got[0], got[1], args[0], args[1])
		}
	}
}

// when is the verb `when CODE PATTERN ACTION PROGRAM ARGS`: it runs the program and, at the first line of its stdout that
// matches the pattern, does the action: a signal to the program (SIGINT, SIGKILL; "SIGINT..." at every such line) or a verb of the
// sandbox (kill w2). The program must end with the exit code. Its stdout is kept in the file output.
func when(ts *testscript.TestScript, binary string, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: when CODE PATTERN ACTION PROGRAM ARGS")
	}
	pattern := regexp.MustCompile(args[1])
	name, always := strings.CutSuffix(args[2], "...")
	action := func(p *os.Process) error {
		if sig, ok := signals[name]; ok {
			return p.Signal(sig)
		}
		verb := strings.Fields(name)
		return ts.Exec(binary, append([]string{verb[0], "--dir", ts.Getenv("SANDBOX")}, verb[1:]...)...)
	}
	cmd := exec.Command(args[3], args[4:]...)
	cmd.Env = environ(ts)
	cmd.Dir = ts.MkAbs(".")
	done := false
	lines, code, err := follow(cmd, func(_ int, line string) error {
		if done && !always || !pattern.MatchString(line) {
			return nil
		}
		done = true
		return action(cmd.Process)
	})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(strings.Join(lines, "\n")+"\n"), 0o644))
	if !done {
		ts.Fatalf("no line matched %s:\n%s", pattern, strings.Join(lines, "\n"))
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s:\n%s", code, args[0], strings.Join(lines, "\n"))
	}
}

var signals = map[string]os.Signal{"SIGINT": os.Interrupt, "SIGKILL": os.Kill}

func environ(ts *testscript.TestScript) []string {
	return append(os.Environ(), "PATH="+ts.Getenv("PATH"), "NO_COLOR=1", "GORACE="+noRaceSleep, "HOME="+ts.Getenv("HOME"))
}

// follow runs a command and hands every line of its stdout, counted from 0, to each. It returns the lines and the exit code;
// -1 where a signal ended the command.
func follow(cmd *exec.Cmd, each func(n int, line string) error) (lines []string, code int, err error) {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, 0, err
	}
	if err := cmd.Start(); err != nil {
		return nil, 0, err
	}
	var eachErr error
	scan := bufio.NewScanner(out)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		lines = append(lines, scan.Text())
		eachErr = errors.Join(eachErr, each(len(lines)-1, scan.Text()))
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled():
		return lines, -1, eachErr
	case errors.As(err, &exit):
		if s := stderr.String(); s != "" {
			lines = append(lines, "stderr: "+s)
		}
		return lines, exit.ExitCode(), eachErr
	case err != nil:
		return lines, 0, fmt.Errorf("%w: %s", err, stderr.String())
	}
	return lines, 0, eachErr
}
