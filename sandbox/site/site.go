package site

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/expertflow/cxha/sandbox/machine"
	"github.com/expertflow/cxha/sandbox/network"
)

// Config says what a sandbox is made of.
type Config struct {
	Dir      string
	Workers  int
	Latency  time.Duration // one-way delay between two hosts
	Example  string        // directory of the blueprint to copy; empty for none
	Programs map[string]machine.Program
	Mirror   http.Handler     // what mirror.sandbox.internal serves; nil for nothing
	Exports  *machine.Exports // what the NFS server shares; nil for no server
	Charts   http.Handler     // charts for the operator's computer, on 127.0.0.1; nil for none
	// Kubeconfig gives an admin kubeconfig that works on the real loopback for the cluster whose control plane runs on
	// the machine. Nil when there are no clusters.
	Kubeconfig func(m *machine.Machine) ([]byte, error)
}

// Site is a running sandbox.
type Site struct {
	config  Config
	paths   Paths
	net     *network.Network
	layout  []Host
	hosts   map[string]*machine.Machine // by name, the bastion included
	bastion net.Listener
	mirror  *http.Server
	charts  *chartServer // nil when there are no charts
	nfs     net.Listener
	port    int
	serving sync.WaitGroup
}

// Open builds the sandbox in its directory and powers everything on. It returns when every host's SSH server answers.
func Open(ctx context.Context, config Config) (*Site, error) {
	paths, err := NewPaths(config.Dir)
	if err != nil {
		return nil, err
	}
	layout, err := Layout(config.Workers)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(paths.Dir, 0o755); err != nil {
		return nil, err
	}
	s := &Site{config: config, paths: paths, net: network.New(), layout: layout, hosts: map[string]*machine.Machine{}}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Site) open(ctx context.Context) error {
	key, err := s.paths.clientKey()
	if err != nil {
		return fmt.Errorf("client key: %w", err)
	}
	old, err := s.paths.readState()
	if err != nil {
		return err
	}
	if err := s.listen(old); err != nil {
		return err
	}
	// The directory is ours from here on: Remove looks for this file.
	if err := s.paths.writeState(s.state()); err != nil {
		return err
	}
	if err := s.serveExports(); err != nil {
		return fmt.Errorf("nfs: %w", err)
	}
	if err := s.build(key); err != nil {
		return err
	}
	if err := s.writeFiles(); err != nil {
		return err
	}
	if err := s.serveMirror(); err != nil {
		return err
	}
	if err := s.powerAll(ctx); err != nil {
		return err
	}
	s.net.SetLatency(s.config.Latency)
	return nil
}

// listen takes the bastion's port and the charts': those from before if they are still free.
func (s *Site) listen(old state) error {
	lis, err := listenLoopback(old.BastionPort)
	if err != nil {
		return fmt.Errorf("bastion: %w", err)
	}
	s.bastion, s.port = lis, lis.Addr().(*net.TCPAddr).Port
	if s.config.Charts == nil {
		return nil
	}
	if s.charts, err = serveCharts(s.config.Charts, old.ChartsPort); err != nil {
		return fmt.Errorf("charts: %w", err)
	}
	return nil
}

// listenLoopback takes a port of 127.0.0.1: the wanted one if it is free.
func listenLoopback(wanted int) (net.Listener, error) {
	lis, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(wanted)))
	if err != nil && wanted != 0 {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	return lis, err
}

// state is what the next life of the server is to know.
func (s *Site) state() state {
	st := state{Workers: s.config.Workers, BastionPort: s.port, Latency: s.config.Latency}
	if s.charts != nil {
		st.ChartsPort = s.charts.port
	}
	return st
}

