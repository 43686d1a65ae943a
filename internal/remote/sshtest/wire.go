package sshtest

import (
	"net"
	"sync"
	"time"
)

// wire is the network between clients and a host.
type wire struct {
	delay time.Duration

	mu   sync.Mutex // guards open
	open chan struct{}
}

// passage returns a channel that is closed while the wire is whole; nil means that it was never cut.
func (w *wire) passage() chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.open
}

func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open = make(chan struct{})
}

func (w *wire) mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open != nil {
		close(w.open)
		w.open = nil
	}
}

func (w *wire) over(raw net.Conn) net.Conn {
	c := &wired{Conn: raw, wire: w, closed: make(chan struct{})}
	if w.delay > 0 {
		c.late = make(chan packet, 1024)
		go c.deliver()
	}
	return c
}

// wired is the host's end of a connection. The whole round trip is added to what the host sends.
type wired struct {
	net.Conn
	wire   *wire
	late   chan packet
	once   sync.Once
	closed chan struct{}
}

type packet struct {
	data []byte
	due  time.Time
}

func (c *wired) pass() error {
	p := c.wire.passage()
	if p == nil {
		return nil
	}
	select {
	case <-p:
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

func (c *wired) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if gone := c.pass(); gone != nil {
		return 0, gone
	}
	return n, err
}

func (c *wired) Write(p []byte) (int, error) {
	if err := c.pass(); err != nil {
		return 0, err
	}
	if c.late == nil {
		return c.Conn.Write(p)
	}
	select {
	case c.late <- packet{append([]byte{}, p...), time.Now().Add(c.wire.delay)}:
		return len(p), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

func (c *wired) deliver() {
	for {
		select {
		case p := <-c.late:
			t := time.NewTimer(time.Until(p.due))
			select {
			case <-t.C:
			case <-c.closed:
				t.Stop()
				return
			}
			if _, err := c.Conn.Write(p.data); err != nil {
				return // the connection is lost
			}
		case <-c.closed:
			return
		}
	}
}

func (c *wired) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
