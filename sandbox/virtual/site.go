package virtual

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/expertflow/cxha/sandbox/machine"
	"github.com/expertflow/cxha/sandbox/network"
	"github.com/expertflow/cxha/sandbox/site"
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
	paths   site.Paths
	net     *network.Network
	layout  []site.Host
	hosts   map[string]*machine.Machine // by name, the bastion included
	bastion net.Listener
	mirror  *http.Server
	charts  *site.ChartServer // nil when there are no charts
	nfs     net.Listener
	port    int
	serving sync.WaitGroup
}

// Open builds the sandbox in its directory and powers everything on. It returns when every host's SSH server answers.
func Open(ctx context.Context, config Config) (*Site, error) {
	paths, err := site.NewPaths(config.Dir)
	if err != nil {
		return nil, err
	}
	layout, err := site.Layout(config.Workers)
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
	key, err := s.paths.EnsureClientKey()
	if err != nil {
		return fmt.Errorf("client key: %w", err)
	}
	old, err := s.paths.ReadState()
	if err != nil {
		return err
	}
	if err := s.listen(old); err != nil {
		return err
	}
	// The directory is ours from here on: Remove looks for this file.
	if err := s.paths.WriteState(s.state()); err != nil {
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
func (s *Site) listen(old site.State) error {
	lis, err := site.ListenLoopback(old.BastionPort)
	if err != nil {
		return fmt.Errorf("bastion: %w", err)
	}
	s.bastion, s.port = lis, lis.Addr().(*net.TCPAddr).Port
	if s.config.Charts == nil {
		return nil
	}
	if s.charts, err = site.ServeCharts(s.config.Charts, old.ChartsPort); err != nil {
		return fmt.Errorf("charts: %w", err)
	}
	return nil
}

// state is what the next life of the server is to know.
func (s *Site) state() site.State {
	st := site.State{Workers: s.config.Workers, BastionPort: s.port, Latency: s.config.Latency}
	if s.charts != nil {
		st.ChartsPort = s.charts.Port()
	}
	return st
}

func (s *Site) build(key string) error {
	names := map[string]netip.Addr{site.MirrorName: site.MirrorAddress}
	for _, h := range append([]site.Host{site.Bastion()}, s.layout...) {
		addrs := []netip.Addr{h.Address}
		if h.Stretched.IsValid() {
			addrs = append(addrs, h.Stretched)
		}
		opts := machine.Options{
			Name: h.Name, Dir: s.paths.Host(h.Name), Net: s.net.Attach(h.Name, addrs...), Programs: s.config.Programs,
			Users: []machine.User{{Name: site.AdminUser, Sudo: true}}, AuthorizedKeys: []string{strings.TrimSpace(key)}, Hosts: names, Exports: s.config.Exports,
		}
		if h.Name == site.BastionName {
			opts.Users = []machine.User{{Name: site.JumpUser, Shell: "/usr/sbin/nologin"}}
		}
		differences(h.Name, &opts)
		m, err := machine.New(opts)
		if err != nil {
			return err
		}
		s.hosts[h.Name] = m
	}
	return nil
}

func (s *Site) writeFiles() error {
	keys := map[string]ssh.PublicKey{}
	for name, m := range s.hosts {
		key, err := m.HostKey()
		if err != nil {
			return err
		}
		keys[name] = key
	}
	return errors.Join(
		s.paths.WriteSSH(s.port, s.layout, keys),
		s.paths.WriteBlueprint(s.config.Example, s.port, s.charts.Sources(), s.layout),
	)
}

func (s *Site) serveMirror() error {
	if s.config.Mirror == nil {
		return nil
	}
	lis, err := s.net.Attach("mirror", site.MirrorAddress).Listen(80)
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
		if err := s.hosts[site.BastionName].ServeSSH(s.bastion); !errors.Is(err, net.ErrClosed) {
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
		failed = errors.Join(failed, s.charts.Close())
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

// Machine finds a host by name; "bastion" is one too.
func (s *Site) Machine(name string) (*machine.Machine, error) {
	m, ok := s.hosts[name]
	if !ok {
		return nil, site.UnknownHost(name, s.layout)
	}
	return m, nil
}

// Port is the bastion's port on 127.0.0.1.
func (s *Site) Port() int { return s.port }

// Paths are the places in the sandbox's directory.
func (s *Site) Paths() site.Paths { return s.paths }

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

// differences makes the hosts differ, so that there is something to find: the first worker has ufw running, the second has its
// network run by NetworkManager.
func differences(name string, o *machine.Options) {
	switch name {
	case "w1":
		o.Firewall = "ufw"
	case "w2":
		o.NetworkManager = true
	}
}
