package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"k8s.io/client-go/rest"
)

const (
	etcdGrace      = 5 * time.Second
	componentGrace = 4 * time.Second
)

// Options describe the control plane of one host.
type Options struct {
	// Dir is the real directory of the host's /var/lib/rancher/rke2/server: tls, db/etcd, cred and logs are kept below it.
	Dir string
	// NodeName is the etcd member's name, NodeIP the address that the API server advertises in the cluster.
	NodeName string
	NodeIP   netip.Addr
	// ServingNames are more names and addresses for the API server's certificate (tls-san).
	ServingNames []string
	ServiceCIDR  netip.Prefix
	ClusterCIDR  netip.Prefix
	// Direct makes everything listen where RKE2's does: the API server on port 6443 of all addresses, etcd on 2379, 2380 and 2381, and
	// the API server calls kubelets, pods and Services by itself. Without it all is on free loopback ports.
	Direct bool
	// The *Args are "name=value" and override the defaults: RKE2's *-arg options.
	EtcdArgs              []string
	APIServerArgs         []string
	ControllerManagerArgs []string
	SchedulerArgs         []string
	// Bootstrap, if set, is called when etcd answers and before the API server starts. An error ends the start.
	Bootstrap func(ctx context.Context, etcd *clientv3.Client) error
	// DialCluster, if set, connects the API server to Services, pods and nodes: host:port as the API server calls it. Its errors
	// are what clients read when a webhook cannot be called. Without it the API server dials by itself, and finds nothing.
	DialCluster func(ctx context.Context, address string) (net.Conn, error)
}

// ControlPlane is a running control plane. Its components are not restarted: when one ends, Failed tells.
type ControlPlane struct {
	PKI   *PKI
	Ports Ports

	options    Options
	components []*Component // in the order of their start
	egress     *egress      // nil without DialCluster
	failed     chan error
}

// Start starts the control plane and returns when its API server is ready, about three seconds later. Cancelling the context
// ends the start; nothing is left running then.
func Start(ctx context.Context, options Options) (*ControlPlane, error) {
	pki, err := OpenPKI(filepath.Join(options.Dir, "tls"))
	if err != nil {
		return nil, err
	}
	ports := Ports{APIServer: 6443, EtcdClient: 2379, EtcdPeer: 2380}
	if !options.Direct {
		if ports, err = choosePorts(options.Dir); err != nil {
			return nil, err
		}
	}
	c := &ControlPlane{PKI: pki, Ports: ports, options: options, failed: make(chan error, 1)}
	if err := c.issueCertificates(); err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		c.Kill()
		return nil, err
	}
	go c.watch()
	return c, nil
}

func (c *ControlPlane) start(ctx context.Context) error {
	if err := c.launch(Etcd, c.etcdDefaults(), c.options.EtcdArgs); err != nil {
		return err
	}
	if err := c.awaitEtcd(ctx); err != nil {
		return err
	}
	if err := c.startEgress(); err != nil {
		return fmt.Errorf("egress: %w", err)
	}
	if err := c.launch(APIServer, c.apiServerDefaults(), c.options.APIServerArgs); err != nil {
		return err
	}
	if err := c.awaitReady(ctx); err != nil {
		return err
	}
	if err := c.launch(ControllerManager, c.controllerManagerDefaults(), c.options.ControllerManagerArgs); err != nil {
		return err
	}
	return c.launch(Scheduler, c.schedulerDefaults(), c.options.SchedulerArgs)
}

func (c *ControlPlane) launch(name string, defaults map[string]string, extra []string) error {
	arguments, err := MergeArguments(defaults, extra)
	if err != nil {
		return fmt.Errorf("component %s: %w", name, err)
	}
	component, err := StartComponent(name, filepath.Join(c.options.Dir, "logs", name+".log"), arguments)
	if err != nil {
		return err
	}
	c.components = append(c.components, component)
	return nil
}

// watch reports the first component that ends by itself.
func (c *ControlPlane) watch() {
	ended := make(chan *Component, len(c.components))
	for _, component := range c.components {
		go func() {
			<-component.Done()
			ended <- component
		}()
	}
	c.failed <- (<-ended).Err()
}

// Failed delivers one error when a component has ended, and also after Stop or Kill.
func (c *ControlPlane) Failed() <-chan error { return c.failed }

// Stop ends the components in an orderly way, the last one started first.
func (c *ControlPlane) Stop() error {
	var errs []error
	for i := len(c.components) - 1; i >= 0; i-- {
		grace := componentGrace
		if c.components[i].Name() == Etcd {
			grace = etcdGrace
		}
		errs = append(errs, c.components[i].Stop(grace))
	}
	c.egress.stop()
	return errors.Join(errs...)
}

// Kill ends all components at once, as a power cut does.
func (c *ControlPlane) Kill() {
	for _, component := range c.components {
		// An error means that it has ended by itself. All are hit before one is waited for.
		_ = component.command.Process.Kill()
	}
	for _, component := range c.components {
		component.Kill()
	}
	c.egress.stop()
}

// Address is the real address of the API server.
func (c *ControlPlane) Address() string {
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(c.Ports.APIServer))
}

// AdminConfig is the client configuration of the cluster's administrator (group system:masters) at the real address.
func (c *ControlPlane) AdminConfig() *rest.Config {
	return &rest.Config{
		Host: "https://" + c.Address(),
		TLSClientConfig: rest.TLSClientConfig{
			CAFile: c.PKI.Path("server-ca.crt"), CertFile: c.PKI.Path("client-admin.crt"), KeyFile: c.PKI.Path("client-admin.key"),
		},
		QPS: -1, // no limit: the API server is on this machine
	}
}

// EtcdClient connects to the control plane's etcd.
func (c *ControlPlane) EtcdClient() (*clientv3.Client, error) {
	certificate, err := tls.LoadX509KeyPair(c.PKI.Path("etcd/client.crt"), c.PKI.Path("etcd/client.key"))
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{c.etcdURL()},
		DialTimeout: time.Second,
		TLS:         &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: c.PKI.EtcdCA.Pool(), MinVersion: tls.VersionTLS12},
	})
}

// awaitEtcd returns when etcd answers a read, and lets Bootstrap look at it.
func (c *ControlPlane) awaitEtcd(ctx context.Context) error {
	// A client that is there first would write its failed attempts into this process' log.
	err := c.poll(ctx, func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", c.Ports.EtcdClient))
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		return err
	}
	client, err := c.EtcdClient()
	if err != nil {
		return err
	}
	defer client.Close() // only read from
	err = c.poll(ctx, func(ctx context.Context) error {
		_, err := client.Get(ctx, "health")
		return err
	})
	if err != nil {
		return err
	}
	if c.options.Bootstrap == nil {
		return nil
	}
	return c.options.Bootstrap(ctx, client)
}

// awaitReady returns when the API server says that it is ready.
func (c *ControlPlane) awaitReady(ctx context.Context) error {
	client, err := rest.UnversionedRESTClientFor(unversioned(c.AdminConfig()))
	if err != nil {
		return err
	}
	return c.poll(ctx, func(ctx context.Context) error {
		return client.Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// poll calls try until it succeeds, the context ends, or a component ends.
func (c *ControlPlane) poll(ctx context.Context, try func(ctx context.Context) error) error {
	newest := c.components[len(c.components)-1]
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := try(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not ready: %w: %w", newest.Name(), context.Cause(ctx), err)
		case <-newest.Done():
			return newest.Err()
		case <-ticker.C:
		}
	}
}
