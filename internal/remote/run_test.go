package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/remote/sshtest"
	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		user    string
		handler sshtest.Handler
		want    providers.Reply
		command string
	}{
		"output and exit code": {sshtest.User, says("out", "err", 3), providers.Reply{Stdout: "out", Stderr: "err", Exit: 3}, "sudo -n -- /bin/sh -s"},
		"root needs no sudo":   {"root", says("", "sudo: a password is required\n", 1), providers.Reply{Stderr: "sudo: a password is required\n", Exit: 1}, "/bin/sh -s"},
		// What the script itself prints is no refusal.
		"script speaks of sudo": {sshtest.User, says("x", "sudo: a password is required\n", 1),
			providers.Reply{Stdout: "x", Stderr: "sudo: a password is required\n", Exit: 1}, "sudo -n -- /bin/sh -s"},
		"script not read": {sshtest.User, func(*sshtest.Exec) int { return 0 }, providers.Reply{}, "sudo -n -- /bin/sh -s"},
		"output in lines": {sshtest.User, says("\na\n\n", "", 0), providers.Reply{Stdout: "\na\n\n"}, "sudo -n -- /bin/sh -s"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			var command atomic.Value
			spec := w.Spec(w.Host("w1", sshtest.Options{Handler: func(x *sshtest.Exec) int {
				command.Store(x.Command)
				return test.handler(x)
			}}))
			spec.SSH.User = test.user
			got, err := connect(t, connector(t, remote.Options{}), spec).Run(within(t), script(strings.Repeat("true\n", 100_000)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("reply (-want +got):\n%s", diff)
			}
			if command.Load() != test.command {
				t.Errorf("command %q, want %q", command.Load(), test.command)
			}
		})
	}
}

func says(stdout, stderr string, code int) sshtest.Handler {
	return func(x *sshtest.Exec) int {
		_, err1 := io.Copy(io.Discard, x.Stdin)
		_, err2 := io.WriteString(x.Stdout, stdout)
		_, err3 := io.WriteString(x.Stderr, stderr)
		if err := errors.Join(err1, err2, err3); err != nil {
			return 99
		}
		return code
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		handler sshtest.Handler
		says    string
	}{
		"killed": {func(x *sshtest.Exec) int {
			_, _ = io.Copy(io.Discard, x.Stdin) // the test is about the end
			x.Killed = "KILL"
			return 0
		}, "ended by signal KILL"},
		"no exit code": {says("", "", sshtest.NoExit), "without an exit code"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			host := connect(t, connector(t, remote.Options{}), w.Spec(w.Host("w1", sshtest.Options{Handler: test.handler})))
			_, err := host.Run(within(t), script("true"))
			e := as[*remote.RunError](t, err)
			if !e.Unknown || !strings.Contains(err.Error(), test.says) || !strings.HasPrefix(err.Error(), "host w1 (127.0.0.1:") {
				t.Errorf("unknown %v, error %q; want %q", e.Unknown, err, test.says)
			}
		})
	}
}