func (s *Site) build(key string) error {
	names := map[string]netip.Addr{MirrorName: netip.MustParseAddr(mirrorAddress)}
	bastion := Host{Name: "bastion", Address: netip.MustParseAddr(bastionAddress)}
	for _, h := range append([]Host{bastion}, s.layout...) {
		opts := machine.Options{
			Name: h.Name, Dir: s.paths.host(h.Name), Net: s.net.Attach(h.Name, h.Address), Programs: s.config.Programs,
			Users: []machine.User{{Name: AdminUser, Sudo: true}}, AuthorizedKeys: []string{strings.TrimSpace(key)}, Hosts: names, Exports: s.config.Exports,
		}
		if h.Name == bastion.Name {
			opts.Users = []machine.User{{Name: JumpUser, Shell: "/usr/sbin/nologin"}}
		}
		h.options(&opts)
		m, err := machine.New(opts)
		if err != nil {
			return err
		}
		s.hosts[h.Name] = m
	}
	return nil
}

func (s *Site) writeFiles() error {
	var machines []*machine.Machine
	for _, h := range s.layout {
		machines = append(machines, s.hosts[h.Name])
	}
	return errors.Join(
		s.paths.writeKnownHosts(s.hosts["bastion"], s.port, machines),
		s.paths.writeSSHConfig(s.port, s.layout),
		s.paths.writeBlueprint(s.config.Example, s.port, s.charts.addresses(), s.layout),
	)
}

func (s *Site) serveMirror() error {
	if s.config.Mirror == nil {
		return nil
	}
	lis, err := s.net.Attach("mirror", netip.MustParseAddr(mirrorAddress)).Listen(80)
	if err != nil {
		return err
	}
	s.mirror = &http.Server{Handler: s.config.Mirror, ReadHeaderTimeout: 30 * time.Second}
	s.serving.Go(func() {
		if err := s.mirror.Serve(lis); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(os.Stderr, "release mirror: %v\n", err)
		}
	})
	return nil
}

