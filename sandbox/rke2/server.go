package rke2

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"slices"
	"strconv"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/sandbox/controlplane"
	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// server is the daemon of rke2-server: a control plane, the supervisor for agents, and a node.
type server struct {
	*daemon
	tokens  serverTokens
	cluster ClusterConfig
	plane   *controlplane.ControlPlane
	client  kubernetes.Interface
}

func (s *server) run(ctx context.Context) int {
	if err := s.prepare(); err != nil {
		return s.log.fatalf("%v", err)
	}
	options, err := s.planeOptions()
	if err != nil {
		return s.log.fatalf("%v", err)
	}
	s.plane, err = controlplane.Start(ctx, options)
	if ctx.Err() != nil {
		return 0
	}
	if err != nil {
		return s.log.fatalf("starting kubernetes: preparing server: %v", err)
	}
	err = s.serve(ctx)
	if s.powerIsOff(ctx) {
		s.plane.Kill()
		return 1
	}
	if stopErr := s.plane.Stop(); stopErr != nil {
		s.log.Errorf("%v", stopErr)
	}
	if err != nil {
		return s.log.fatalf("%v", err)
	}
	return 0
}

// prepare checks what can be checked before anything starts.
func (s *server) prepare() error {
	switch {
	case s.config.Truth("cluster-reset"):
		return errors.New("cluster-reset: the sandbox's stand-in does not have it yet (sandbox/README.md)")
	case s.config.Text("server", "") != "":
		return errors.New("server: the sandbox's stand-in has one control plane and cannot join another (sandbox/README.md)")
	}
	if err := s.readTokens(); err != nil {
		return err
	}
	if err := s.host.Files.MkdirAll(s.path("server", "manifests"), 0o700); err != nil {
		return err
	}
	return s.host.Files.MkdirAll(s.path("server", "db", "snapshots"), 0o700)
}

func (s *server) planeOptions() (controlplane.Options, error) {
	pods, err := s.prefix("cluster-cidr", "10.42.0.0/16")
	if err != nil {
		return controlplane.Options{}, err
	}
	services, err := s.prefix("service-cidr", "10.43.0.0/16")
	if err != nil {
		return controlplane.Options{}, err
	}
	s.cluster = ClusterConfig{
		ClusterCIDR: pods.String(), ServiceCIDR: services.String(), APIServerPort: apiServerPort,
		ClusterDNS: s.config.Text("cluster-dns", tenth(services).String()), ClusterDomain: s.config.Text("cluster-domain", "cluster.local"),
	}
	tlsDir := s.realPath("server", "tls")
	return controlplane.Options{
		Dir: s.realPath("server"), NodeName: s.nodeName, NodeIP: s.nodeIP,
		ServingNames: s.config.Split("tls-san"), ServiceCIDR: services, ClusterCIDR: pods,
		Direct:                s.host.Direct,
		EtcdArgs:              s.config.List("etcd-arg"),
		APIServerArgs:         append(s.nodePorts(), s.config.List("kube-apiserver-arg")...),
		ControllerManagerArgs: s.config.List("kube-controller-manager-arg"),
		SchedulerArgs:         s.config.List("kube-scheduler-arg"),
		DialCluster:           s.program.DialCluster,
		Bootstrap: func(ctx context.Context, etcd *clientv3.Client) error {
			return syncBootstrap(ctx, etcd, s.tokens.server.Password, tlsDir)
		},
	}, nil
}

// nodePorts is service-node-port-range as an argument of the API server.
func (s *server) nodePorts() []string {
	if ports := s.config.Text("service-node-port-range", ""); ports != "" {
		return []string{"service-node-port-range=" + ports}
	}
	return nil
}

func (s *server) prefix(option, fallback string) (netip.Prefix, error) {
	given := s.config.Split(option)
	if len(given) > 1 {
		return netip.Prefix{}, fmt.Errorf("%s: the sandbox's stand-in has no dual stack", option)
	}
	prefix, err := netip.ParsePrefix(s.config.Text(option, fallback))
	if err != nil {
		return prefix, fmt.Errorf("invalid %s: %w", option, err)
	}
	return prefix, nil
}