// TestRunDoesNotBegin is about hosts that do not run the script, in whatever words they say so.
func TestRunDoesNotBegin(t *testing.T) {
	t.Parallel()
	const sudo, shell = "user ops may not become root: ", "the host did not run sudo -n -- /bin/sh -s: it ended with exit code "
	for what, test := range map[string]struct {
		user    string
		handler sshtest.Handler
		brief   string // after the target
		hint    string
	}{
		"password for sudo":    {"ops", says("", "sudo: a password is required\n", 1), sudo + "a password is required", "NOPASSWD"},
		"sudo-rs":              {"ops", says("", "sudo: interactive authentication is required\n", 1), sudo + "interactive authentication is required", "NOPASSWD"},
		"sudo-rs without rule": {"ops", says("", "sudo-rs: I'm sorry ops. I'm afraid I can't do that\n", 1), sudo + "I'm sorry ops. I'm afraid I can't do that", "NOPASSWD"},
		"in French":            {"ops", says("", "sudo: il est nécessaire de saisir un mot de passe\n", 1), sudo + "il est nécessaire de saisir un mot de passe", "NOPASSWD"},
		"in French, no sudoer": {"ops", says("", "ops n'apparaît pas dans le fichier des droits.\n", 1), sudo + "ops n'apparaît pas dans le fichier des droits.", "NOPASSWD"},
		"warning first":        {"ops", says("", "sudo: unable to resolve host w1\nsudo: a password is required\n", 1), sudo + "unable to resolve host w1; a password is required", "NOPASSWD"},
		"no sudoer":            {"ops", says("", "ops is not in the sudoers file.\nThis incident has been reported.\n", 1), sudo + "ops is not in the sudoers file.; This incident has been reported.", "NOPASSWD"},
		"not as root":          {"ops", says("", "Sorry, user ops is not allowed to execute '/bin/sh -s' as root on w1.\n", 1), sudo + "Sorry, user ops is not allowed to execute '/bin/sh -s' as root on w1.", "NOPASSWD"},
		"greeting, then no":    {"ops", says("Welcome!\n", "sudo: a password is required\n", 1), sudo + "a password is required", "NOPASSWD"},
		"no sudo":              {"ops", says("", "sh: 1: sudo: not found\n", 127), `user ops cannot become root: there is no sudo: it says "sh: 1: sudo: not found"`, "Install sudo"},
		"nologin":              {"ops", says("This account is currently not available.\n", "", 1), shell + `1 and said "This account is currently not available."`, "login shell"},
		"nologin of root":      {"root", says("This account is currently not available.\n", "", 1), `the host did not run /bin/sh -s: it ended with exit code 1 and said "This account is currently not available."`, "login shell"},
		"false":                {"ops", says("", "", 1), shell + "1 and said nothing", "login shell"},
		"forced command":       {"ops", says("This key may only fetch mail.\n", "", 0), shell + `0 and said "This key may only fetch mail."`, "ForceCommand"},
		"menu":                 {"ops", says("\x1b[2J\x1b[1mRouter>\x1b[0m\r\n"+strings.Repeat("x", 400), "", 0), shell + `0 and said "[2J[1mRouter>[0m ` + strings.Repeat("x", 283) + ` ..."`, "ForceCommand"},
		"another shell":        {"root", says("", "fish: Unknown command: {\n", 127), `the host did not run /bin/sh -s: it ended with exit code 127 and said "fish: Unknown command: {"`, "login shell"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			spec := w.Spec(w.Host("w1", sshtest.Options{Handler: test.handler, NoShell: true}))
			spec.SSH.User = test.user
			_, err := connect(t, connector(t, remote.Options{}), spec).Run(within(t), script("true"))
			e := as[*remote.RunError](t, err)
			_, brief, _ := strings.Cut(e.Brief(), "): ")
			if e.Unknown || brief != test.brief || !strings.Contains(e.Hint(), test.hint) {
				t.Errorf("unknown %v, error\n%q\n%q\nwant\n%q\n%q", e.Unknown, brief, e.Hint(), test.brief, test.hint)
			}
		})
	}
}

// TestRunAfterAGreeting is about hosts whose shell prints something before it runs what it is told.
func TestRunAfterAGreeting(t *testing.T) {
	t.Parallel()
	for _, greeting := range []string{"Welcome to w1\n", "no line", "cxha-\n"} {
		w := sshtest.NewWorld(t)
		host := connect(t, connector(t, remote.Options{}), w.Spec(w.Host("w1", sshtest.Options{NoShell: true, Handler: func(x *sshtest.Exec) int {
			cmd := exec.CommandContext(x.Context, "/bin/sh", "-c", "printf '"+greeting+"'; exec /bin/sh -s")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = x.Stdin, x.Stdout, x.Stderr
			if cmd.Run() == nil {
				return 0
			}
			return 1
		}})))
		reply, err := host.Run(within(t), script("echo a", "echo b"))
		if diff := cmp.Diff(providers.Reply{Stdout: "a\nb\n"}, reply); err != nil || diff != "" {
			t.Errorf("%q: %v, reply (-want +got):\n%s", greeting, err, diff)
		}
	}
}

func TestRunStopsFlood(t *testing.T) {
	t.Parallel()
	for what, stream := range map[string]func(x *sshtest.Exec) io.Writer{
		"stdout": func(x *sshtest.Exec) io.Writer { return x.Stdout },
		"stderr": func(x *sshtest.Exec) io.Writer { return x.Stderr },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			var size atomic.Int64
			var stopped atomic.Bool
			host := connect(t, connector(t, remote.Options{MaxOutput: 1000}), w.Spec(w.Host("w1", sshtest.Options{Handler: func(x *sshtest.Exec) int {
				if _, err := io.WriteString(stream(x), strings.Repeat("x", int(size.Load()))); err != nil {
					return 1
				}
				if size.Load() > 1000 {
					<-x.Context.Done()
					stopped.Store(true)
				}
				return 0
			}})))
			size.Store(1000)
			if _, err := host.Run(within(t), script("true")); err != nil {
				t.Errorf("just enough: %v", err)
			}
			size.Store(1001)
			_, err := host.Run(within(t), script("true"))
			_ = as[*remote.RunError](t, err)
			until(t, "the command is stopped", stopped.Load)
		})
	}
}

