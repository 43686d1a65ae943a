package rke2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"path"
	"runtime"
	"slices"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

const (
	nodeIDFile     = "/etc/rancher/node/id"
	defaultDataDir = "/var/lib/rancher/rke2"
	supervisorPort = 9345
	apiServerPort  = 6443
	// gitCommit is where RKE2 names its commit; the stand-in has none.
	gitCommit = "cxha-sandbox"
)

// Program is the rke2 command of a host.
type Program struct {
	Version string // of the installed release: v1.35.7+rke2r1
	Host    Host
	// StartNode makes the host a node.
	StartNode StartNode
	// Effective are the options that have an effect on this kind of host, besides those that have one on every kind.
	Effective []string
	// Deploys tells whether a packaged chart is deployed here at all; nil: every one is.
	Deploys func(chart string) bool
	// DialCluster, if set, is the API server's way to pods and Services: [controlplane.Options.DialCluster].
	DialCluster func(ctx context.Context, address string) (net.Conn, error)
	// Play, if set, does what the cluster's pods would do, until the context ends.
	Play func(ctx context.Context, admin *rest.Config, log Journal) error
}

// Invocation is one run of the command.
type Invocation struct {
	Args           []string // without the program's own name
	Env            map[string]string
	Stdout, Stderr io.Writer
	Notify         func() // tells systemd that the daemon is ready
}

// Run executes one invocation until it ends, or its context does, and returns the exit code.
func (p Program) Run(ctx context.Context, run Invocation) int {
	command, rest := "", []string(nil)
	if len(run.Args) > 0 {
		command, rest = run.Args[0], run.Args[1:]
	}
	switch command {
	case "--version", "-v":
		fmt.Fprintf(run.Stdout, "rke2 version %s (%s)\ngo version %s\n", p.Version, gitCommit, runtime.Version())
		return 0
	case string(settings.Server), string(settings.Agent):
		run.Args = rest
		return p.runDaemon(ctx, settings.Role(command), run)
	case "etcd-snapshot", "certificate", "secrets-encrypt", "token", "completion":
		fmt.Fprintf(run.Stderr, "rke2: the sandbox's stand-in has no %q yet (sandbox/README.md)\n", command)
		return 1
	default:
		fmt.Fprintf(run.Stderr, "No help topic for '%s'\n", command)
		return 3
	}
}

// daemon is what a server and an agent have in common.
type daemon struct {
	program Program
	host    Host
	notify  func()
	config  settings.Config
	log     Journal
	dataDir string // inside the host

	nodeName string
	nodeIP   netip.Addr
}

func (p Program) runDaemon(ctx context.Context, role settings.Role, run Invocation) int {
	log := Journal{Out: run.Stderr}
	config, err := settings.Load(p.Host.Files, role, run.Args, run.Env)
	if err != nil {
		return log.fatalf("Error: %v", err)
	}
	for _, name := range config.Unknown() {
		log.Warnf("Unknown flag --%s found in config.yaml, skipping", name)
	}
	d := &daemon{
		program: p, host: p.Host, notify: run.Notify, config: config, log: log,
		dataDir:  path.Clean(config.Text("data-dir", defaultDataDir)),
		nodeName: strings.ToLower(config.Text("node-name", p.Host.Name)),
	}
	if err := d.identify(); err != nil {
		return log.fatalf("%v", err)
	}
	log.Infof("Starting rke2 %s %s (%s)", role, p.Version, gitCommit)
	if ignored := config.Ignored(p.Effective); len(ignored) > 0 {
		log.Warnf("the sandbox's stand-in ignores these options: %s", strings.Join(ignored, ", "))
	}
	// The modes are RKE2's: what is below server is root's.
	if err := d.host.Files.MkdirAll(d.dataDir, 0o755); err != nil {
		return log.fatalf("%v", err)
	}
	if role == settings.Server {
		return (&server{daemon: d}).run(ctx)
	}
	return (&agent{daemon: d}).run(ctx)
}

// identify finds out the node's name and address.
func (d *daemon) identify() error {
	var err error
	if d.nodeIP, err = d.address(); err != nil || !d.config.Truth("with-node-id") {
		return err
	}
	id, err := d.host.Files.ReadFile(nodeIDFile)
	if errors.Is(err, fs.ErrNotExist) {
		password, err := newPassword()
		if err != nil {
			return err
		}
		id = []byte(password[:8] + "\n")
		if err := d.writeFile(nodeIDFile, id, 0o644); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	d.nodeName += "-" + strings.TrimSpace(string(id))
	return nil
}

// address is the node's IP: node-ip, which has to be an address of the host, or the host's first one.
func (d *daemon) address() (netip.Addr, error) {
	addresses, err := d.host.Network.Addresses()
	if err != nil {
		return netip.Addr{}, err
	}
	given := d.config.Split("node-ip")
	if len(given) == 0 {
		if len(addresses) == 0 {
			return netip.Addr{}, errors.New("no default routes found in the host: the node's address cannot be found")
		}
		return addresses[0], nil
	}
	address, err := netip.ParseAddr(given[0])
	if err != nil {
		return address, fmt.Errorf("invalid node-ip: %w", err)
	}
	if !slices.Contains(addresses, address) {
		return address, fmt.Errorf("node IP: %q not found in the host's network interfaces", address)
	}
	return address, nil
}

// path is a path in the data directory, inside the host.
func (d *daemon) path(elements ...string) string {
	return path.Join(append([]string{d.dataDir}, elements...)...)
}

// realPath is a path in the data directory as child processes of the sandbox need it.
func (d *daemon) realPath(elements ...string) string {
	return path.Join(d.host.Root, d.path(elements...))
}

// writeFile writes a file of the host and makes the directory that it is in.
func (d *daemon) writeFile(name string, data []byte, mode fs.FileMode) error {
	if err := d.host.Files.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return d.host.Files.WriteFile(name, data, mode)
}

// token reads an option that may also be given as the name of a file that holds its value.
func (d *daemon) token(option string) (string, error) {
	if value := d.config.Text(option, ""); value != "" {
		return value, nil
	}
	file := d.config.Text(option+"-file", "")
	if file == "" {
		return "", nil
	}
	data, err := d.host.Files.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("failed to read %s: %w", option, err)
	}
	return strings.TrimSpace(string(data)), nil
}

// powerIsOff tells whether the daemon ends because the power of its host was cut: then it cleans nothing.
func (d *daemon) powerIsOff(ctx context.Context) bool {
	return d.host.PowerIsOff != nil && d.host.PowerIsOff(ctx)
}

// startNode makes the host a node.
func (d *daemon) startNode(ctx context.Context, role settings.Role, cluster ClusterConfig, access NodeAccess) (Node, error) {
	return d.program.StartNode(ctx, NodeOptions{
		Role: role, Name: d.nodeName, IP: d.nodeIP, Version: d.program.Version, DataDir: d.dataDir, Config: d.config,
		Cluster: cluster, Access: access, Host: d.host, Log: d.log,
	})
}
