package remote

import (
	"bytes"
	"context"
	"crypto/rand"
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
	x := &execution{begun: "cxha-" + rand.Text(), done: make(chan struct{}), flood: make(chan struct{}), max: h.conns.opts.MaxOutput}
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
	go x.run(command(h.key.login.user), whole(x.begun, s))
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
// that read their input cannot swallow the rest of the script. The first command prints the word begun: what the host says before
// it is not the script's, and where it never comes the script was not run, whatever the words and the language of the reason.
func whole(begun string, s *shell.Script) string {
	return "{ echo " + begun + "\n" + s.Text() + "\n}\n"
}

// execution is one command in a session of its own.
type execution struct {
	session *ssh.Session
	release func()
	begun   string // the word that the script prints first
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
	copies.Go(func() { x.read(&x.stdout, stdout, x.max+int64(len(x.begun))+1) })
	copies.Go(func() { x.read(&x.stderr, stderr, x.max) })
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

func (x *execution) read(to *bytes.Buffer, from io.Reader, limit int64) {
	n, _ := to.ReadFrom(io.LimitReader(from, limit+1)) // a broken connection is told by Wait
	if n > limit {
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
	said, stdout, begun := strings.Cut(x.stdout.String(), x.begun+"\n")
	reply := providers.Reply{Stdout: stdout, Stderr: x.stderr.String()}
	var exit *ssh.ExitError
	ended := x.err == nil || (errors.As(x.err, &exit) && exit.Signal() == "")
	if exit != nil {
		reply.Exit = exit.ExitStatus()
	}
	switch {
	case ended && begun:
		return reply, nil
	case ended:
		return reply, h.notBegun(said, reply)
	case exit != nil:
		return reply, &RunError{Target: h.target, Unknown: true, Reason: "the commands were ended by signal " + exit.Signal()}
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
