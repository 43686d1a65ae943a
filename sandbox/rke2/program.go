package rke2

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/expertflow/cxha/sandbox/rke2/settings"

	"github.com/expertflow/cxha/sandbox/machine"
)

// ProgramName is the name under which a machine has [Program]: the first line of /usr/local/bin/rke2 names it.
const ProgramName = "rke2"

const (
	nodeIDFile     = "/etc/rancher/node/id"
	defaultDataDir = "/var/lib/rancher/rke2"
	supervisorPort = 9345
	apiServerPort  = 6443
	// gitCommit is where RKE2 names its commit; the stand-in has none.
	gitCommit = "cxha-sandbox"
)

// Options are what a cluster's surroundings decide.
type Options struct {
	// WebhookDelay is how long MetalLB's webhook is not there after its pod has become ready.
	WebhookDelay time.Duration
	// Provision makes a directory in an export of an NFS server; its error is mount's. Without it every export is there.
	Provision func(server, path, sub string) error
}

// Program is the rke2 command of a host, with default options.
func Program(ctx context.Context, p *machine.Process) int { return Options{}.Program(ctx, p) }

// Program is the rke2 command of a host.
func (o Options) Program(ctx context.Context, p *machine.Process) int {
	version, err := installedVersion(p)
	if err != nil {
		fmt.Fprintf(p.Stderr, "rke2: %v\n", err)
		return 1
	}
	command, rest := "", []string(nil)
	if len(p.Args) > 1 {
		command, rest = p.Args[1], p.Args[2:]
	}
	switch command {
	case "--version", "-v":
		fmt.Fprintf(p.Stdout, "rke2 version %s (%s)\ngo version %s\n", version, gitCommit, runtime.Version())
		return 0
	case string(settings.Server), string(settings.Agent):
		return o.runDaemon(ctx, p, settings.Role(command), version, rest)
	case "etcd-snapshot", "certificate", "secrets-encrypt", "token", "completion":
		fmt.Fprintf(p.Stderr, "rke2: the sandbox's stand-in has no %q yet (sandbox/README.md)\n", command)
		return 1
	default:
		fmt.Fprintf(p.Stderr, "No help topic for '%s'\n", command)
		return 3
	}
}

// installedVersion reads the second line of the program's own file: "version v1.35.7+rke2r1".
func installedVersion(p *machine.Process) (string, error) {
	data, err := p.Machine.FS().ReadFile(p.Args[0])
	if err != nil {
		return "", err
	}
	lines := strings.SplitN(string(data), "\n", 3)
	if len(lines) < 2 {
		return "", fmt.Errorf("%s: damaged: no version", p.Args[0])
	}
	version, ok := strings.CutPrefix(lines[1], "version ")
	if !ok {
		return "", fmt.Errorf("%s: damaged: no version", p.Args[0])
	}
	return strings.TrimSpace(version), nil
}

// daemon is what a server and an agent have in common.
type daemon struct {
	process *machine.Process
	machine *machine.Machine
	config  settings.Config
	log     journal
	version string
	dataDir string // inside the host
	options Options

	nodeName string
	nodeIP   netip.Addr
}

func (o Options) runDaemon(ctx context.Context, p *machine.Process, role settings.Role, version string, args []string) int {
	log := journal{out: p.Stderr}
	config, err := settings.Load(p.Machine.FS(), role, args, p.Env)
	if err != nil {
		return log.fatalf("%v", err)
	}
	d := &daemon{
		process: p, machine: p.Machine, config: config, log: log, version: version, options: o,
		dataDir:  path.Clean(config.Text("data-dir", defaultDataDir)),
		nodeName: strings.ToLower(config.Text("node-name", p.Machine.Name())),
	}
	if err := d.identify(); err != nil {
		return log.fatalf("%v", err)
	}
	log.infof("Starting rke2 %s %s (%s)", role, version, gitCommit)
	if ignored := config.Ignored(); len(ignored) > 0 {
		log.warnf("the sandbox's stand-in ignores these options: %s", strings.Join(ignored, ", "))
	}
	// The modes are RKE2's: what is below server is root's.
	if err := p.FS().MkdirAll(d.dataDir, 0o755); err != nil {
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
	id, err := d.machine.FS().ReadFile(nodeIDFile)
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
	addresses := d.machine.Net().Addrs()
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
	return path.Join(d.machine.RealDir(), d.path(elements...))
}

// writeFile writes a file of the host and makes the directory that it is in.
func (d *daemon) writeFile(name string, data []byte, mode fs.FileMode) error {
	if err := d.process.FS().MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return d.process.FS().WriteFile(name, data, mode)
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
	data, err := d.machine.FS().ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("failed to read %s: %w", option, err)
	}
	return strings.TrimSpace(string(data)), nil
}

// powerIsOff tells whether the daemon ends because the power of its host was cut: then it cleans nothing.
func powerIsOff(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), machine.ErrPowerOff)
}