// powerAll boots all machines at once and waits until each one's SSH server says its name.
func (s *Site) powerAll(ctx context.Context) error {
	var mu sync.Mutex
	var failed error
	var all sync.WaitGroup
	for _, m := range s.hosts {
		all.Go(func() {
			err := m.PowerOn(ctx)
			if err == nil {
				err = s.awaitSSH(ctx, m)
			}
			if err != nil {
				mu.Lock()
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if failed != nil {
		return failed
	}
	s.serving.Go(func() {
		if err := s.hosts["bastion"].ServeSSH(s.bastion); !errors.Is(err, net.ErrClosed) {
			fmt.Fprintf(os.Stderr, "bastion: %v\n", err)
		}
	})
	return nil
}

func (s *Site) awaitSSH(ctx context.Context, m *machine.Machine) error {
	conn, err := m.Dial(ctx, "127.0.0.1:22")
	if err != nil {
		return fmt.Errorf("host %s: ssh: %w", m.Name(), err)
	}
	banner, err := bufio.NewReader(conn).ReadString('\n')
	if err = errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("host %s: ssh: %w", m.Name(), err)
	}
	if !strings.HasPrefix(banner, "SSH-2.0-") {
		return fmt.Errorf("host %s: ssh: strange greeting %q", m.Name(), banner)
	}
	return nil
}

// Close cuts the power of all hosts and frees everything; the files stay.
func (s *Site) Close() error {
	var failed error
	if s.bastion != nil {
		failed = errors.Join(failed, s.bastion.Close())
	}
	if s.mirror != nil {
		failed = errors.Join(failed, s.mirror.Close())
	}
	if s.charts != nil {
		failed = errors.Join(failed, s.charts.close())
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, m := range s.hosts {
		all.Go(func() {
			err := errors.Join(m.PowerOff(), m.Close())
			mu.Lock()
			failed = errors.Join(failed, err)
			mu.Unlock()
		})
	}
	all.Wait()
	if s.nfs != nil {
		failed = errors.Join(failed, s.nfs.Close(), s.config.Exports.Close())
	}
	s.serving.Wait()
	return failed
}

// ErrUnknownHost tells that the sandbox has no host of that name.
var ErrUnknownHost = errors.New("no such host")

// Machine finds a host by name; "bastion" is one too.
func (s *Site) Machine(name string) (*machine.Machine, error) {
	m, ok := s.hosts[name]
	if !ok {
		names := []string{"bastion"}
		for _, h := range s.layout {
			names = append(names, h.Name)
		}
		return nil, fmt.Errorf("%q: %w; there are %s", name, ErrUnknownHost, strings.Join(names, ", "))
	}
	return m, nil
}

// Port is the bastion's port on 127.0.0.1.
func (s *Site) Port() int { return s.port }

// Paths are the places in the sandbox's directory.
func (s *Site) Paths() Paths { return s.paths }

// Kubeconfig asks the control planes that run for an admin kubeconfig.
func (s *Site) Kubeconfig() ([]byte, error) {
	if s.config.Kubeconfig == nil {
		return nil, errors.New("this sandbox has no Kubernetes")
	}
	var failed error
	for _, h := range s.layout {
		m := s.hosts[h.Name]
		if !m.IsOn() || !m.Units().IsActive("rke2-server") {
			continue
		}
		config, err := s.config.Kubeconfig(m)
		if err == nil {
			return config, nil
		}
		failed = errors.Join(failed, fmt.Errorf("host %s: %w", h.Name, err))
	}
	if failed != nil {
		return nil, failed
	}
	return nil, errors.New("no host runs a control plane yet: rke2-server is not active anywhere")
}

// HostStatus is what status shows of one host.
type HostStatus struct {
	Host
	machine.Stats
	Power   string            `json:"power"`   // "on" or "off"
	Network string            `json:"network"` // "up" or "cut"
	Units   map[string]string `json:"units"`   // ActiveState of the units that matter, by name
}

// Status is what status shows.
type Status struct {
	Dir         string                    `json:"dir"`
	PID         int                       `json:"pid"`
	BastionPort int                       `json:"bastion_port"`
	Latency     time.Duration             `json:"latency"` // nanoseconds, one way
	Charts      *ChartSources             `json:"charts,omitempty"`
	Foreign     []netip.Addr              `json:"foreign,omitempty"`   // addresses of machines that are none of ours
	Announced   map[netip.Addr]netip.Addr `json:"announced,omitempty"` // load balancers' addresses, with the host that answers ARP for each
	Hosts       []HostStatus              `json:"hosts"`               // the bastion is the last
}

// Status describes the sandbox as it is now.
func (s *Site) Status() Status {
	st := Status{Dir: s.paths.Dir, PID: os.Getpid(), BastionPort: s.port, Latency: s.net.Latency(), Charts: s.charts.addresses(),
		Foreign: s.net.Foreign(), Announced: s.net.Announced()}
	bastion := Host{Name: "bastion", Address: netip.MustParseAddr(bastionAddress), Role: "bastion"}
	for _, h := range append(slices.Clone(s.layout), bastion) {
		m := s.hosts[h.Name]
		hs := HostStatus{Host: h, Stats: m.Stats(), Power: "off", Network: "up", Units: map[string]string{}}
		if m.IsOn() {
			hs.Power = "on"
		}
		if m.Net().IsCut() {
			hs.Network = "cut"
		}
		for _, unit := range []string{"rke2-server", "rke2-agent", "NetworkManager", "ufw", "firewalld"} {
			p := m.Units().Properties(unit)
			if p["LoadState"] != "not-found" {
				hs.Units[unit] = p["ActiveState"]
			}
		}
		st.Hosts = append(st.Hosts, hs)
	}
	return st
}

// Exec runs a command on a host as root, without the network.
func (s *Site) Exec(ctx context.Context, host string, req ExecRequest) (ExecResult, error) {
	m, err := s.Machine(host)
	if err != nil {
		return ExecResult{}, err
	}
	var stdout, stderr bytes.Buffer
	code, err := m.Run(ctx, req.Command, bytes.NewReader(req.Stdin), &stdout, &stderr)
	return ExecResult{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Code: code}, err
}

// SetLatency changes the one-way delay between hosts.
func (s *Site) SetLatency(d time.Duration) { s.net.SetLatency(d) }

// socketPath is the control socket: in the directory, or in the system's one for temporary files when the path is too
// long for a socket's address (104 bytes on macOS, 108 on Linux).
func (p Paths) socketPath() string {
	name := p.at("control.sock")
	if len(name) < 100 {
		return name
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("cxha-sandbox-%x.sock", hashOf(p.Dir)))
}
