package sshtest

import (
	"bufio"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// server is one connection to a host.
type server struct {
	host     *Host
	user     string
	sessions atomic.Int64
	work     sync.WaitGroup
}

func (s *server) open(c ssh.NewChannel) {
	switch c.ChannelType() {
	case "session":
		limit := s.host.opts.MaxSessions
		if limit > 0 && s.sessions.Load() >= int64(limit) {
			s.reject(c, ssh.ConnectionFailed, "open failed") // the words of OpenSSH
			return
		}
		ch, requests, err := c.Accept()
		if err != nil {
			return // the connection is lost
		}
		s.sessions.Add(1)
		// As with OpenSSH, there is room again before the client hears of the end.
		free := sync.OnceFunc(func() { s.sessions.Add(-1) })
		s.work.Go(func() {
			defer free()
			s.session(ch, requests, free)
		})
	case "direct-tcpip":
		if s.host.opts.NoForward {
			s.reject(c, ssh.Prohibited, "administratively prohibited: open failed")
			return
		}
		s.work.Go(func() { s.forward(c) })
	default:
		s.reject(c, ssh.UnknownChannelType, "unknown channel type")
	}
}

func (s *server) reject(c ssh.NewChannel, why ssh.RejectionReason, text string) {
	_ = c.Reject(why, text) // the connection may be lost
}

func (s *server) session(ch ssh.Channel, requests <-chan *ssh.Request, free func()) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	started := false
	for r := range requests {
		var exec struct{ Command string }
		start := r.Type == "exec" && !started && ssh.Unmarshal(r.Payload, &exec) == nil
		if r.WantReply {
			_ = r.Reply(start, nil) // a broken connection ends the requests
		}
		switch {
		case start:
			started = true
			s.host.commands.Add(1)
			x := &Exec{Command: exec.Command, Stdin: ch, Stdout: ch, Stderr: ch.Stderr(), Context: ctx}
			s.work.Go(func() {
				if !s.host.opts.NoShell {
					x.Stdin = begin(x)
				}
				code := s.host.opts.Handler(x)
				free()
				s.end(ch, x, code)
			})
		case r.Type == "signal":
			cancel()
		}
	}
}

// begin runs the first line of a script that begins with `{ echo WORD`, and returns the whole script for the handler to read.
func begin(x *Exec) io.Reader {
	rest := bufio.NewReader(x.Stdin)
	line, _ := rest.ReadString('\n') // at the end of the input there is less, and the handler sees the same end
	if word, ok := strings.CutPrefix(line, "{ echo "); ok {
		_, _ = io.WriteString(x.Stdout, word) // the client may be gone
	}
	return io.MultiReader(strings.NewReader(line), rest)
}

// end tells the client how a command ended; nothing can be done when the client is gone.
func (s *server) end(ch ssh.Channel, x *Exec, code int) {
	switch {
	case x.Killed != "":
		_, _ = ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Signal        string
			Core          bool
			Message, Lang string
		}{Signal: x.Killed}))
	case code != NoExit:
		_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
	}
	_ = ch.Close()
}

func (s *server) forward(c ssh.NewChannel) {
	var to struct {
		Addr       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(c.ExtraData(), &to); err != nil {
		s.reject(c, ssh.ConnectionFailed, err.Error())
		return
	}
	far, err := s.host.opts.Forward(net.JoinHostPort(to.Addr, strconv.Itoa(int(to.Port))))
	if err != nil {
		s.reject(c, ssh.ConnectionFailed, err.Error())
		return
	}
	ch, requests, err := c.Accept()
	if err != nil {
		_ = far.Close() // the connection is lost
		return
	}
	go ssh.DiscardRequests(requests)
	end := sync.OnceFunc(func() {
		_ = far.Close() // one of them is closed already
		_ = ch.Close()
	})
	s.work.Go(func() {
		defer end()
		_, _ = io.Copy(ch, far) // either end may break
	})
	s.work.Go(func() {
		defer end()
		_, _ = io.Copy(far, ch)
	})
}
