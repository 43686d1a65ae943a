package network

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Conn is one end of a connection. Like a *net.TCPConn it can be closed for writing alone.
type Conn struct {
	link          *link
	side          int
	local, remote netip.AddrPort

	mu            sync.Mutex // guards the deadlines
	readDeadline  time.Time
	writeDeadline time.Time
	moved         chan struct{} // closed when a deadline changes

	closed bool // guarded by link.mu
}

var _ net.Conn = (*Conn)(nil)

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	for {
		deadline, moved := c.deadline(&c.readDeadline)
		c.link.mu.Lock()
		changed := c.link.changed
		n, wait, err := 0, time.Duration(-1), error(nil)
		switch {
		case c.closed:
			err = net.ErrClosed
		case expired(deadline):
			err = os.ErrDeadlineExceeded
		case len(b) == 0:
			c.link.mu.Unlock()
			return 0, nil
		default:
			n, wait, err = c.link.receive(c.side, b)
			if n == 0 && err == nil {
				err = c.link.dead(c.side)
			}
		}
		c.link.mu.Unlock()
		if n > 0 || err == io.EOF {
			return n, err
		}
		if err != nil {
			return 0, c.opError("read", err)
		}
		await(changed, moved, deadline, wait)
	}
}

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (int, error) {
	written := 0
	for {
		deadline, moved := c.deadline(&c.writeDeadline)
		latency := c.link.latency()
		c.link.mu.Lock()
		changed := c.link.changed
		err := c.writable(deadline)
		if err == nil {
			out := &c.link.in[1-c.side]
			if n := min(len(b)-written, window-out.size); n > 0 {
				c.link.send(c.side, bytes.Clone(b[written:written+n]), false, latency)
				written += n
			}
		}
		c.link.mu.Unlock()
		if err != nil {
			return written, c.opError("write", err)
		}
		if written == len(b) {
			return written, nil
		}
		await(changed, moved, deadline, -1)
	}
}

// writable is the reason why nothing can be written, nil when something can. The caller holds link.mu.
func (c *Conn) writable(deadline time.Time) error {
	out := &c.link.in[1-c.side]
	switch {
	case c.closed:
		return net.ErrClosed
	case expired(deadline):
		return os.ErrDeadlineExceeded
	case c.link.dead(c.side) != nil:
		return c.link.dead(c.side)
	case out.finSent || out.readClosed:
		return syscall.EPIPE
	}
	return nil
}

// CloseWrite sends a FIN: the peer reads to the end of the data and then EOF; this end can still read.
func (c *Conn) CloseWrite() error {
	latency := c.link.latency()
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	if !c.link.in[1-c.side].finSent {
		c.link.send(c.side, nil, true, latency)
	}
	return nil
}

// Close implements net.Conn. What was written still arrives.
func (c *Conn) Close() error {
	latency := c.link.latency()
	c.link.mu.Lock()
	if c.closed {
		c.link.mu.Unlock()
		return c.opError("close", net.ErrClosed)
	}
	c.closed = true
	c.link.in[c.side].readClosed = true
	if !c.link.in[1-c.side].finSent {
		c.link.send(c.side, nil, true, latency)
	}
	both := c.link.ends[0].closed && c.link.ends[1].closed
	c.link.notify()
	c.link.mu.Unlock()
	if both || c.link.deadNow() {
		c.link.unregister()
	}
	return nil
}

// Reset closes the connection at once: the peer gets ECONNRESET.
func (c *Conn) Reset() {
	c.link.mu.Lock()
	c.closed = true
	c.link.mu.Unlock()
	c.link.fail(syscall.ECONNRESET)
}

func (l *link) deadNow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err != nil
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return tcpAddr(c.local) }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return tcpAddr(c.remote) }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error { return c.setDeadlines(t, true, true) }

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.setDeadlines(t, true, false) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.setDeadlines(t, false, true) }

func (c *Conn) setDeadlines(t time.Time, read, write bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if read {
		c.readDeadline = t
	}
	if write {
		c.writeDeadline = t
	}
	if c.moved != nil {
		close(c.moved)
		c.moved = nil
	}
	return nil
}

func (c *Conn) deadline(which *time.Time) (time.Time, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.moved == nil {
		c.moved = make(chan struct{})
	}
	return *which, c.moved
}

func (c *Conn) opError(op string, err error) error {
	if errno, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError(op, errno)
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

func expired(deadline time.Time) bool {
	return !deadline.IsZero() && !time.Now().Before(deadline)
}

// await returns when the link or a deadline changed, the deadline passed or, for wait >= 0, after wait.
func await(changed, moved <-chan struct{}, deadline time.Time, wait time.Duration) {
	if !deadline.IsZero() {
		if left := time.Until(deadline); wait < 0 || left < wait {
			wait = max(left, 0)
		}
	}
	if wait < 0 {
		select {
		case <-changed:
		case <-moved:
		}
		return
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-changed:
	case <-moved:
	case <-t.C:
	}
}
