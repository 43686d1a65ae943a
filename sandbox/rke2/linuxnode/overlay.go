//go:build linux

package linuxnode

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/vishvananda/netlink"
)

// The overlay is Canal's: flannel's VXLAN device and its settings (domain.md §2.7).
const (
	deviceName   = "flannel.1"
	networkID    = 1
	overlayPort  = 8472
	overlayBytes = 50 // of headers around every packet
)

// overlay is this host's end of the network between the nodes: one VXLAN device, and for each other node a route, a neighbour and
// a forwarding entry, as flannel makes them. A device's hardware address follows from its host's address, so nodes need not
// tell each other.
type overlay struct {
	own    seat
	device netlink.Link
	mtu    int
}

// openOverlay makes the device, or takes the one that is there if it fits.
func openOverlay(own seat) (*overlay, error) {
	parent, err := interfaceOf(own.host)
	if err != nil {
		return nil, err
	}
	o := &overlay{own: own, mtu: parent.Attrs().MTU - overlayBytes}
	want := &netlink.Vxlan{
		LinkAttrs: netlink.LinkAttrs{Name: deviceName, MTU: o.mtu, HardwareAddr: hardwareAddress(own.host)},
		VxlanId:   networkID, VtepDevIndex: parent.Attrs().Index, SrcAddr: own.host.AsSlice(), Port: overlayPort, Learning: false,
	}
	if o.device, err = ensureDevice(want); err != nil {
		return nil, fmt.Errorf("%s: %w", deviceName, err)
	}
	// The first address of the range is the device's own, as flannel has it.
	address := &netlink.Addr{IPNet: &net.IPNet{IP: own.pods.Masked().Addr().AsSlice(), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrReplace(o.device, address); err != nil {
		return nil, fmt.Errorf("%s: address: %w", deviceName, err)
	}
	if err := netlink.LinkSetUp(o.device); err != nil {
		return nil, fmt.Errorf("%s: %w", deviceName, err)
	}
	return o, nil
}

// interfaceOf is the network interface that has an address.
func interfaceOf(address netip.Addr) (netlink.Link, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	for _, link := range links {
		addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(addresses, func(a netlink.Addr) bool { return a.IP.Equal(address.AsSlice()) }) {
			return link, nil
		}
	}
	return nil, fmt.Errorf("node IP: %q not found in the host's network interfaces", address)
}

// ensureDevice returns the device; one of the same name that differs goes first.
func ensureDevice(want *netlink.Vxlan) (netlink.Link, error) {
	there, err := netlink.LinkByName(want.Name)
	if err == nil {
		is, ok := there.(*netlink.Vxlan)
		if ok && is.VxlanId == want.VxlanId && is.VtepDevIndex == want.VtepDevIndex && is.SrcAddr.Equal(want.SrcAddr) &&
			is.Port == want.Port && is.MTU == want.MTU && is.HardwareAddr.String() == want.HardwareAddr.String() {
			return there, nil
		}
		if err := netlink.LinkDel(there); err != nil {
			return nil, err
		}
	} else if !errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil, err
	}
	if err := netlink.LinkAdd(want); err != nil {
		return nil, err
	}
	return netlink.LinkByName(want.Name)
}

// hardwareAddress is the address of a host's device.
func hardwareAddress(host netip.Addr) net.HardwareAddr {
	ip := host.As4()
	return net.HardwareAddr{0x0a, 0x58, ip[0], ip[1], ip[2], ip[3]}
}

// setPeers makes the device lead to these nodes' pods and to no others.
func (o *overlay) setPeers(peers []seat) error {
	var errs []error
	for _, peer := range peers {
		if err := o.addPeer(peer); err != nil {
			errs = append(errs, fmt.Errorf("way to the pods %s on %s: %w", peer.pods, peer.host, err))
		}
	}
	return errors.Join(append(errs, o.removeOthers(peers))...)
}

func (o *overlay) addPeer(peer seat) error {
	index := o.device.Attrs().Index
	gateway := net.IP(peer.pods.Masked().Addr().AsSlice())
	hardware := hardwareAddress(peer.host)
	err := netlink.NeighSet(&netlink.Neigh{
		LinkIndex: index, Family: syscall.AF_BRIDGE, State: netlink.NUD_PERMANENT, Flags: netlink.NTF_SELF,
		IP: peer.host.AsSlice(), HardwareAddr: hardware,
	})
	if err != nil {
		return fmt.Errorf("forwarding entry: %w", err)
	}
	err = netlink.NeighSet(&netlink.Neigh{
		LinkIndex: index, Family: netlink.FAMILY_V4, State: netlink.NUD_PERMANENT, Type: syscall.RTN_UNICAST,
		IP: gateway, HardwareAddr: hardware,
	})
	if err != nil {
		return fmt.Errorf("neighbour: %w", err)
	}
	err = netlink.RouteReplace(&netlink.Route{
		LinkIndex: index, Scope: netlink.SCOPE_UNIVERSE, Dst: network(peer.pods), Gw: gateway, Flags: int(netlink.FLAG_ONLINK),
	})
	if err != nil {
		return fmt.Errorf("route: %w", err)
	}
	return nil
}

// removeOthers removes routes, neighbours and forwarding entries that belong to no peer.
func (o *overlay) removeOthers(peers []seat) error {
	index := o.device.Attrs().Index
	hardware, pods := map[string]bool{}, map[string]bool{}
	for _, peer := range peers {
		hardware[hardwareAddress(peer.host).String()+peer.pods.Masked().Addr().String()] = true
		hardware[hardwareAddress(peer.host).String()+peer.host.String()] = true
		pods[network(peer.pods).String()] = true
	}
	routes, err := netlink.RouteList(o.device, netlink.FAMILY_V4)
	if err != nil {
		return err
	}
	var errs []error
	for _, route := range routes {
		if route.Gw != nil && route.Dst != nil && !pods[route.Dst.String()] {
			errs = append(errs, netlink.RouteDel(&route))
		}
	}
	for _, family := range []int{netlink.FAMILY_V4, syscall.AF_BRIDGE} {
		neighbours, err := netlink.NeighList(index, family)
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, one := range neighbours {
			if one.State&netlink.NUD_PERMANENT != 0 && one.IP != nil && !hardware[one.HardwareAddr.String()+one.IP.String()] {
				errs = append(errs, netlink.NeighDel(&one))
			}
		}
	}
	return errors.Join(errs...)
}

func network(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Masked().Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
}
