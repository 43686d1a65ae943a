package network

import (
	"net"
	"sync"
)

// backlog is how many connections wait to be accepted before the next is refused.
const backlog = 1024

type listener struct {
	iface   *Interface
	port    int
	backlog chan net.Conn
	once    sync.Once
	done    chan struct{}
}

// offer hands a new connection to the listener and reports whether it took it.
func (l *listener) offer(c net.Conn) bool {
	select {
	case <-l.done:
		return false
	default:
	}
	select {
	case l.backlog <- c:
		return true
	case <-l.done:
		return false
	default:
		return false
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, l.closed()
	default:
	}
	select {
	case c := <-l.backlog:
		return c, nil
	case <-l.done:
		return nil, l.closed()
	}
}

func (l *listener) closed() error {
	return &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
}

// Close implements net.Listener: connections that nobody accepted are reset.
func (l *listener) Close() error {
	l.iface.mu.Lock()
	if l.iface.listeners[l.port] == l {
		delete(l.iface.listeners, l.port)
	}
	l.iface.mu.Unlock()
	l.shut()
	return nil
}

func (l *listener) shut() {
	l.once.Do(func() { close(l.done) })
	for {
		select {
		case c := <-l.backlog:
			c.(*Conn).Reset()
		default:
			return
		}
	}
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4zero, Port: l.port}
}
