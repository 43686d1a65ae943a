package network_test

import (
	"net/netip"
	"testing"

	"github.com/expertflow/cxha/sandbox/network"
)

func TestNeighbours(t *testing.T) {
	t.Parallel()
	addr := netip.MustParseAddr
	n := network.New()
	a, b := n.Attach("a", addr("10.10.1.10")), n.Attach("b", addr("10.10.1.11"))
	vip, used, free := addr("10.10.1.50"), addr("10.10.1.60"), addr("10.10.1.99")
	n.Announce(map[netip.Addr]netip.Addr{vip: addr("10.10.1.11")})
	n.AddForeign(used)
	check := func(when string, want map[netip.Addr]string) {
		t.Helper()
		for addr, hw := range want {
			if got := a.Neighbour(addr); got != hw {
				t.Errorf("%s: %s is at %q, want %q", when, addr, got, hw)
			}
		}
	}
	const hwB = "02:00:0a:0a:01:0b"
	check("all there", map[netip.Addr]string{
		addr("10.10.1.11"): hwB, vip: hwB, used: "52:00:0a:0a:01:3c", free: "", addr("10.10.1.10"): "",
	})
	b.Down()
	check("b without power", map[netip.Addr]string{addr("10.10.1.11"): "", vip: ""})
	b.Up()
	b.Cut()
	check("b cut off", map[netip.Addr]string{addr("10.10.1.11"): "", vip: "", used: "52:00:0a:0a:01:3c"})
	b.Mend()
	n.RemoveForeign(used)
	n.Announce(nil)
	check("withdrawn", map[netip.Addr]string{addr("10.10.1.11"): hwB, vip: "", used: ""})
	a.Cut()
	check("a cut off", map[netip.Addr]string{addr("10.10.1.11"): ""})
	if !a.Reaches(addr("127.0.0.1")) || a.Reaches(addr("10.10.1.11")) {
		t.Error("a host that is cut off reaches itself and nobody else")
	}
}
