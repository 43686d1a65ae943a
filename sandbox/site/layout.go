package site

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
)

// The private networks, all with 24 bits: 10.10.0.0 for what is outside of the sites, 10.10.1.0 and 10.10.2.0 for the sites, and
// 10.10.3.0, which is one segment over both sites, for the addresses of load balancers.
const (
	// BastionName is the bastion's name among the hosts.
	BastionName = "bastion"
	// MirrorName is the mirror's name in every host's /etc/hosts.
	MirrorName = "mirror.sandbox.internal"
	// AdminUser is the account on the hosts, with sudo and no password.
	AdminUser = "ops"
	// JumpUser is the account on the bastion.
	JumpUser = "jump"
	// maxWorkers is how many workers the addresses of the stretched network are good for.
	maxWorkers = 220
)

// Addresses that are no host's.
var (
	BastionAddress = netip.MustParseAddr("10.10.0.1")
	MirrorAddress  = netip.MustParseAddr("10.10.0.2")
	NFSAddress     = netip.MustParseAddr("10.10.1.60")
)

// ExportName is the directory that the sandbox's NFS server shares, as mount takes it.
var ExportName = NFSAddress.String() + ":/export/cx"

// The addresses of each network from firstFree on, freeCount of them, belong to no host: load balancers and others take them.
const (
	firstFree = 50
	freeCount = 20
)

// Host is one machine's place in the layout.
type Host struct {
	Name      string     `json:"name"`
	Address   netip.Addr `json:"address"`            // in the site's network
	Stretched netip.Addr `json:"stretched,omitzero"` // in the network over both sites; the bastion has none
	Site      string     `json:"site"`               // "a" or "b"
	Role      string     `json:"role"`               // "control-plane", "worker" or "bastion"
}

// Bastion is the host that the others are reached through.
func Bastion() Host { return Host{Name: BastionName, Address: BastionAddress, Role: "bastion"} }

// Layout is the hosts of a sandbox: cp1 in site a and the workers by turns in the sites a and b.
func Layout(workers int) ([]Host, error) {
	if workers < 0 || workers > maxWorkers {
		return nil, fmt.Errorf("%d workers: there is room for 0 to %d", workers, maxWorkers)
	}
	hosts := []Host{{Name: "cp1", Address: address(1, 10), Stretched: address(3, 10), Site: "a", Role: "control-plane"}}
	for n := range workers {
		site := n % 2
		hosts = append(hosts, Host{
			Name: fmt.Sprintf("w%d", n+1), Address: address(1+site, 11+n/2), Stretched: address(3, 11+n),
			Site: string("ab"[site]), Role: "worker",
		})
	}
	return hosts, nil
}

// address is the nth of a network's addresses, those that belong to no host left out.
func address(network, n int) netip.Addr {
	if n >= firstFree {
		n += freeCount
	}
	return netip.AddrFrom4([4]byte{10, 10, byte(network), byte(n)})
}

// FreeAddresses are the addresses of the stretched network that belong to no host: pools of load balancers take them.
func FreeAddresses() []netip.Addr {
	var free []netip.Addr
	for n := range freeCount {
		free = append(free, netip.AddrFrom4([4]byte{10, 10, 3, byte(firstFree + n)}))
	}
	return free
}

// Paths are the places in a sandbox's directory.
type Paths struct{ Dir string }

// NewPaths makes dir absolute.
func NewPaths(dir string) (Paths, error) {
	abs, err := filepath.Abs(dir)
	return Paths{Dir: abs}, err
}

func (p Paths) at(parts ...string) string { return filepath.Join(append([]string{p.Dir}, parts...)...) }

// ClientKey is the private key that opens all hosts and the bastion.
func (p Paths) ClientKey() string { return p.at("ssh", "id_ed25519") }

// KnownHosts has the host keys of the bastion and of all hosts.
func (p Paths) KnownHosts() string { return p.at("ssh", "known_hosts") }

// SSHConfig is for a stock ssh: ssh -F FILE w1.
func (p Paths) SSHConfig() string { return p.at("ssh", "config") }

// Blueprint is the directory with the ready blueprint.
func (p Paths) Blueprint() string { return p.at("blueprint") }

// Log is what the server process prints.
func (p Paths) Log() string { return p.at("server.log") }

// Exports is where the files of the NFS exports are.
func (p Paths) Exports() string { return p.at("exports") }

// Host is where the files of a host are.
func (p Paths) Host(name string) string { return p.at("hosts", name) }

func (p Paths) state() string { return p.at("sandbox.json") }
func (p Paths) lock() string  { return p.at("server.lock") }

// own are the names of everything that a sandbox puts into its directory.
func (p Paths) own() []string {
	return []string{"hosts", "exports", "ssh", "blueprint", "sandbox.json", "server.lock", "server.log", "control.sock", "kubeconfig"}
}

// Remove deletes what the sandbox made in its directory, and the directory when nothing else is in it.
func (p Paths) Remove() error {
	if _, err := os.Stat(p.state()); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var failed error
	for _, name := range p.own() {
		failed = errors.Join(failed, os.RemoveAll(p.at(name)))
	}
	if failed != nil {
		return failed
	}
	entries, err := os.ReadDir(p.Dir)
	if err != nil || len(entries) > 0 {
		return err
	}
	return os.Remove(p.Dir)
}

var hostName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)
