package sshtest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema/blueprint"
)

// User is the name as which the world's hosts expect logins.
const User = "ops"

// World is a set of virtual hosts. It ends with its test.
type World struct {
	tb         testing.TB
	dir        string
	public     ssh.PublicKey
	mu         sync.Mutex // guards what follows
	hosts      []*Host
	bastion    *Host
	knownHosts *os.File
}

// NewWorld returns a world without hosts.
func NewWorld(tb testing.TB) *World {
	tb.Helper()
	w := &World{tb: tb, dir: tb.TempDir()}
	w.public = w.writeKey()
	f, err := os.Create(w.KnownHosts())
	if err != nil {
		tb.Fatal(err)
	}
	w.knownHosts = f
	tb.Cleanup(w.end)
	return w
}

func (w *World) end() {
	w.mu.Lock()
	hosts := append([]*Host{}, w.hosts...)
	w.mu.Unlock()
	for _, h := range hosts {
		h.Off()
	}
	if err := w.knownHosts.Close(); err != nil {
		w.tb.Error(err)
	}
}

// KeyFile returns the path of the user's private key.
func (w *World) KeyFile() string { return filepath.Join(w.dir, "id_ed25519") }

// KnownHosts returns the path of the file with all host keys. Tests may rewrite it.
func (w *World) KnownHosts() string { return filepath.Join(w.dir, "known_hosts") }

func (w *World) writeKey() ssh.PublicKey {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		w.tb.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "sshtest")
	if err != nil {
		w.tb.Fatal(err)
	}
	if err := os.WriteFile(w.KeyFile(), pem.EncodeToMemory(block), 0o600); err != nil {
		w.tb.Fatal(err)
	}
	return Signer(w.tb, private).PublicKey()
}

// Signer returns a private key as the SSH library wants it.
func Signer(tb testing.TB, private any) ssh.Signer {
	tb.Helper()
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// NewKey returns a new ed25519 key.
func NewKey(tb testing.TB) ssh.Signer {
	tb.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return Signer(tb, private)
}

// Host switches a new host on.
func (w *World) Host(name string, o Options) *Host {
	w.tb.Helper()
	h := newHost(w, name, o)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hosts = append(w.hosts, h)
	if _, err := w.knownHosts.WriteString(h.KnownHostsLine() + "\n"); err != nil {
		w.tb.Fatal(err)
	}
	return h
}

// Bastion switches a bastion on. It forwards to the hosts of the world by their addresses, and every host's Spec then goes through it.
func (w *World) Bastion(o Options) *Host {
	w.tb.Helper()
	b := w.Host("bastion", o)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bastion = b
	return b
}

// Spec returns how to reach a host.
func (w *World) Spec(h *Host) providers.HostSpec {
	w.mu.Lock()
	b := w.bastion
	w.mu.Unlock()
	address, port := h.endpoint()
	spec := providers.HostSpec{Name: h.name, Address: address, SSH: blueprint.SSH{
		User: User, Port: port, Key: w.KeyFile(), KnownHosts: w.KnownHosts(),
	}}
	if b != nil {
		address, port := b.endpoint()
		spec.SSH.Bastion = &blueprint.Bastion{Address: address, User: User, Port: port}
	}
	return spec
}

// dial connects to an address as one who is inside the world: hosts are found by their virtual addresses.
func (w *World) dial(addr string) (net.Conn, error) {
	w.mu.Lock()
	real := addr
	for _, h := range w.hosts {
		address, port := h.endpoint()
		if net.JoinHostPort(address, strconv.Itoa(port)) == addr {
			real = h.addr
		}
	}
	w.mu.Unlock()
	return net.Dial("tcp", real)
}

// line returns a line of known_hosts.
func line(address string, port int, key ssh.PublicKey) string {
	return knownhosts.Line([]string{net.JoinHostPort(address, strconv.Itoa(port))}, key)
}
