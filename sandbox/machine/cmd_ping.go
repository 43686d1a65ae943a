package machine

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

func pingCommands() map[string]Program {
	return map[string]Program{"ping": cmdPing}
}

// cmdPing asks an address by ARP and ICMP. Only hosts answer ICMP: an address that a load balancer announces, or that a foreign
// machine has, answers ARP alone.
func cmdPing(ctx context.Context, p *Process) int {
	f := p.flags()
	count := f.IntP("count", "c", 4, "")
	wait := f.Float64P("timeout", "W", 10, "")
	deadline := f.Float64P("deadline", "w", 0, "")
	interval := f.Float64P("interval", "i", 1, "")
	quiet := f.BoolP("quiet", "q", false, "")
	f.BoolP("numeric", "n", false, "")
	f.BoolP("ipv4", "4", false, "")
	f.StringP("interface", "I", "", "")
	args, ok := p.parse(f)
	if !ok || len(args) != 1 {
		return 2
	}
	addr, err := p.Machine.Resolve(args[0])
	if err != nil {
		p.fail("%s: Name or service not known", args[0])
		return 2
	}
	if *deadline > 0 && *deadline < *wait {
		*wait = *deadline
	}
	p.printf("PING %s (%s) 56(84) bytes of data.\n", args[0], addr)
	received := 0
	for n := 1; n <= *count; n++ {
		if n > 1 && !waitSeconds(ctx, *interval) {
			break
		}
		if !p.Machine.ping(addr) {
			if !waitSeconds(ctx, *wait) {
				break
			}
			continue
		}
		trip := 2*p.Machine.net.Network().Latency() + 50*time.Microsecond
		if !waitSeconds(ctx, trip.Seconds()) {
			break
		}
		received++
		if !*quiet {
			p.printf("64 bytes from %s: icmp_seq=%d ttl=64 time=%.3f ms\n", addr, n, trip.Seconds()*1000)
		}
	}
	p.printf("\n--- %s ping statistics ---\n%d packets transmitted, %d received, %d%% packet loss\n", args[0], *count, received,
		100*(*count-received)/max(*count, 1))
	if received == 0 {
		return 1
	}
	return 0
}

// waitSeconds is false when the context ends first.
func waitSeconds(ctx context.Context, seconds float64) bool {
	t := time.NewTimer(time.Duration(seconds * float64(time.Second)))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ping sends one packet, which makes the kernel ask for the hardware address first; true when the packet is answered.
func (m *Machine) ping(addr netip.Addr) bool {
	if addr.IsLoopback() || slices.Contains(m.net.Addrs(), addr) {
		return true
	}
	m.learn(addr)
	return m.net.Reaches(addr)
}

// learn asks for the hardware address and keeps the answer in the kernel's table of neighbours.
func (m *Machine) learn(addr netip.Addr) {
	hardware := m.net.Neighbour(addr)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.neighbours == nil {
		m.neighbours = map[netip.Addr]string{}
	}
	m.neighbours[addr] = hardware
}

// cmdNeigh is "ip neigh show [[to] ADDRESS] [dev DEVICE]", "ip neigh flush" and "ip neigh del ADDRESS".
func cmdNeigh(p *Process, words []string) int {
	verb := "show"
	if len(words) > 0 {
		if name := words[0]; strings.HasPrefix("show", name) || name == "list" || name == "lst" {
			words = words[1:]
		} else if name == "flush" || strings.HasPrefix("delete", name) {
			verb, words = "forget", words[1:]
		}
	}
	var only netip.Addr
	for n := 0; n < len(words); n++ {
		switch words[n] {
		case "to", "all":
			continue
		case "dev", "nud":
			n++
			continue
		}
		addr, err := netip.ParseAddr(words[n])
		if err != nil {
			return p.fail("any valid prefix is expected rather than \"%s\".", words[n])
		}
		only = addr
	}
	m := p.Machine
	m.mu.Lock()
	table := maps.Clone(m.neighbours)
	if verb == "forget" {
		maps.DeleteFunc(m.neighbours, func(addr netip.Addr, _ string) bool { return !only.IsValid() || addr == only })
	}
	m.mu.Unlock()
	if verb == "forget" {
		return 0
	}
	for _, addr := range slices.SortedFunc(maps.Keys(table), netip.Addr.Compare) {
		switch hardware := table[addr]; {
		case only.IsValid() && addr != only:
		case hardware == "":
			p.printf("%s dev %s FAILED\n", addr, m.device(addr))
		default:
			p.printf("%s dev %s lladdr %s REACHABLE\n", addr, m.device(addr), hardware)
		}
	}
	return 0
}

// device is the interface through which an address is asked for: the one in its network, or the first.
func (m *Machine) device(addr netip.Addr) string {
	for n, own := range m.net.Addrs() {
		if prefix, err := own.Prefix(24); err == nil && prefix.Contains(addr) {
			return fmt.Sprintf("eth%d", n)
		}
	}
	return "eth0"
}
