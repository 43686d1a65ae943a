package network

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// Announce says which addresses answer ARP besides the hosts' own: each with the address of the host that answers for it,
// as a load balancer's speaker does. It replaces what was announced before. Nothing listens on these addresses.
func (n *Network) Announce(hosts map[netip.Addr]netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.announced = maps.Clone(hosts)
}

// Announced is what Announce said last.
func (n *Network) Announced() map[netip.Addr]netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.announced)
}

// AddForeign puts a machine that is none of ours on an address: it answers ARP, and nothing else.
func (n *Network) AddForeign(addr netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.foreign[addr] = true
}

// RemoveForeign takes such a machine away.
func (n *Network) RemoveForeign(addr netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.foreign, addr)
}

// Foreign are the addresses of the machines that are none of ours, sorted.
func (n *Network) Foreign() []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.SortedFunc(maps.Keys(n.foreign), netip.Addr.Compare)
}

// Reaches tells whether an IP packet to the address would be answered by a host: it is there, has power, and neither line
// is cut. An interface reaches itself while it has power.
func (i *Interface) Reaches(addr netip.Addr) bool {
	if addr.IsLoopback() || slices.Contains(i.addrs, addr) {
		return i.isUp()
	}
	target := i.net.lookup(addr)
	return target != nil && i.reachable() && target.reachable()
}

// Neighbour asks by ARP who has an address, and is the hardware address that answers; "" when nobody does. The whole network
// is one segment. An interface does not ask for its own addresses.
func (i *Interface) Neighbour(addr netip.Addr) string {
	if !i.reachable() || slices.Contains(i.addrs, addr) {
		return ""
	}
	if i.Reaches(addr) {
		return hardware(0x02, addr)
	}
	i.net.mu.Lock()
	host, announced := i.net.announced[addr]
	foreign := i.net.foreign[addr]
	i.net.mu.Unlock()
	switch {
	case announced && i.Reaches(host):
		return hardware(0x02, host)
	case foreign:
		return hardware(0x52, addr)
	}
	return ""
}

// hardware makes an Ethernet address from an IP address.
func hardware(first byte, addr netip.Addr) string {
	b := addr.As16()
	return fmt.Sprintf("%02x:00:%02x:%02x:%02x:%02x", first, b[12], b[13], b[14], b[15])
}

// Network is the network that the interface is attached to.
func (i *Interface) Network() *Network { return i.net }
