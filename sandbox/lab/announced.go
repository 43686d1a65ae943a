//go:build linux

package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/expertflow/cxha/sandbox/site"
)

// watchPatience is how long an answer to ARP may take: it comes in microseconds, unless the machine has other things to do.
const watchPatience = 300 * time.Millisecond

// watcher is a machine on the stretched segment that asks by ARP who has the addresses of load balancers. It has a table of
// neighbours of its own, so that asking changes nothing for those who use the addresses.
type watcher struct {
	mu sync.Mutex // one question at a time
	ns *namespace
}

// watcherAddress is the last address of the stretched network but the router's.
var watcherAddress = netip.MustParseAddr("10.10.3.253")

// neighbour is an entry of ip -json neigh.
type neighbour struct {
	Address  netip.Addr `json:"dst"`
	Hardware string     `json:"lladdr"`
}

// announced are the load balancers' addresses that answer, each with the host that does.
func (w *watcher) announced(ctx context.Context, hosts []site.Host) (map[netip.Addr]netip.Addr, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ns.ip(ctx, "neigh flush dev eth0"); err != nil {
		return nil, err
	}
	if err := w.ns.within(ask); err != nil {
		return nil, fmt.Errorf("ARP: %w", err)
	}
	timer := time.NewTimer(watchPatience)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	text, err := w.ns.run(ctx, "", "ip", "-json", "neigh", "show", "dev", "eth0")
	if err != nil {
		return nil, err
	}
	return whoAnswers(text, hosts)
}

// ask sends a packet to each address that belongs to no host, for which the kernel asks who has it.
func ask() error {
	var failed error
	for _, addr := range site.FreeAddresses() {
		conn, err := net.Dial("udp", net.JoinHostPort(addr.String(), "9"))
		if err != nil {
			return err
		}
		_, err = conn.Write([]byte{0})
		failed = errors.Join(failed, err, conn.Close())
	}
	return failed
}

// whoAnswers reads a table of neighbours.
func whoAnswers(table []byte, hosts []site.Host) (map[netip.Addr]netip.Addr, error) {
	var neighbours []neighbour
	if err := json.Unmarshal(table, &neighbours); err != nil {
		return nil, fmt.Errorf("ip neigh: %w", err)
	}
	answers := map[netip.Addr]netip.Addr{}
	for _, n := range neighbours {
		for _, h := range hosts {
			if n.Hardware == hardware(ownHardware, h.Stretched) && n.Address != h.Stretched {
				answers[n.Address] = h.Address
			}
		}
	}
	return answers, nil
}
