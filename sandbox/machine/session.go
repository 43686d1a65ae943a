package machine

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

// session is one SSH session channel: at most one command runs in it.
type session struct {
	m       *Machine
	power   context.Context
	user    string
	channel ssh.Channel
	env     map[string]string
	cancel  context.CancelCauseFunc
	started bool
}

func (m *Machine) serveSession(power context.Context, user string, ch ssh.NewChannel) {
	channel, requests, err := ch.Accept()
	if err != nil {
		return
	}
	ctx, cancel := context.WithCancelCause(power)
	defer cancel(ErrStopped)
	s := &session{m: m, power: power, user: user, channel: channel, env: map[string]string{}, cancel: cancel}
	done := make(chan struct{})
	open := true
	for {
		select {
		case req, ok := <-requests:
			if !ok {
				// The client is gone. As with the real sshd a command without a terminal goes on until it writes.
				requests, open = nil, false
				if !s.started {
					return
				}
				continue
			}
			s.handle(ctx, req, done)
		case <-done:
			return
		case <-power.Done():
			if open {
				closeQuietly(channel)
			}
			if s.started {
				<-done
			}
			return
		}
	}
}

func (s *session) handle(ctx context.Context, req *ssh.Request, done chan struct{}) {
	ok := false
	switch req.Type {
	case "env":
		var v struct{ Name, Value string }
		if ssh.Unmarshal(req.Payload, &v) == nil && (v.Name == "LANG" || strings.HasPrefix(v.Name, "LC_")) {
			s.env[v.Name] = v.Value
			ok = true
		}
	case "exec", "shell":
		var v struct{ Command string }
		malformed := req.Type == "exec" && ssh.Unmarshal(req.Payload, &v) != nil
		if ok = !s.started && !malformed && s.m.enter(); ok {
			s.started = true
			s.m.commands.Add(1)
			go func() {
				defer close(done)
				defer s.m.leave()
				s.run(ctx, v.Command, req.Type == "shell")
			}()
		}
	case "signal":
		s.cancel(ErrStopped)
	}
	if req.WantReply {
		if err := req.Reply(ok, nil); err != nil {
			closeQuietly(s.channel)
		}
	}
}

// run executes the command by the user's login shell and reports its exit code.
func (s *session) run(ctx context.Context, command string, isShell bool) {
	defer closeQuietly(s.channel)
	code, err := s.exec(ctx, command, isShell)
	if err != nil || s.power.Err() != nil {
		return
	}
	if err := s.channel.CloseWrite(); err != nil && !errors.Is(err, io.EOF) {
		return
	}
	status := binary.BigEndian.AppendUint32(nil, uint32(code))
	if _, err := s.channel.SendRequest("exit-status", false, status); err != nil {
		return
	}
}

func (s *session) exec(ctx context.Context, command string, isShell bool) (int, error) {
	cred, u, ok := s.m.cred(s.user)
	if !ok {
		return 1, nil
	}
	if strings.HasSuffix(u.shell, "nologin") {
		_, err := io.WriteString(s.channel, "This account is currently not available.\n")
		return 1, err
	}
	// The shell needs a real file as its standard input.
	stdin, feed, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer closeQuietly(stdin)
	go func() {
		defer closeQuietly(feed)
		if _, err := io.Copy(feed, s.channel); err != nil {
			return // the command has ended, or the client is gone
		}
	}()
	env := loginEnv(u)
	for k, v := range s.env {
		env[k] = v
	}
	env["SSH_CONNECTION"] = "sandbox"
	p := &Process{
		Machine: s.m, Args: []string{"sh", "-c", command}, Env: env, Dir: u.home, Cred: cred, Stdin: stdin,
		Stdout: s.pipe(s.channel), Stderr: s.pipe(s.channel.Stderr()), Notify: func() {}, life: s.power,
	}
	if isShell {
		p.Args = []string{"sh", "-s"}
	}
	if _, err := s.m.fs.Stat(p.Dir); err != nil {
		p.Dir = "/"
	}
	return cmdSh(ctx, p), nil
}

// pipe is an output of the command: writing to a client that is gone ends the command, as SIGPIPE does.
func (s *session) pipe(w io.Writer) io.Writer { return sigpipe{w, s.cancel} }

type sigpipe struct {
	w      io.Writer
	cancel context.CancelCauseFunc
}

// Write implements io.Writer.
func (p sigpipe) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if err != nil {
		p.cancel(ErrStopped)
	}
	return n, err
}
