package network

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// window is how much data may be under way in one direction before a writer has to wait.
const window = 256 << 10

// link is one connection: two ends and a stream of data in each direction.
type link struct {
	ifaces [2]*Interface // dialler, listener
	addrs  [2]netip.AddrPort
	local  bool // both ends on one host: no latency, no cut
	ends   [2]*Conn

	mu        sync.Mutex // guards the fields below
	changed   chan struct{}
	in        [2]stream // in[n] is what end n reads
	held      bool      // the line is cut or one host is off: nothing arrives
	abandoned [2]bool   // the end's host lost its power
	err       error     // reset or timeout: both directions are dead
	timer     *time.Timer
}

// stream is what travels in one direction.
type stream struct {
	chunks     []chunk
	size       int
	finSent    bool // the writer has closed its side; a chunk with fin set is in the queue
	readClosed bool // the reader has closed its end
}

// chunk is some data with the moment at which it arrives; a chunk that is held has no such moment yet.
type chunk struct {
	data []byte
	fin  bool
	held bool
	at   time.Time
}

func newLink(dialler, target *Interface, from, to netip.AddrPort, local bool) *link {
	l := &link{
		ifaces: [2]*Interface{dialler, target}, addrs: [2]netip.AddrPort{from, to},
		local: local, changed: make(chan struct{}),
	}
	l.ends[0] = &Conn{link: l, side: 0, local: from, remote: to}
	l.ends[1] = &Conn{link: l, side: 1, local: to, remote: from}
	return l
}

func (l *link) end(side int) *Conn { return l.ends[side] }

func (l *link) register() {
	for _, i := range l.ifaces {
		i.mu.Lock()
		i.links[l] = struct{}{}
		i.mu.Unlock()
	}
}

func (l *link) unregister() {
	for _, i := range l.ifaces {
		i.mu.Lock()
		delete(i.links, l)
		i.mu.Unlock()
	}
}

// notify wakes everybody who waits on the link. The caller holds l.mu.
func (l *link) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// refresh recomputes whether data can pass and starts or stops the clock of a dead connection.
func (l *link) refresh() {
	if l.local {
		return
	}
	pass := l.ifaces[0].reachable() && l.ifaces[1].reachable()
	latency := l.ifaces[0].net.Latency()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.abandoned[0] || l.abandoned[1] {
		pass = false
	}
	if pass == !l.held {
		return
	}
	l.held = !pass
	if l.held {
		l.hold()
	} else {
		l.release(latency)
	}
	l.notify()
}

// hold keeps back what has not arrived yet. The caller holds l.mu.
func (l *link) hold() {
	now := time.Now()
	for n := range l.in {
		for c := range l.in[n].chunks {
			if l.in[n].chunks[c].at.After(now) {
				l.in[n].chunks[c].held = true
			}
		}
	}
	l.timer = time.AfterFunc(deadAfter, func() { l.fail(syscall.ETIMEDOUT) })
}

// release sends what was held back. The caller holds l.mu.
func (l *link) release(latency time.Duration) {
	if l.timer != nil {
		l.timer.Stop()
	}
	at := time.Now().Add(latency)
	for n := range l.in {
		for c := range l.in[n].chunks {
			if l.in[n].chunks[c].held {
				l.in[n].chunks[c].held, l.in[n].chunks[c].at = false, at
			}
		}
	}
}

// abandon takes the end on interface i away without a word to the peer.
func (l *link) abandon(i *Interface) {
	if l.local {
		l.fail(syscall.ECONNABORTED)
		return
	}
	l.mu.Lock()
	for n := range l.ifaces {
		if l.ifaces[n] == i {
			l.abandoned[n] = true
		}
	}
	l.notify()
	l.mu.Unlock()
	l.refresh()
}

func (l *link) abandonedBy(i *Interface) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.abandoned[0] && l.ifaces[0] == i || l.abandoned[1] && l.ifaces[1] == i
}

// fail ends the connection in both directions with err; the first error stays.
func (l *link) fail(err error) {
	l.mu.Lock()
	if l.err == nil {
		l.err = err
	}
	if l.timer != nil {
		l.timer.Stop()
	}
	l.notify()
	l.mu.Unlock()
	l.unregister()
}

// dead is the error that end side gets for any use, nil while the end lives. The caller holds l.mu.
func (l *link) dead(side int) error {
	switch {
	case l.abandoned[side]:
		return syscall.ECONNABORTED
	case l.err != nil:
		return l.err
	}
	return nil
}

// send queues data (or a FIN) for the other end. The caller holds l.mu.
func (l *link) send(side int, data []byte, fin bool, latency time.Duration) {
	s := &l.in[1-side]
	c := chunk{data: data, fin: fin, held: l.held}
	if !l.local {
		c.at = time.Now().Add(latency)
	}
	s.chunks = append(s.chunks, c)
	s.size += len(data)
	s.finSent = s.finSent || fin
	l.notify()
}

// receive copies what has arrived at end side into b. It returns wait > 0 when the next chunk is still under way and
// a negative wait when there is nothing to wait for but a change. The caller holds l.mu.
func (l *link) receive(side int, b []byte) (n int, wait time.Duration, err error) {
	s := &l.in[side]
	for n < len(b) && len(s.chunks) > 0 {
		c := &s.chunks[0]
		if c.held {
			break
		}
		if d := time.Until(c.at); d > 0 {
			wait = d
			break
		}
		if c.fin {
			if n == 0 {
				err = io.EOF
			}
			break
		}
		k := copy(b[n:], c.data)
		n += k
		s.size -= k
		if c.data = c.data[k:]; len(c.data) == 0 {
			s.chunks = s.chunks[1:]
		}
	}
	if n > 0 {
		l.notify()
		return n, 0, nil
	}
	if wait == 0 {
		wait = -1
	}
	return 0, wait, err
}

func (l *link) latency() time.Duration {
	if l.local {
		return 0
	}
	return l.ifaces[0].net.Latency()
}

func tcpAddr(a netip.AddrPort) net.Addr { return net.TCPAddrFromAddrPort(a) }
