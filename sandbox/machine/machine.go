package machine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/expertflow/cxha/sandbox/network"
)

// Options say what a machine is made of.
type Options struct {
	Name     string             // host name, one label
	Dir      string             // real directory of this host; the root file system is Dir/root
	Net      *network.Interface // its addresses
	Programs map[string]Program // by name, see Program

	// The rest matters only the first time, when the directory is empty and the host is installed.

	Users          []User                   // besides root
	AuthorizedKeys []string                 // lines of authorized_keys, for root and all users
	Hosts          map[string]netip.Addr    // more lines for /etc/hosts
	NetworkManager bool                     // NetworkManager runs the network
	Firewall       string                   // "ufw" or "firewalld": the unit exists, is enabled and active; "": neither exists
	Files          map[string]InstalledFile // more files

	Exports *Exports // what NFS servers share; nil for nothing
}

// User is an account of a host.
type User struct {
	Name  string
	Sudo  bool   // may do everything without a password
	Shell string // empty means /bin/sh
}

// InstalledFile is a file that the host has from the beginning; it belongs to root.
type InstalledFile struct {
	Text string
	Mode uint32
}

// Stats count what a machine was asked over SSH since the last reset.
type Stats struct {
	Connections uint64 `json:"connections"` // authenticated SSH connections
	Commands    uint64 `json:"commands"`    // commands run through them
}

// Machine is one host.
type Machine struct {
	name     string
	dir      string
	net      *network.Interface
	programs map[string]Program
	base     map[string]Program // the commands of /usr/bin and /usr/sbin
	fs       *FS
	units    *Systemd
	journal  *journal
	exports  *Exports

	connections, commands atomic.Uint64

	kernel sync.Mutex // serialises changes of the loaded modules

	mu         sync.Mutex // guards the fields below
	on         bool
	power      context.Context
	cut        context.CancelCauseFunc
	booted     time.Time
	neighbours map[netip.Addr]string // hardware addresses that were asked for; "": nobody answered
	running    int                   // units and sessions that may touch the disk
	idle       chan struct{}         // closed when running falls to 0 after a power cut; nil otherwise

	switching sync.Mutex // serialises PowerOn and PowerOff
}

// New makes a machine, or finds again the one whose files are in opts.Dir. It is powered off.
func New(opts Options) (*Machine, error) {
	fsys, err := openFS(opts.Dir)
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", opts.Name, err)
	}
	log, err := openJournal(filepath.Join(opts.Dir, "journal"))
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", opts.Name, err)
	}
	m := &Machine{name: opts.Name, dir: opts.Dir, net: opts.Net, programs: opts.Programs, base: baseCommands(), fs: fsys, journal: log, exports: opts.Exports}
	m.units = newSystemd(m)
	m.power, m.cut = context.WithCancelCause(context.Background())
	m.cut(ErrPowerOff)
	m.net.Down()
	if err := m.install(opts); err != nil {
		return nil, fmt.Errorf("host %s: installation: %w", opts.Name, err)
	}
	return m, nil
}

// Name is the host name.
func (m *Machine) Name() string { return m.name }

// FS is the file system, used with root's rights.
func (m *Machine) FS() *FS { return m.fs }

// Net is the host's interface on the private network.
func (m *Machine) Net() *network.Interface { return m.net }

// Units is the host's service manager.
func (m *Machine) Units() *Systemd { return m.units }

// RealDir is the real directory of the root file system, for child processes that need real paths.
func (m *Machine) RealDir() string { return m.fs.realDir() }

// Stats are the counters of SSH connections and commands.
func (m *Machine) Stats() Stats {
	return Stats{Connections: m.connections.Load(), Commands: m.commands.Load()}
}

// ResetStats sets the counters to zero.
func (m *Machine) ResetStats() {
	m.connections.Store(0)
	m.commands.Store(0)
}

// hostLine is one line of /etc/hosts.
type hostLine struct {
	addr  netip.Addr
	names []string
}

func (m *Machine) hosts() ([]hostLine, error) {
	data, err := m.fs.ReadFile("/etc/hosts")
	if err != nil {
		return nil, err
	}
	return parseHosts(string(data)), nil
}