func TestRunStopsWithContext(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	started, stopped := make(chan bool), make(chan bool)
	h := w.Host("w1", sshtest.Options{Handler: func(x *sshtest.Exec) int {
		started <- true
		<-x.Context.Done()
		close(stopped)
		return 0
	}})
	host := connect(t, connector(t, remote.Options{}), w.Spec(h))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-started
		cancel()
	}()
	_, err := host.Run(ctx, script("sleep 1000"))
	if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "host w1 (") || !strings.Contains(err.Error(), "not known") {
		t.Errorf("got %v", err)
	}
	select {
	case <-stopped:
	case <-time.After(patience):
		t.Error("the host's command goes on")
	}
	if h.Connections() != 1 {
		t.Errorf("%d connections, want 1", h.Connections())
	}
}

func TestRunLosesConnection(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		read    bool // the whole script reached the host
		unknown bool
	}{
		"after the script":    {true, true},
		"on the script's way": {false, false},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			started := make(chan bool, 1)
			h := w.Host("w1", sshtest.Options{Handler: func(x *sshtest.Exec) int {
				if test.read {
					_, _ = io.Copy(io.Discard, x.Stdin) // the connection ends
				}
				started <- true
				<-x.Context.Done()
				return 0
			}})
			host := connect(t, connector(t, remote.Options{}), w.Spec(h))
			go func() {
				<-started
				h.Drop()
			}()
			_, err := host.Run(within(t), script(strings.Repeat("true # many bytes\n", 1_000_000)))
			e := as[*remote.RunError](t, err)
			if e.Unknown != test.unknown || !strings.Contains(e.Reason, "connection was lost") {
				t.Errorf("unknown %v: %v", e.Unknown, err)
			}
		})
	}
}

func TestRunDialsAgain(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{Handler: echo})
	c := connector(t, remote.Options{})
	host := connect(t, c, w.Spec(h))
	for n := range 5 {
		reply, err := host.Run(within(t), script("true"))
		if err != nil || !strings.HasSuffix(reply.Stdout, "bytes") {
			t.Fatalf("run %d: %v, %v", n, reply, err)
		}
		h.Drop() // Run may or may not have heard of it
	}
	if got := c.Stats().Hosts["w1"]; got.Connections != 5 || got.Commands != 5 {
		t.Errorf("%+v, want 5 connections and commands", got)
	}
	h.Off()
	_, err := host.Run(within(t), script("true"))
	_ = as[*remote.UnreachableError](t, err)
	h.On()
	if _, err := host.Run(within(t), script("true")); err != nil {
		t.Errorf("the host is back: %v", err)
	}
}

// A network that is cut breaks nothing; only the silence tells.
func TestRunGivesUpSilentHost(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	started := make(chan bool)
	h := w.Host("w1", sshtest.Options{Handler: func(x *sshtest.Exec) int {
		_, _ = io.Copy(io.Discard, x.Stdin) // the connection ends
		started <- true
		<-x.Context.Done()
		return 0
	}})
	host := connect(t, connector(t, remote.Options{KeepAlive: time.Second}), w.Spec(h))
	go func() {
		<-started
		h.Cut()
	}()
	_, err := host.Run(within(t), script("true"))
	e := as[*remote.RunError](t, err)
	if !e.Unknown || !strings.Contains(e.Reason, "no sign of life for 3s") {
		t.Errorf("got %v", err)
	}
	h.Drop()
	h.Mend()
}

