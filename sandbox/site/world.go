package site

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// World is what a server controls: the hosts of the sandbox or those of the lab. One that is an io.Closer is closed when the
// server ends.
type World interface {
	// Status describes everything as it is now.
	Status(ctx context.Context) (Status, error)
	// Exec runs a shell command on a host as root, without the network. The error is ErrUnknownHost for a name that is no host's.
	Exec(ctx context.Context, host string, req ExecRequest) (ExecResult, error)
	// Do does an action and returns what it prints. The error is ErrUnsupported for what cannot be done here.
	Do(ctx context.Context, a Action) ([]byte, error)
}

// Action is something that is done to the hosts: a verb, and what it is done to.
type Action struct {
	Verb string   `json:"verb"`
	Args []string `json:"args,omitempty"`
}

// The verbs of actions.
const (
	Kill       = "kill"        // HOST: cut its power
	Start      = "start"       // HOST: power it on
	Reboot     = "reboot"      // HOST
	Cut        = "cut"         // HOST: its network line
	Mend       = "mend"        // HOST
	CutLink    = "cut-link"    // A B: what is between two hosts or two sites
	MendLink   = "mend-link"   // A B
	Slow       = "slow"        // A B RATE: limit the bandwidth between them
	Latency    = "latency"     // DELAY: one way, between hosts
	AddArp     = "arp-add"     // ADDRESS: a foreign machine takes it
	RemoveArp  = "arp-remove"  // ADDRESS
	Kubeconfig = "kubeconfig"  // prints an admin kubeconfig
	ResetStats = "reset-stats" // the counters of connections and commands
)

var (
	// ErrUnknownHost tells that there is no host of that name.
	ErrUnknownHost = errors.New("no such host")
	// ErrUnsupported tells that the hosts of this kind cannot do it.
	ErrUnsupported = errors.New("not supported")
)

// UnknownHost is the error for a name that is none of the hosts'.
func UnknownHost(name string, hosts []Host) error {
	names := []string{BastionName}
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	return fmt.Errorf("%q: %w; there are %s", name, ErrUnknownHost, strings.Join(names, ", "))
}

// ExecRequest is a command for a host.
type ExecRequest struct {
	Command string `json:"command"`
	Stdin   []byte `json:"stdin,omitempty"`
}

// ExecResult is what the command did.
type ExecResult struct {
	Stdout []byte `json:"stdout"`
	Stderr []byte `json:"stderr"`
	Code   int    `json:"code"`
}

// Stats counts what came to a host by SSH since it was made or the last reset.
type Stats struct {
	Connections uint64 `json:"connections"` // authenticated SSH connections
	Commands    uint64 `json:"commands"`    // commands run through them
}

// HostStatus is what status shows of one host.
type HostStatus struct {
	Host
	Stats
	Power   string            `json:"power"`   // "on" or "off"
	Network string            `json:"network"` // "up" or "cut"
	Units   map[string]string `json:"units"`   // ActiveState of the units that matter, by name
}

// WatchedUnits are the units whose state HostStatus shows where a host has them.
var WatchedUnits = []string{"rke2-server", "rke2-agent", "NetworkManager", "ufw", "firewalld"}

// Status is what status shows.
type Status struct {
	Dir         string                    `json:"dir"`
	PID         int                       `json:"pid"`
	BastionPort int                       `json:"bastion_port"`
	APIPort     int                       `json:"api_port,omitempty"` // leads to the cluster's API server
	Latency     time.Duration             `json:"latency"`            // nanoseconds, one way
	Charts      *ChartSources             `json:"charts,omitempty"`
	Foreign     []netip.Addr              `json:"foreign,omitempty"`   // addresses of machines that are none of ours
	Announced   map[netip.Addr]netip.Addr `json:"announced,omitempty"` // load balancers' addresses, with the host that answers ARP for each
	Links       []string                  `json:"links,omitempty"`     // links that are cut or slowed, in words
	Hosts       []HostStatus              `json:"hosts"`               // the bastion is the last
}
