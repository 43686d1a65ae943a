package remote

import (
	"maps"
	"sync"
)

// Stats counts what a Connector did.
type Stats struct {
	Connections int // to hosts, completed
	Bastions    int // connections to bastions, completed
	Commands    int // scripts that were started
	Tunnels     int // connections opened from hosts by Host.Dial
	Hosts       map[string]HostStats
}

// HostStats counts what was done with one host, by name.
type HostStats struct {
	Connections int
	Commands    int
	Tunnels     int
}

// Stats returns the counts so far.
func (c *Connector) Stats() Stats {
	c.count.mu.Lock()
	defer c.count.mu.Unlock()
	s := c.count.total
	s.Hosts = maps.Clone(c.count.hosts)
	return s
}

type counters struct {
	mu    sync.Mutex // guards what follows
	total Stats
	hosts map[string]HostStats
}

func (n *counters) bastion() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.total.Bastions++
}

func (n *counters) host(name string, d HostStats) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts == nil {
		n.hosts = make(map[string]HostStats)
	}
	h := n.hosts[name]
	h.Connections += d.Connections
	h.Commands += d.Commands
	h.Tunnels += d.Tunnels
	n.hosts[name] = h
	n.total.Connections += d.Connections
	n.total.Commands += d.Commands
	n.total.Tunnels += d.Tunnels
}
