package network

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Interface is a host's connection to the network: its addresses, its listeners and its open connections.
type Interface struct {
	host  string
	net   *Network
	addrs []netip.Addr

	accepted atomic.Uint64

	mu        sync.Mutex // guards the fields below; taken before a link's lock, never after it
	listeners map[int]*listener
	links     map[*link]struct{}
	lastPort  uint16
	cut       bool
	up        bool
}

// Host is the name that the interface was attached with.
func (i *Interface) Host() string { return i.host }

// Addrs are the addresses of the interface, its 127.0.0.1 not among them.
func (i *Interface) Addrs() []netip.Addr { return slices.Clone(i.addrs) }

// Accepted counts the connections that were made to this interface since it was attached, its own loopback included.
func (i *Interface) Accepted() uint64 { return i.accepted.Load() }

// IsCut tells whether the line is cut.
func (i *Interface) IsCut() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.cut
}

// Cut pulls the network cable: what is under way is held back, connections fail when the line stays cut for thirty
// seconds, and nobody can dial in or out. The loopback goes on working.
func (i *Interface) Cut() { i.setCut(true) }

// Mend plugs the cable in again: what was held back arrives.
func (i *Interface) Mend() { i.setCut(false) }

func (i *Interface) setCut(cut bool) {
	i.mu.Lock()
	i.cut = cut
	links := i.openLinks()
	i.mu.Unlock()
	for _, l := range links {
		l.refresh()
	}
}

// Down is a power cut: listeners and the host's own ends of its connections are gone at once, and its peers notice
// nothing, because nothing is sent; their connections fail after thirty seconds or when the host comes Up again.
func (i *Interface) Down() {
	i.mu.Lock()
	i.up = false
	listeners := i.listeners
	i.listeners = map[int]*listener{}
	links := i.openLinks()
	i.mu.Unlock()
	for _, l := range listeners {
		l.shut()
	}
	for _, l := range links {
		l.abandon(i)
	}
}

// Up powers the interface on. Peers that still hold a connection from before get a reset, as from a kernel that
// does not know the connection.
func (i *Interface) Up() {
	i.mu.Lock()
	i.up = true
	links := i.openLinks()
	i.mu.Unlock()
	for _, l := range links {
		if l.abandonedBy(i) {
			l.fail(syscall.ECONNRESET)
		}
	}
}

func (i *Interface) openLinks() []*link {
	links := make([]*link, 0, len(i.links))
	for l := range i.links {
		links = append(links, l)
	}
	return links
}

func (i *Interface) reachable() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.up && !i.cut
}

func (i *Interface) isUp() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.up
}

// Dial connects from this interface; 127.0.0.1 is the interface itself. The errors are those of TCP on Linux:
// ECONNREFUSED where nobody listens, EHOSTUNREACH after three seconds where no host answers (unknown address, host
// powered off, line cut), and the context's error.
func (i *Interface) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	local := addr.Addr().IsLoopback() || slices.Contains(i.addrs, addr.Addr())
	from := addr.Addr()
	target := i
	if !local {
		target = i.net.lookup(addr.Addr())
		from = i.sourceFor(addr.Addr())
	}
	if !i.isUp() {
		return nil, connectError(from, addr, syscall.ENETDOWN)
	}
	if !local {
		if target == nil || !i.reachable() || !target.reachable() {
			return nil, i.unreachable(ctx, from, addr)
		}
		if err := sleep(ctx, 2*i.net.Latency()); err != nil {
			return nil, dialError(from, addr, err)
		}
	}
	return i.connect(target, from, addr, local)
}

func (i *Interface) unreachable(ctx context.Context, from netip.Addr, addr netip.AddrPort) error {
	if err := sleep(ctx, resolveWait); err != nil {
		return dialError(from, addr, err)
	}
	return connectError(from, addr, syscall.EHOSTUNREACH)
}

// sourceFor picks the address that shares the longest prefix with the target, as the kernel's routing would.
func (i *Interface) sourceFor(to netip.Addr) netip.Addr {
	var best netip.Addr
	bits := -1
	for _, a := range i.addrs {
		if n := commonBits(a, to); n > bits {
			best, bits = a, n
		}
	}
	return best
}

func commonBits(a, b netip.Addr) int {
	if a.BitLen() != b.BitLen() {
		return -1
	}
	for n := a.BitLen(); n > 0; n-- {
		if p, err := a.Prefix(n); err == nil && p.Contains(b) {
			return n
		}
	}
	return 0
}

func (i *Interface) connect(target *Interface, from netip.Addr, addr netip.AddrPort, local bool) (net.Conn, error) {
	source := netip.AddrPortFrom(from, i.ephemeral())
	l := newLink(i, target, source, addr, local)
	target.mu.Lock()
	lis := target.listeners[int(addr.Port())]
	target.mu.Unlock()
	if lis == nil {
		return nil, connectError(from, addr, syscall.ECONNREFUSED)
	}
	// Both ends are registered before the listener sees the connection, so that a cut or a power cut finds it.
	l.register()
	if !lis.offer(l.end(1)) {
		l.fail(syscall.ECONNREFUSED)
		return nil, connectError(from, addr, syscall.ECONNREFUSED)
	}
	target.accepted.Add(1)
	l.refresh()
	return l.end(0), nil
}

// Listen accepts connections to port on all addresses of the interface (its loopback included). Port 0 picks a free one.
func (i *Interface) Listen(port int) (net.Listener, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	at := &net.TCPAddr{IP: net.IPv4zero, Port: port}
	if !i.up {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: at, Err: os.NewSyscallError("bind", syscall.ENETDOWN)}
	}
	if port == 0 {
		for port = 32768; i.listeners[port] != nil; port++ {
		}
	}
	if i.listeners[port] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: at, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	l := &listener{iface: i, port: port, backlog: make(chan net.Conn, backlog), done: make(chan struct{})}
	i.listeners[port] = l
	return l, nil
}

func (i *Interface) ephemeral() uint16 {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.lastPort < 40000 || i.lastPort == 60999 {
		i.lastPort = 40000
	}
	i.lastPort++
	return i.lastPort
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