// serve does everything that a server does once its API answers, until the context or a part of it ends.
func (s *server) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := kubernetes.NewForConfig(s.plane.AdminConfig())
	if err != nil {
		return err
	}
	s.client = client
	if err := s.writeFiles(); err != nil {
		return err
	}
	parts := make(chan error, 5) // each part of the server that runs until the context ends
	if !s.host.Direct {
		listener, err := s.host.Network.Listen(ctx, apiServerPort)
		if err != nil {
			return err
		}
		go func() { parts <- forward(ctx, listener, s.dialAPIServer) }()
	}
	supervisorListener, err := s.host.Network.Listen(ctx, supervisorPort)
	if err != nil {
		return err
	}
	supervisor := &supervisor{plane: s.plane, client: client, log: s.log, config: s.cluster, passwords: s.tokens.passwords()}
	go func() { parts <- supervisor.serve(ctx, supervisorListener) }()
	return s.runCluster(ctx, parts)
}

// runCluster deploys what RKE2 brings along, registers the server's own node, and then waits.
func (s *server) runCluster(ctx context.Context, parts chan error) error {
	deployer, err := s.newDeployer(ctx)
	if err != nil {
		return orCancelled(ctx, err)
	}
	go func() { parts <- deployer.run(ctx) }()
	go func() { parts <- s.dropPasswords(ctx) }()
	node, err := s.startOwnNode(ctx)
	if err != nil {
		return orCancelled(ctx, err)
	}
	if s.program.Play != nil {
		go func() { parts <- s.program.Play(ctx, s.plane.AdminConfig(), s.log) }()
	}
	s.log.Infof("rke2 is up and running")
	s.notify()
	select {
	case <-ctx.Done():
		err = nil
	case err = <-s.plane.Failed():
	case err = <-parts:
	case <-node.Done():
		err = node.Err()
	}
	return errors.Join(err, node.Stop(ctx))
}

// orCancelled is nil instead of an error that is only due to the end of the daemon.
func orCancelled(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *server) dialAPIServer(ctx context.Context) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", s.plane.Address())
}

// writeFiles writes the tokens and the administrator's kubeconfig (domain.md §2.6).
func (s *server) writeFiles() error {
	if err := s.writeTokens(settings.CAHash(s.plane.PKI.ServerCA.CertPEM)); err != nil {
		return err
	}
	mode, err := strconv.ParseUint(s.config.Text("write-kubeconfig-mode", "0600"), 8, 32)
	if err != nil {
		return fmt.Errorf("write-kubeconfig-mode: %w", err)
	}
	certPEM, err := s.host.Files.ReadFile(s.path("server", "tls", "client-admin.crt"))
	if err != nil {
		return err
	}
	keyPEM, err := s.host.Files.ReadFile(s.path("server", "tls", "client-admin.key"))
	if err != nil {
		return err
	}
	kubeconfig, err := controlplane.Kubeconfig{
		Server: fmt.Sprintf("https://127.0.0.1:%d", apiServerPort), CA: s.plane.PKI.ServerCA.CertPEM, CertPEM: certPEM, KeyPEM: keyPEM,
	}.Encode()
	if err != nil {
		return err
	}
	file := s.config.Text("write-kubeconfig", kubeconfigFile)
	if err := s.writeFile(file, kubeconfig, fs.FileMode(mode)); err != nil {
		return err
	}
	s.log.Infof("Wrote kubeconfig %s", file)
	return nil
}

const kubeconfigFile = "/etc/rancher/rke2/rke2.yaml"

// tenth is the tenth address of the service range, RKE2's default for the cluster's DNS.
func tenth(services netip.Prefix) netip.Addr {
	address := services.Masked().Addr()
	for range 10 {
		address = address.Next()
	}
	return address
}

// disabled tells whether a packaged component is not to be deployed.
func (s *server) disabled(component string) bool {
	return slices.Contains(s.config.Split("disable"), component)
}
