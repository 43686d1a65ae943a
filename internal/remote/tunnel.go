package remote

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// tunnel is a connection that was opened from a host. The library's channels know no deadlines, which HTTP clients need:
// so the user gets one end of a pipe, which has them, and two copies keep the other end and the channel together.
type tunnel struct {
	net.Conn // our end of the pipe
	target   Target
	ssh      *conn
	remote   tunnelAddr
}

// tunnelAddr is an address as the host sees it.
type tunnelAddr string

func (tunnelAddr) Network() string  { return "tcp" }
func (a tunnelAddr) String() string { return string(a) }

func newTunnel(t Target, c *conn, far net.Conn, addr string) *tunnel {
	near, inner := net.Pipe()
	over := make(chan struct{})
	end := sync.OnceFunc(func() {
		close(over)
		_ = far.Close() // an error means that it was closed already
		_ = inner.Close()
	})
	go func() { // what is on its way to a reader who does not read must not outlive the connection
		select {
		case <-c.dead:
			end()
		case <-over:
		}
	}()
	go func() {
		defer end()
		_, _ = io.Copy(inner, far) // how it ended is told by Read
	}()
	go func() {
		defer end()
		_, _ = io.Copy(far, inner)
	}()
	return &tunnel{Conn: near, target: t, ssh: c, remote: tunnelAddr(addr)}
}

// Read returns io.EOF when the far side closed the connection, and an error when it was the host that got lost.
func (t *tunnel) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	if errors.Is(err, io.EOF) && !t.ssh.answers(lifeSign) {
		return n, fmt.Errorf("%s: the tunnel to %s was lost: %w", t.target, t.remote, io.ErrUnexpectedEOF)
	}
	return n, err
}

// LocalAddr returns the host's name.
func (t *tunnel) LocalAddr() net.Addr { return tunnelAddr(t.target.Host) }

// RemoteAddr returns the address as it was dialled.
func (t *tunnel) RemoteAddr() net.Addr { return t.remote }