func TestRunLimitsSessions(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct{ allowed, want int }{
		"default of sshd":  {10, 8},
		"hardened host":    {3, 3},
		"one at a time":    {1, 1},
		"the host has not": {0, 8},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			var now, most atomic.Int64
			gate := make(chan bool)
			h := w.Host("w1", sshtest.Options{MaxSessions: test.allowed, Handler: func(x *sshtest.Exec) int {
				defer now.Add(-1)
				n := now.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				select {
				case <-gate:
				case <-x.Context.Done():
				}
				return 0
			}})
			host := connect(t, connector(t, remote.Options{}), w.Spec(h))
			var all sync.WaitGroup
			for range 30 {
				all.Go(func() {
					if _, err := host.Run(within(t), script("true")); err != nil {
						t.Error(err)
					}
				})
			}
			until(t, "the host is full", func() bool { return now.Load() == int64(test.want) })
			close(gate)
			all.Wait()
			if most.Load() != int64(test.want) || h.Connections() != 1 || h.Commands() != 30 {
				t.Errorf("%d at a time, %d connections, %d commands; want %d, 1, 30", most.Load(), h.Connections(), h.Commands(), test.want)
			}
		})
	}
}

func TestRunWaitsForSessionWithContext(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	var now atomic.Int64
	h := w.Host("w1", sshtest.Options{Handler: func(x *sshtest.Exec) int {
		now.Add(1)
		<-x.Context.Done()
		return 0
	}})
	host := connect(t, connector(t, remote.Options{}), w.Spec(h))
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 9 {
		all.Go(func() {
			if _, err := host.Run(ctx, script("true")); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
	until(t, "the host is full", func() bool { return now.Load() == 8 })
	cancel()
	all.Wait()
	if h.Commands() != 8 {
		t.Errorf("%d commands, want 8", h.Commands())
	}
}

// What could not be opened in time is given back when the host answers at last.
func TestStoppedOpeningLeavesNothing(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{MaxSessions: 8, Handler: echo})
	c := connector(t, remote.Options{})
	host := connect(t, c, w.Spec(h))
	h.Cut()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond) // time to send the requests
	defer cancel()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := host.Run(ctx, script("true")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("run: %v", err)
			}
		})
		all.Go(func() {
			if _, err := host.Dial(ctx, "tcp", h.Addr()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("dial: %v", err)
			}
		})
	}
	all.Wait()
	h.Mend()
	for range 8 {
		all.Go(func() {
			if _, err := host.Run(within(t), script("true")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if h.Connections() != 1 {
		t.Errorf("%d connections, want 1", h.Connections())
	}
	until(t, "the tunnels are closed", func() bool { return h.Clients() == 1 })
}

// The host's sh must do nothing with a script that reached it in part.
func TestCutOffScriptDoesNothing(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	var text []byte
	host := connect(t, connector(t, remote.Options{}), w.Spec(w.Host("w1", sshtest.Options{Handler: func(x *sshtest.Exec) (code int) {
		var err error
		if text, err = io.ReadAll(x.Stdin); err != nil {
			return 1
		}
		return 0
	}})))
	dir := t.TempDir()
	var s shell.Script
	s.Add("set -eu")
	s.Add("cd %s", dir)
	s.Add("f() {\n  touch a\n}")
	s.Add("f; if [ -f a ]; then touch b; fi")
	s.Add("cat > c <<'EOF'\n}\ntouch d\nEOF")
	s.Add("touch e")
	if _, err := host.Run(within(t), &s); err != nil {
		t.Fatal(err)
	}
	whole := len(strings.TrimSpace(string(text)))
	for n := range whole {
		sh(t, text[:n])
		if names := list(t, dir); len(names) > 0 {
			t.Fatalf("the first %d bytes %q made %s", n, text[:n], names)
		}
	}
	sh(t, text)
	if diff := cmp.Diff([]string{"a", "b", "c", "e"}, list(t, dir)); diff != "" {
		t.Errorf("files of the whole script (-want +got):\n%s", diff)
	}
}

func sh(t testing.TB, script []byte) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-s")
	cmd.Stdin = strings.NewReader(string(script))
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
}

func list(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range paths {
		if _, err := os.Stat(p); err != nil {
			t.Fatal(err)
		}
		names = append(names, filepath.Base(p))
	}
	return names
}

func TestLogTellsNoSecret(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	var mu sync.Mutex
	var log strings.Builder
	c := connector(t, remote.Options{Logf: func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(&log, format+"\n", args...)
	}})
	host := connect(t, c, w.Spec(w.Host("w1", sshtest.Options{Handler: says("hunter2", "hunter2", 1)})))
	var s shell.Script
	s.Add("echo %s", shell.Secret("hunter2"))
	if _, err := host.Run(within(t), &s); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if text := log.String(); strings.Contains(text, "hunter2") || !strings.Contains(text, "exit code 1") {
		t.Errorf("log:\n%s", text)
	}
}
