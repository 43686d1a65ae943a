package machine_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/expertflow/cxha/sandbox/machine"
	"github.com/expertflow/cxha/sandbox/network"
)

// world is a private network with machines on it and a key that opens all of them.
type world struct {
	t   *testing.T
	net *network.Network
	key ssh.Signer
	dir string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, net: network.New(), key: key, dir: t.TempDir()}
}

// machine makes a host, powers it on and arranges for its end.
func (w *world) machine(name, addr string, change ...func(*machine.Options)) *machine.Machine {
	w.t.Helper()
	opts := machine.Options{
		Name: name, Dir: w.dir + "/" + name, Net: w.net.Attach(name, netip.MustParseAddr(addr)),
		Users:          []machine.User{{Name: "ops", Sudo: true}, {Name: "guest"}},
		AuthorizedKeys: []string{string(ssh.MarshalAuthorizedKey(w.key.PublicKey()))},
	}
	for _, c := range change {
		c(&opts)
	}
	m, err := machine.New(opts)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := m.PowerOn(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := errors.Join(m.PowerOff(), m.Close()); err != nil {
			w.t.Error(err)
		}
	})
	return m
}

// login opens an SSH connection from a client that has its own address on the network.
func (w *world) login(user, clientAddr, addr string, hostKey ssh.PublicKey) *ssh.Client {
	w.t.Helper()
	client := w.net.Attach("client-"+clientAddr, netip.MustParseAddr(clientAddr))
	conn, err := client.Dial(w.t.Context(), netip.MustParseAddrPort(addr))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.handshake(conn, user, addr, hostKey)
}

func (w *world) handshake(conn net.Conn, user, addr string, hostKey ssh.PublicKey) *ssh.Client {
	w.t.Helper()
	c, chans, reqs, err := ssh.NewClientConn(conn, addr, &ssh.ClientConfig{
		User: user, Auth: []ssh.AuthMethod{ssh.PublicKeys(w.key)}, HostKeyCallback: ssh.FixedHostKey(hostKey),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	client := ssh.NewClient(c, chans, reqs)
	w.t.Cleanup(func() {
		if err := client.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			w.t.Logf("close: %v", err)
		}
	})
	return client
}

// result is what a command did.
type result struct {
	stdout, stderr string
	code           int
}

// script runs a script as root by sudo over an SSH session, as cxha does.
func script(t *testing.T, client *ssh.Client, text string) result {
	t.Helper()
	return command(t, client, "sudo -n -- /bin/sh -s", text)
}

func command(t *testing.T, client *ssh.Client, line, stdin string) result {
	t.Helper()
	s, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	s.Stdin, s.Stdout, s.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err = s.Run(line)
	r := result{stdout: stdout.String(), stderr: stderr.String()}
	exit := (*ssh.ExitError)(nil)
	switch {
	case err == nil:
	case errors.As(err, &exit):
		r.code = exit.ExitStatus()
	default:
		t.Fatalf("%s: %v", line, err)
	}
	return r
}

// host is one machine with an open root session, for tests that need no more.
func host(t *testing.T, change ...func(*machine.Options)) (*machine.Machine, *ssh.Client) {
	t.Helper()
	w := newWorld(t)
	m := w.machine("w1", "10.10.1.11", change...)
	return m, w.login("ops", "10.10.1.1", "10.10.1.11:22", hostKey(t, m))
}

func hostKey(t *testing.T, m *machine.Machine) ssh.PublicKey {
	t.Helper()
	key, err := m.HostKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// eventually polls a condition until it holds or half a minute is over.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("did not happen: %s", what)
		}
	}
}
