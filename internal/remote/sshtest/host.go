package sshtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// Handler answers one command, as the rest of a script of which sh has run the first line, an echo, already. Its result is the exit
// code; NoExit ends the session without any.
type Handler func(x *Exec) int

// NoExit is the result of a handler whose session ends without an exit code.
const NoExit = -1

// Exec is one command that a host was given.
type Exec struct {
	Command        string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Context        context.Context // ends when the client closes the session or asks for its end by a signal, or the connection is lost
	Killed         string          // to be set by the handler: the command is said to have ended by this signal, such as KILL
}

// Options says what a host is like. The zero value is one that accepts the world's key and answers all commands with exit code 0.
type Options struct {
	Handler      Handler       // must return when Exec.Context ends
	Address      string        // virtual address, port 22; empty: a loopback address of its own
	HostKey      ssh.Signer    // a new ed25519 key
	MoreHostKeys []ssh.Signer  // keys that are not in known_hosts
	UserKey      ssh.PublicKey // the world's
	Latency      time.Duration // round trip time that is added to the network's
	MaxSessions  int           // sessions on one connection; 0: any number
	NoShell      bool          // the handler answers in place of sh, so that nothing of the script is run
	NoLogin      bool          // no key is accepted
	Passwords    bool          // passwords are asked for, keys are not taken
	NoForward    bool          // forwarding is forbidden
	Ciphers      []string      // those of the library
	Forward      func(addr string) (net.Conn, error)
}

// Host is a virtual host: an SSH server on loopback.
type Host struct {
	world *World
	name  string
	opts  Options
	addr  string // where it listens
	wire  wire

	connections, commands atomic.Int64

	mu       sync.Mutex // guards what follows
	listener net.Listener
	conns    map[net.Conn]bool
	serving  sync.WaitGroup
}

func newHost(w *World, name string, o Options) *Host {
	if o.HostKey == nil {
		o.HostKey = NewKey(w.tb)
	}
	if o.UserKey == nil {
		o.UserKey = w.public
	}
	if o.Handler == nil {
		o.Handler = func(x *Exec) int {
			_, _ = io.Copy(io.Discard, x.Stdin) // what comes is of no interest
			return 0
		}
	}
	if o.Forward == nil {
		o.Forward = w.dial
	}
	h := &Host{world: w, name: name, opts: o, conns: make(map[net.Conn]bool)}
	h.wire.delay = o.Latency
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.tb.Fatalf("sshtest: host %s: %v", name, err)
	}
	h.addr = l.Addr().String()
	h.listen(l)
	return h
}

func (h *Host) endpoint() (address string, port int) {
	if h.opts.Address != "" {
		return h.opts.Address, 22
	}
	a := h.tcpAddr()
	return a.IP.String(), a.Port
}

func (h *Host) tcpAddr() *net.TCPAddr {
	a, err := net.ResolveTCPAddr("tcp", h.addr)
	if err != nil {
		h.world.tb.Fatal(err)
	}
	return a
}

// Addr returns the loopback address and port of the host.
func (h *Host) Addr() string { return h.addr }

// HostKey returns the public key that the host shows.
func (h *Host) HostKey() ssh.PublicKey { return h.opts.HostKey.PublicKey() }

// KnownHostsLine returns the line of known_hosts for the host.
func (h *Host) KnownHostsLine() string {
	address, port := h.endpoint()
	return line(address, port, h.HostKey())
}

// Connections returns how many logins there were.
func (h *Host) Connections() int { return int(h.connections.Load()) }

// Commands returns how many commands were given.
func (h *Host) Commands() int { return int(h.commands.Load()) }

// Clients returns how many connections there are now, logged in or not.
func (h *Host) Clients() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// On switches the host on; it listens where it listened before.
func (h *Host) On() {
	l, err := net.Listen("tcp", h.addr)
	if err != nil {
		h.world.tb.Fatalf("sshtest: host %s: %v", h.name, err)
	}
	h.listen(l)
}

func (h *Host) listen(l net.Listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listener = l
	h.serving.Go(func() { h.accept(l) })
}

// Off switches the host off: connections break and new ones are refused. It returns when nothing of it runs any more.
func (h *Host) Off() {
	h.mu.Lock()
	l := h.listener
	h.mu.Unlock()
	_ = l.Close() // it may be off already
	h.Drop()
	h.serving.Wait()
}

// Drop breaks all connections to the host.
func (h *Host) Drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		_ = c.Close() // it may be broken already
	}
}

// Cut stops the network: nothing passes, nothing breaks.
func (h *Host) Cut() { h.wire.cut() }

// Mend lets the network pass again.
func (h *Host) Mend() { h.wire.mend() }

func (h *Host) accept(l net.Listener) {
	for {
		raw, err := l.Accept()
		if err != nil {
			return // switched off
		}
		c := h.wire.over(raw)
		h.mu.Lock()
		h.conns[c] = true
		h.mu.Unlock()
		h.serving.Go(func() {
			h.serve(c)
			h.mu.Lock()
			delete(h.conns, c)
			h.mu.Unlock()
			_ = c.Close() // it may be broken already
		})
	}
}

func (h *Host) config() *ssh.ServerConfig {
	c := &ssh.ServerConfig{Config: ssh.Config{Ciphers: h.opts.Ciphers}}
	for _, k := range append(h.opts.MoreHostKeys, h.opts.HostKey) {
		c.AddHostKey(k)
	}
	if h.opts.Passwords {
		c.PasswordCallback = func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) { return nil, errNoLogin }
		return c
	}
	want := h.opts.UserKey.Marshal()
	c.PublicKeyCallback = func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if h.opts.NoLogin || !bytes.Equal(key.Marshal(), want) {
			return nil, errNoLogin
		}
		return nil, nil
	}
	return c
}

var errNoLogin = errors.New("no login")

func (h *Host) serve(raw net.Conn) {
	conn, channels, requests, err := ssh.NewServerConn(raw, h.config())
	if err != nil {
		return // the client sees it better
	}
	h.connections.Add(1)
	s := &server{host: h, user: conn.User()}
	s.work.Go(func() { answer(requests) })
	for c := range channels {
		s.open(c)
	}
	s.work.Wait()
}

// answer says yes to every global request, as keepalives want it.
func answer(requests <-chan *ssh.Request) {
	for r := range requests {
		if r.WantReply {
			_ = r.Reply(true, nil) // a broken connection ends the requests
		}
	}
}
