package network

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Network is a set of interfaces that reach each other. The zero value is not usable; call New.
type Network struct {
	mu        sync.Mutex // guards the fields below
	byAddr    map[netip.Addr]*Interface
	latency   time.Duration
	announced map[netip.Addr]netip.Addr // address to the address of the host that answers ARP for it
	foreign   map[netip.Addr]bool       // machines that are none of ours
}

// New returns an empty private network.
func New() *Network {
	return &Network{byAddr: map[netip.Addr]*Interface{}, foreign: map[netip.Addr]bool{}}
}

// Attach gives a host its addresses; every interface also has its own 127.0.0.1. An address that another interface
// already has is a mistake of the caller and panics: two hosts with one address cannot be told apart afterwards.
func (n *Network) Attach(host string, addrs ...netip.Addr) *Interface {
	i := &Interface{
		host: host, net: n, addrs: slices.Clone(addrs),
		listeners: map[int]*listener{}, links: map[*link]struct{}{}, up: true,
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range addrs {
		if other, ok := n.byAddr[a]; ok {
			panic(fmt.Sprintf("network: address %s of host %s belongs to host %s already; this is a bug in the sandbox", a, host, other.host))
		}
		n.byAddr[a] = i
	}
	return i
}

// SetLatency sets the one-way delay between two different hosts: a round trip takes 2*d. Loopback has none.
// Connections that exist already use the new delay for what is sent from now on.
func (n *Network) SetLatency(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.latency = d
}

// Latency is the one-way delay that SetLatency set.
func (n *Network) Latency() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.latency
}

func (n *Network) lookup(a netip.Addr) *Interface {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byAddr[a]
}
