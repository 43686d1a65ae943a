package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
)

// Run runs a script as root: sh reads it from its input, through sudo where the user is not root. The host sees the script
// as a whole or not at all: one that was cut off on its way does nothing. Errors are those of Connect, a *RunError, or, when
// ctx ends, its error. The host is then asked to send SIGTERM, but it may be unable to: OpenSSH does not signal what root runs,
// be it by sudo. So a script that was stopped may go on; it ends when it next prints something.
func (h *Host) Run(ctx context.Context, s *shell.Script) (providers.Reply, error) {
	x := &execution{done: make(chan struct{}), flood: make(chan struct{}), max: h.conns.opts.MaxOutput}
	c, err := h.open(ctx, func(c *conn) (err error) {
		x.session, err = c.session(ctx)
		x.release = c.release
		return err
	})
	if err != nil {
		return providers.Reply{}, h.notRun(ctx, err)
	}
	h.conns.count.host(h.key.name, HostStats{Commands: 1})
	began := time.Now()
	go x.run(command(h.key.login.user), whole(s))
	select {
	case <-x.done:
	case <-x.flood:
		go x.kill()
		return providers.Reply{}, &RunError{Target: h.target, Unknown: true,
			Reason: fmt.Sprintf("the commands printed more than %d bytes and were stopped", x.max)}
	case <-ctx.Done():
		go x.kill()
		return providers.Reply{}, h.target.stopped(ctx, "commands ran; it is not known which of them were done")
	}
	reply, err := h.result(c, x)
	if err != nil {
		h.conns.opts.Logf("%s: commands failed after %s: %v", h.target, short(time.Since(began)), err)
		return providers.Reply{}, err
	}
	h.conns.opts.Logf("%s: commands ended after %s: exit code %d, %d bytes", h.target, short(time.Since(began)), reply.Exit, len(reply.Stdout))
	return reply, nil
}

func command(user string) string {
	if user == "root" {
		return "/bin/sh -s"
	}
	return "sudo -n -- /bin/sh -s"
}

// whole puts a script into a compound command, which sh runs only after it has read it up to its end. Otherwise a lost
// connection could leave sh with half a line, and rm -rf /var/lib/x/y would become rm -rf /var. Also, commands
// that read their input cannot swallow the rest of the script.
func whole(s *shell.Script) string { return "{ :\n" + s.Text() + "\n}\n" }

// execution is one command in a session of its own.
type execution struct {
	session *ssh.Session
	release func()
	max     int64

	stdout, stderr bytes.Buffer // to be read when done is closed
	sent           atomic.Bool  // the host was given the whole script
	err            error        // of the session, when done is closed

	done      chan struct{}
	flood     chan struct{} // closed when there is more output than max
	floodOnce sync.Once
}

// run does it all; it returns when the host has closed the session, or the connection is gone.
func (x *execution) run(command, script string) {
	defer close(x.done)
	defer x.release()
	stdin, err1 := x.session.StdinPipe()
	stdout, err2 := x.session.StdoutPipe()
	stderr, err3 := x.session.StderrPipe()
	if x.err = errors.Join(err1, err2, err3, x.session.Start(command)); x.err != nil {
		_ = x.session.Close() // the first error is the one to tell
		return
	}
	var copies sync.WaitGroup
	copies.Go(func() { x.read(&x.stdout, stdout) })
	copies.Go(func() { x.read(&x.stderr, stderr) })
	copies.Go(func() {
		_, err := io.WriteString(stdin, script) // fails when the command ends early: its exit code then tells more
		if err == nil {
			err = stdin.Close()
		}
		x.sent.Store(err == nil)
	})
	x.err = x.session.Wait()
	copies.Wait()
}

func (x *execution) read(to *bytes.Buffer, from io.Reader) {
	n, _ := to.ReadFrom(io.LimitReader(from, x.max+1)) // a broken connection is told by Wait
	if n > x.max {
		x.floodOnce.Do(func() { close(x.flood) })
	}
}

// kill asks the command to end and gives the session up. It may block until the connection is given up.
func (x *execution) kill() {
	// There is nobody to tell of a failure, and the connection's own end does the same.
	_ = x.session.Signal(ssh.SIGTERM)
	_ = x.session.Close()
}

func (h *Host) notRun(ctx context.Context, err error) error {
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return &RunError{Target: h.target, Reason: "the host refuses to open a session: " + refused.Message,
			Advice: "Look at MaxSessions in its sshd_config, and whether the user may run commands."}
	}
	return h.explain(ctx, err)
}

// result reads the end of a session.
func (h *Host) result(c *conn, x *execution) (providers.Reply, error) {
	reply := providers.Reply{Stdout: x.stdout.String(), Stderr: x.stderr.String()}
	var exit *ssh.ExitError
	switch {
	case x.err == nil:
		return reply, nil
	case errors.As(x.err, &exit) && exit.Signal() != "":
		return reply, &RunError{Target: h.target, Unknown: true, Reason: "the commands were ended by signal " + exit.Signal()}
	case errors.As(x.err, &exit):
		reply.Exit = exit.ExitStatus()
		return reply, h.noSudo(reply)
	case !c.answers(lifeSign):
		return reply, &RunError{Target: h.target, Unknown: x.sent.Load(), Advice: isItUp,
			Reason: fmt.Sprintf("the connection was lost while commands ran: %v", c.why())}
	case x.sent.Load():
		return reply, &RunError{Target: h.target, Unknown: true, Reason: "the session ended without an exit code"}
	default:
		return reply, &RunError{Target: h.target, Reason: fmt.Sprintf("the host did not run %s: %v", command(h.key.login.user), x.err),
			Advice: "Look for ForceCommand in its sshd_config, for command= in the user's authorized_keys, and for the user's login shell."}
	}
}

// noSudo returns an error if the reply is sudo's refusal and not an answer of the script. Sudo's messages are English: SSH
// sessions without a terminal get no language.
func (h *Host) noSudo(r providers.Reply) error {
	user := h.key.login.user
	if user == "root" || r.Stdout != "" {
		return nil
	}
	line := sudoRefusal(r.Stderr)
	switch {
	case line != "" && r.Exit == 1:
		return &RunError{Target: h.target, Reason: fmt.Sprintf("user %s may not become root: %s", user, line),
			Advice: fmt.Sprintf("Allow it without a password, on the host as root:\n  echo %s > /etc/sudoers.d/cxha",
				quote(user+" ALL=(root) NOPASSWD: /bin/sh -s"))}
	case r.Exit == 127 && strings.Contains(r.Stderr, "sudo") && strings.Contains(r.Stderr, "not found"):
		return &RunError{Target: h.target, Reason: fmt.Sprintf("user %s cannot become root: there is no sudo", user),
			Advice: "Install sudo on the host, or log in as root: user = \"root\" in the ssh block."}
	}
	return nil
}

// sudoRefusal returns the line in which sudo says no.
func sudoRefusal(stderr string) string {
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		for _, no := range []string{
			"sudo: a password is required",
			"sudo: a terminal is required",
			"sudo: sorry, you must have a tty",
			"is not in the sudoers file",
			"may not run sudo",
			"is not allowed to",
			"sudo: no tty present",
		} {
			if strings.Contains(line, no) && (strings.HasPrefix(line, "sudo: ") || strings.HasPrefix(line, "Sorry, user ") || strings.Contains(line, "sudoers")) {
				return strings.TrimPrefix(line, "sudo: ")
			}
		}
	}
	return ""
}
