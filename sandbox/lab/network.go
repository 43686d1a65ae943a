//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/expertflow/cxha/sandbox/site"
)

// The segments of the lab's network. Each is a bridge in the router's namespace, and the router has the last address in it.
const (
	segmentOutside   = "outside"
	segmentSiteA     = "site-a"
	segmentSiteB     = "site-b"
	segmentStretched = "stretched"
)

// segments are in the order of their networks: 10.10.N.0/24.
var segments = []string{segmentOutside, segmentSiteA, segmentSiteB, segmentStretched}

// outsideAddress is that of the machine outside of the hosts, from which clients come.
var outsideAddress = netip.MustParseAddr("10.10.0.9")

// segmentOf is the segment that an address belongs to.
func segmentOf(addr netip.Addr) (string, error) {
	if b := addr.As16(); addr.Is4() && b[12] == 10 && b[13] == 10 && int(b[14]) < len(segments) {
		return segments[b[14]], nil
	}
	return "", fmt.Errorf("%s: it is in none of the lab's networks 10.10.0.0/24 to 10.10.%d.0/24", addr, len(segments)-1)
}

// routerIn is the router's address in the network of an address.
func routerIn(addr netip.Addr) netip.Addr {
	b := addr.As4()
	b[3] = 254
	return netip.AddrFrom4(b)
}

// hardware makes a fixed Ethernet address from an IP address: one that changed would not be found for a minute.
func hardware(first byte, addr netip.Addr) string {
	b := addr.As4()
	return fmt.Sprintf("%02x:00:%02x:%02x:%02x:%02x", first, b[0], b[1], b[2], b[3])
}

const (
	ownHardware     = 0x02
	foreignHardware = 0x52
)

// newRouter makes the namespace that has the bridges and forwards between them.
func newRouter(ctx context.Context) (*namespace, error) {
	router, err := newNamespace()
	if err != nil {
		return nil, err
	}
	var lines []string
	for n, segment := range segments {
		addr := netip.AddrFrom4([4]byte{10, 10, byte(n), 254})
		lines = append(lines,
			fmt.Sprintf("link add %s address %s type bridge", segment, hardware(ownHardware, addr)),
			fmt.Sprintf("addr add %s/24 dev %s", addr, segment), fmt.Sprintf("link set %s up", segment))
	}
	err = router.ip(ctx, lines...)
	if err == nil {
		err = router.setSysctls(map[string]string{"ipv4/ip_forward": "1", "ipv4/conf/all/rp_filter": "0", "ipv4/conf/all/send_redirects": "0"})
	}
	if err != nil {
		return nil, errors.Join(err, router.close())
	}
	return router, nil
}

// port is the router's end of the nth line of a machine.
func port(machine string, n int) string { return fmt.Sprintf("%s-%d", machine, n) }

// plug connects a namespace to the segments of its addresses: eth0 has the first, and through it goes everything else. first is the
// first byte of its Ethernet addresses; cut lines stay down.
func (l *Lab) plug(ctx context.Context, machine string, ns *namespace, first byte, cut bool, addrs ...netip.Addr) error {
	var lines, own []string
	state := "up"
	if cut {
		state = "down"
	}
	for n, addr := range addrs {
		segment, err := segmentOf(addr)
		if err != nil {
			return err
		}
		lines = append(lines,
			fmt.Sprintf("link add %s type veth peer name eth%d address %s netns %s", port(machine, n), n, hardware(first, addr), ns.path()),
			fmt.Sprintf("link set %s master %s %s", port(machine, n), segment, state))
		own = append(own, fmt.Sprintf("addr add %s/24 dev eth%d", addr, n), fmt.Sprintf("link set eth%d up", n))
	}
	if err := l.router.ip(ctx, lines...); err != nil {
		return fmt.Errorf("%s: network: %w", machine, err)
	}
	own = append(own, fmt.Sprintf("route add default via %s", routerIn(addrs[0])))
	if err := errors.Join(ns.ip(ctx, own...), ns.setSysctls(map[string]string{"ipv4/conf/all/rp_filter": "0", "ipv4/conf/default/rp_filter": "0"})); err != nil {
		return fmt.Errorf("%s: network: %w", machine, err)
	}
	return nil
}

// unplug removes a machine's lines.
func (l *Lab) unplug(ctx context.Context, machine string, lines int) error {
	var words []string
	for n := range lines {
		words = append(words, "link del "+port(machine, n))
	}
	return l.router.ip(ctx, words...)
}

// addMachine is a namespace with one address in which the lab itself does something.
func (l *Lab) addMachine(ctx context.Context, name string, first byte, addr netip.Addr) (*namespace, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	if err := l.plug(ctx, name, ns, first, false, addr); err != nil {
		return nil, errors.Join(err, ns.close())
	}
	return ns, nil
}

// foreignName is short enough for an interface.
func foreignName(addr netip.Addr) string {
	b := addr.As4()
	return fmt.Sprintf("x%d-%d", b[2], b[3])
}

// addForeign puts a machine that is none of ours on an address.
func (l *Lab) addForeign(ctx context.Context, addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.foreign[addr] != nil {
		return nil
	}
	if _, err := segmentOf(addr); err != nil {
		return err
	}
	for _, h := range append([]site.Host{site.Bastion()}, l.layout...) {
		if addr == h.Address || addr == h.Stretched {
			return fmt.Errorf("%s belongs to host %s", addr, h.Name)
		}
	}
	for name, own := range map[string]netip.Addr{"the mirror": site.MirrorAddress, "outside": outsideAddress, "the lab's watcher": watcherAddress, "the router": routerIn(addr)} {
		if addr == own {
			return fmt.Errorf("%s belongs to %s", addr, name)
		}
	}
	ns, err := l.addMachine(ctx, foreignName(addr), foreignHardware, addr)
	if err != nil {
		return err
	}
	l.foreign[addr] = ns
	return nil
}

func (l *Lab) removeForeign(ctx context.Context, addr netip.Addr) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	ns := l.foreign[addr]
	if ns == nil {
		return nil
	}
	delete(l.foreign, addr)
	return errors.Join(l.unplug(ctx, foreignName(addr), 1), ns.close())
}

// braces makes a set of nftables.
func braces(words []string) string { return "{ " + strings.Join(words, ", ") + " }" }