// parseHosts reads a hosts file; lines that are none are skipped, as the resolver does.
func parseHosts(text string) []hostLine {
	var lines []hostLine
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		if addr, err := netip.ParseAddr(f[0]); err == nil {
			lines = append(lines, hostLine{addr: addr, names: f[1:]})
		}
	}
	return lines
}

// Resolve looks a name up in the machine's own /etc/hosts; IP literals pass, and there is no other name service.
func (m *Machine) Resolve(name string) (netip.Addr, error) {
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr, nil
	}
	lines, err := m.hosts()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("host %s: %w", m.name, err)
	}
	for _, l := range lines {
		if l.addr.Is4() && slices.ContainsFunc(l.names, func(n string) bool { return strings.EqualFold(n, name) }) {
			return l.addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("host %s: %w", m.name, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true})
}

// Dial resolves the host of "host:port" and connects from the machine's interface.
func (m *Machine) Dial(ctx context.Context, hostport string) (net.Conn, error) {
	host, service, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("dial %s: unknown port", hostport)
	}
	addr, err := m.Resolve(host)
	if err != nil {
		return nil, err
	}
	return m.net.Dial(ctx, netip.AddrPortFrom(addr, uint16(port)))
}

// IsOn tells whether the machine has power.
func (m *Machine) IsOn() bool { return m.isOn() }

func (m *Machine) isOn() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.on
}

// powerContext ends with cause ErrPowerOff when the power is cut.
func (m *Machine) powerContext() context.Context {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.power
}

func (m *Machine) bootTime() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.booted
}

// enter registers something that runs on the machine; it is false when the power is off.
func (m *Machine) enter() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.on {
		m.running++
	}
	return m.on
}

func (m *Machine) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running--; m.running == 0 && m.idle != nil {
		close(m.idle)
		m.idle = nil
	}
}

// PowerOn boots the machine: kernel state is fresh, enabled units start, sshd included. It returns when the units whose
// start has a time limit have started; RKE2's have none. A machine that is on stays as it is.
func (m *Machine) PowerOn(ctx context.Context) error {
	m.switching.Lock()
	defer m.switching.Unlock()
	if m.isOn() {
		return nil
	}
	now := time.Now()
	if err := m.bootKernel(now); err != nil {
		return fmt.Errorf("host %s: boot: %w", m.name, err)
	}
	failed := m.applyBootFiles()
	m.mu.Lock()
	m.power, m.cut = context.WithCancelCause(context.Background())
	m.on, m.booted, m.neighbours = true, now, nil
	m.mu.Unlock()
	m.units.forget()
	m.net.Up()
	for _, err := range failed {
		if err := m.journal.add("kernel", entry{at: now, ident: "systemd-modules-load[1]", text: err.Error()}); err != nil {
			return fmt.Errorf("host %s: journal: %w", m.name, err)
		}
	}
	if err := m.units.boot(ctx); err != nil {
		return fmt.Errorf("host %s: boot: %w", m.name, err)
	}
	return nil
}

// powerOffWait is how long a power cut waits for programs that do not heed it.
const powerOffWait = 20 * time.Second

// PowerOff cuts the power: everything that runs ends at once with cause ErrPowerOff; files stay as they are. It returns
// when nothing runs any more. Connections are cut off without a word to the peers, as a power cut does it.
func (m *Machine) PowerOff() error {
	m.switching.Lock()
	defer m.switching.Unlock()
	m.net.Down()
	m.mu.Lock()
	if !m.on {
		m.mu.Unlock()
		return nil
	}
	m.on = false
	m.cut(ErrPowerOff)
	idle := make(chan struct{})
	if m.running == 0 {
		close(idle)
	} else {
		m.idle = idle
	}
	m.mu.Unlock()
	t := time.NewTimer(powerOffWait)
	defer t.Stop()
	select {
	case <-idle:
		return nil
	case <-t.C:
		return fmt.Errorf("host %s: something still runs %s after the power was cut; this is a bug in the sandbox", m.name, powerOffWait)
	}
}

// Close frees what a machine that is off holds open.
func (m *Machine) Close() error {
	if m.isOn() {
		return errors.New("the machine is on")
	}
	return m.fs.close()
}

// randomUUID is a random UUID of version 4.
func randomUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
}
