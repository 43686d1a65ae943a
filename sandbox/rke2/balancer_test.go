package rke2_test

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/rke2"
)

// disk is the real file system.
type disk struct{}

func (disk) ReadFile(name string) ([]byte, error)       { return os.ReadFile(name) }
func (disk) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (disk) Remove(name string) error                   { return os.Remove(name) }
func (disk) Symlink(target, name string) error          { return os.Symlink(target, name) }
func (disk) Readlink(name string) (string, error)       { return os.Readlink(name) }

func (disk) MkdirAll(name string, mode fs.FileMode) error { return os.MkdirAll(name, mode) }

func (disk) WriteFile(name string, data []byte, mode fs.FileMode) error {
	return os.WriteFile(name, data, mode)
}

// names is a network in which a name leads to an address, and in which some addresses answer.
type names struct {
	where map[string]string // by host:port
	alive map[string]bool
}

func (names) Addresses() ([]netip.Addr, error) { return nil, nil }

func (names) Listen(context.Context, int) (net.Listener, error) {
	return nil, errors.New("nobody listens here")
}

func (n names) Dial(_ context.Context, address string) (net.Conn, error) {
	if at, ok := n.where[address]; ok {
		address = at
	}
	if !n.alive[address] {
		return nil, errors.New(address + ": connection refused")
	}
	near, _ := net.Pipe()
	return connTo{near, address}, nil
}

// connTo is a connection that knows where it leads.
type connTo struct {
	net.Conn
	address string
}

func (c connTo) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.address))
}

func TestBalancer(t *testing.T) {
	t.Parallel()
	const url, old, moved = "https://cp.cx.internal:9345", "10.10.1.10:6443", "10.10.2.10:6443"
	state := func(url, address string) string {
		return `{"ServerURL":"` + url + `","ServerAddresses":["` + address + `"]}`
	}
	for name, c := range map[string]struct {
		state string // the file; empty: none
		alive string
		want  string // address that the connection leads to; empty: none
		kept  string // address in the file afterwards
	}{
		"first connection":                {alive: moved, want: moved, kept: moved},
		"remembered":                      {state: state(url, old), alive: old, want: old, kept: old},
		"the name leads somewhere else":   {state: state(url, old), alive: moved, want: moved, kept: moved},
		"remembered of another server":    {state: state("https://other:9345", old), alive: old, kept: old},
		"remembered of another server, 2": {state: state("https://other:9345", old), alive: moved, want: moved, kept: moved},
		"torn":                            {state: `{"ServerURL":"https`, alive: moved, want: moved, kept: moved},
		"nobody answers":                  {state: state(url, old), kept: old},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "lb.json")
			if c.state != "" {
				if err := os.WriteFile(file, []byte(c.state), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			network := names{where: map[string]string{"cp.cx.internal:6443": moved}, alive: map[string]bool{c.alive: true}}
			conn, err := rke2.NewBalancer(rke2.Host{Files: disk{}, Network: network}, url, "cp.cx.internal", file).Dial(t.Context())
			switch {
			case err != nil && c.want != "":
				t.Fatal(err)
			case err == nil:
				if got := conn.RemoteAddr().String(); got != c.want {
					t.Errorf("connected to %s, want %q", got, c.want)
				}
			}
			data, err := os.ReadFile(file)
			if err != nil || !strings.Contains(string(data), c.kept) {
				t.Errorf("file: %s, %v; want %s in it", data, err, c.kept)
			}
		})
	}
}
