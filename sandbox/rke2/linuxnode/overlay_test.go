//go:build linux

package linuxnode_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/expertflow/cxha/sandbox/rke2/linuxnode"
)

// inNamespace runs a test in a network namespace of its own, with a bridge that has the address 10.10.1.10.
func inNamespace(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a network namespace needs root")
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		ns, err := netns.New()
		if err != nil {
			t.Errorf("network namespace: %v", err)
			return
		}
		defer ns.Close()
		if err := addBridge(); err != nil {
			t.Errorf("bridge: %v", err)
			return
		}
		test(t)
	}()
	<-ended
}

func addBridge() error {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "eth0", MTU: 1500}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return err
	}
	address, err := netlink.ParseAddr("10.10.1.10/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(bridge, address); err != nil {
		return err
	}
	return netlink.LinkSetUp(bridge)
}

func seat(pods, host string) linuxnode.Seat {
	return linuxnode.Seat{Pods: netip.MustParsePrefix(pods), Host: netip.MustParseAddr(host)}
}

// ways are the routes, neighbours and forwarding entries of the overlay's device, sorted.
func ways() ([]string, error) {
	device, err := netlink.LinkByName("flannel.1")
	if err != nil {
		return nil, err
	}
	routes, err := netlink.RouteList(device, netlink.FAMILY_V4)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, route := range routes {
		found = append(found, fmt.Sprintf("route %s via %s", route.Dst, route.Gw))
	}
	for name, family := range map[string]int{"neighbour": netlink.FAMILY_V4, "forwarding": syscall.AF_BRIDGE} {
		neighbours, err := netlink.NeighList(device.Attrs().Index, family)
		if err != nil {
			return nil, err
		}
		for _, one := range neighbours {
			if one.State&netlink.NUD_PERMANENT != 0 {
				found = append(found, fmt.Sprintf("%s %s at %s", name, one.IP, one.HardwareAddr))
			}
		}
	}
	slices.Sort(found)
	return found, nil
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	inNamespace(t, func(t *testing.T) {
		own, w1, w2 := seat("10.42.0.0/24", "10.10.1.10"), seat("10.42.1.0/24", "10.10.1.11"), seat("10.42.2.0/24", "10.10.2.11")
		overlay, err := linuxnode.OpenOverlay(own)
		if err != nil {
			t.Errorf("open: %v", err)
			return
		}
		first := checkDevice(t)
		toW1 := []string{"forwarding 10.10.1.11 at 0a:58:0a:0a:01:0b", "neighbour 10.42.1.0 at 0a:58:0a:0a:01:0b", "route 10.42.1.0/24 via 10.42.1.0"}
		toW2 := []string{"forwarding 10.10.2.11 at 0a:58:0a:0a:02:0b", "neighbour 10.42.2.0 at 0a:58:0a:0a:02:0b", "route 10.42.2.0/24 via 10.42.2.0"}
		moved := []string{"forwarding 10.10.1.12 at 0a:58:0a:0a:01:0c", "neighbour 10.42.1.0 at 0a:58:0a:0a:01:0c", "route 10.42.1.0/24 via 10.42.1.0"}
		for _, step := range []struct {
			name  string
			peers []linuxnode.Seat
			want  []string
		}{
			{"two peers", []linuxnode.Seat{w1, w2}, append(slices.Clone(toW1), toW2...)},
			{"the same again", []linuxnode.Seat{w1, w2}, append(slices.Clone(toW1), toW2...)},
			{"one has gone", []linuxnode.Seat{w1}, toW1},
			{"one has another address", []linuxnode.Seat{seat("10.42.1.0/24", "10.10.1.12")}, moved},
			{"none is left", nil, nil},
		} {
			if err := overlay.SetPeers(step.peers...); err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			slices.Sort(step.want)
			got, err := ways()
			if err != nil {
				t.Errorf("%s: %v", step.name, err)
			}
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", step.name, diff)
			}
		}
		if _, err := linuxnode.OpenOverlay(own); err != nil {
			t.Errorf("open again: %v", err)
		}
		if again := checkDevice(t); again != first {
			t.Errorf("a device that fits was made anew: index %d, then %d", first, again)
		}
		if _, err := linuxnode.OpenOverlay(seat("10.42.0.0/24", "10.10.1.99")); err == nil {
			t.Error("an address that the host has not got is taken")
		}
	})
}

// checkDevice compares the overlay's device with flannel's settings and returns its index.
func checkDevice(t *testing.T) int {
	t.Helper()
	link, err := netlink.LinkByName("flannel.1")
	if err != nil {
		t.Errorf("device: %v", err)
		return 0
	}
	device, ok := link.(*netlink.Vxlan)
	if !ok || device.VxlanId != 1 || device.Port != 8472 || device.MTU != 1450 || device.Learning ||
		device.HardwareAddr.String() != "0a:58:0a:0a:01:0a" || device.Flags&net.FlagUp == 0 {
		t.Errorf("device: %+v", link)
	}
	return link.Attrs().Index
}

func TestMasquerade(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("there is no nft")
	}
	inNamespace(t, func(t *testing.T) {
		for range 2 { // the second time it replaces the first
			if err := linuxnode.Masquerade(t.Context(), "10.42.0.0/16"); err != nil {
				t.Error(err)
			}
		}
		rules, err := exec.CommandContext(t.Context(), "nft", "list", "ruleset").CombinedOutput()
		if want := "ip saddr 10.42.0.0/16 ip daddr != 10.42.0.0/16 ip daddr != 224.0.0.0/4 masquerade"; err != nil || strings.Count(string(rules), want) != 1 {
			t.Errorf("rules: %v\n%s", err, rules)
		}
	})
}
