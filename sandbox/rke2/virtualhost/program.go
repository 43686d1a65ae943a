package virtualhost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/expertflow/cxha/sandbox/controlplane"
	"github.com/expertflow/cxha/sandbox/machine"
	"github.com/expertflow/cxha/sandbox/players"
	"github.com/expertflow/cxha/sandbox/rke2"
)

// ProgramName is the name under which a machine has [Options.Program]: the first line of /usr/local/bin/rke2 names it.
const ProgramName = "rke2"

// serverDir is the directory of a server's data, inside the host, unless data-dir is given.
const serverDir = "/var/lib/rancher/rke2/server"

// Options are what a cluster's surroundings decide.
type Options struct {
	// WebhookDelay is how long MetalLB's webhook is not there after its pod has become ready.
	WebhookDelay time.Duration
	// Provision makes a directory in an export of an NFS server; its error is mount's. Without it every export is there.
	Provision func(server, path, sub string) error
}

// Program is the rke2 command of a machine.
func (o Options) Program(ctx context.Context, p *machine.Process) int {
	version, err := installedVersion(p)
	if err != nil {
		fmt.Fprintf(p.Stderr, "rke2: %v\n", err)
		return 1
	}
	var pods players.PodNetwork
	program := rke2.Program{
		Version: version, StartNode: startNode, DialCluster: pods.Dial,
		Host: rke2.Host{
			Name: p.Machine.Name(), Files: p.FS(), Network: privateNetwork{p.Machine}, Root: p.Machine.RealDir(), PowerIsOff: powerIsOff,
		},
		Play: func(ctx context.Context, admin *rest.Config, log rke2.Journal) error {
			return players.Run(ctx, players.Options{
				Config: admin, Net: p.Machine.Net(), Pods: &pods, WebhookDelay: o.WebhookDelay, Provision: o.Provision, Errorf: log.Errorf,
			})
		},
	}
	return program.Run(ctx, rke2.Invocation{Args: p.Args[1:], Env: p.Env, Stdout: p.Stdout, Stderr: p.Stderr, Notify: p.Notify})
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

func powerIsOff(ctx context.Context) bool { return errors.Is(context.Cause(ctx), machine.ErrPowerOff) }

// privateNetwork is a machine's interface in the private network.
type privateNetwork struct {
	machine *machine.Machine
}

// Addresses implements [rke2.Network].
func (n privateNetwork) Addresses() ([]netip.Addr, error) { return n.machine.Net().Addrs(), nil }

// Listen implements [rke2.Network].
func (n privateNetwork) Listen(_ context.Context, port int) (net.Listener, error) {
	return n.machine.Net().Listen(port)
}

// Dial implements [rke2.Network].
func (n privateNetwork) Dial(ctx context.Context, address string) (net.Conn, error) {
	return n.machine.Dial(ctx, address)
}

// AdminKubeconfig is the administrator's kubeconfig of a machine's cluster for use on the real machine: its server is the API
// server's real loopback address. The error is fs.ErrNotExist when no server has been started on the machine.
func AdminKubeconfig(m *machine.Machine) ([]byte, error) {
	ports, err := controlplane.ReadPorts(m.RealDir() + serverDir)
	if err != nil {
		return nil, fmt.Errorf("host %s: %w", m.Name(), err)
	}
	files := map[string][]byte{"server-ca.crt": nil, "client-admin.crt": nil, "client-admin.key": nil}
	for name := range files {
		data, err := m.FS().ReadFile(serverDir + "/tls/" + name)
		if err != nil {
			return nil, fmt.Errorf("host %s: %w", m.Name(), err)
		}
		files[name] = data
	}
	return controlplane.Kubeconfig{
		Server: fmt.Sprintf("https://127.0.0.1:%d", ports.APIServer),
		CA:     files["server-ca.crt"], CertPEM: files["client-admin.crt"], KeyPEM: files["client-admin.key"],
	}.Encode()
}
