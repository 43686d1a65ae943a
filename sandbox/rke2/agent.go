package rke2

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/expertflow/cxha/sandbox/rke2/settings"

	"github.com/expertflow/cxha/sandbox/controlplane"
)

const (
	validateRetry = 2 * time.Second
	configRetry   = 5 * time.Second
)

// agent is the daemon of rke2-agent: it joins a server's cluster and is a node of it.
type agent struct {
	*daemon
	serverURL string
	host      string // of the server, resolved anew for every connection
	port      string
	token     settings.Token
}

func (a *agent) run(ctx context.Context) int {
	if err := a.prepare(); err != nil {
		return a.log.fatalf("%v", err)
	}
	node, err := a.join(ctx)
	if ctx.Err() != nil {
		return 0
	}
	if err != nil {
		return a.log.fatalf("%v", err)
	}
	a.log.infof("rke2 agent is up and running")
	a.process.Notify()
	select {
	case <-ctx.Done():
	case <-node.Done():
		return a.log.fatalf("%v", node.Err())
	}
	if err := endNode(ctx, node); err != nil {
		return a.log.fatalf("%v", err)
	}
	return 0
}

func (a *agent) prepare() error {
	given, err := a.daemon.token("token")
	if err != nil {
		return err
	}
	if given == "" {
		return errors.New("--token is required")
	}
	if a.token, err = settings.ParseToken(given); err != nil {
		return err
	}
	if a.serverURL = a.config.Text("server", ""); a.serverURL == "" {
		return errors.New("--server is required")
	}
	server, err := url.Parse(a.serverURL)
	if err != nil {
		return messagef("Invalid server url, failed to parse: %s: %v", a.serverURL, err)
	}
	if server.Scheme != "https" {
		return fmt.Errorf("only https:// URLs are supported, invalid scheme: %s", a.serverURL)
	}
	a.host, a.port = server.Hostname(), server.Port()
	if a.port == "" {
		a.port = "443"
	}
	return nil
}

// dialServer connects to a port of the server; its name is resolved at every attempt.
func (a *agent) dialServer(port string) dialer {
	return func(ctx context.Context) (net.Conn, error) {
		return a.machine.Dial(ctx, net.JoinHostPort(a.host, port))
	}
}

// join waits for the server as long as it takes, and then makes the host a node.
func (a *agent) join(ctx context.Context) (*controlplane.Component, error) {
	if err := a.validate(ctx); err != nil {
		return nil, err
	}
	var access nodeAccess
	err := a.retry(ctx, configRetry, func() error {
		var err error
		if access, err = a.configure(ctx); err != nil {
			a.log.infof("Waiting to retrieve agent configuration; server is not ready: %v", err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	a.log.infof("Running kubelet for node %s", a.nodeName)
	return a.startKubelet(ctx, access, settings.Agent)
}

// validate waits for a server whose CA fits the token.
func (a *agent) validate(ctx context.Context) error {
	if a.token.CAHash == "" {
		a.log.warnf("Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. " +
			"Use the full token from the server's node-token file to enable Cluster CA validation.")
	}
	return a.retry(ctx, validateRetry, func() error {
		_, err := connect(ctx, a.dialServer(a.port), a.token)
		if err != nil {
			a.log.errorf("Failed to validate connection to cluster at %s: %v", a.serverURL, err)
		}
		return err
	})
}

// retry calls try until it succeeds or the context ends.
func (a *agent) retry(ctx context.Context, pause time.Duration, try func() error) error {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		if err := try(); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// configure fetches everything that a node needs, and opens the load balancer to the API server.
func (a *agent) configure(ctx context.Context) (nodeAccess, error) {
	var access nodeAccess
	supervisor, err := connect(ctx, a.dialServer(a.port), a.token)
	if err != nil {
		return access, err
	}
	config, err := supervisor.config(ctx)
	if err != nil {
		return access, err
	}
	if access.podCIDR, err = netip.ParsePrefix(config.ClusterCIDR); err != nil {
		return access, fmt.Errorf("cluster configuration: %w", err)
	}
	access.caPEM = supervisor.caPEM
	password, err := a.ensureNodePassword()
	if err != nil {
		return access, err
	}
	if access.kubelet, err = supervisor.certificate(ctx, "client-kubelet.crt", a.nodeName, password); err != nil {
		return access, err
	}
	if access.controller, err = supervisor.certificate(ctx, "client-rke2-controller.crt", a.nodeName, password); err != nil {
		return access, err
	}
	access.apiServer, err = a.balance(ctx, strconv.Itoa(config.APIServerPort))
	return access, err
}

// balance is the agent's load balancer: a real loopback port for the node's child process, forwarded through the private
// network, so that a cut cable cuts the node off too. It lives as long as the daemon.
func (a *agent) balance(ctx context.Context, port string) (address string, err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go func() {
		if err := forward(ctx, listener, a.dialServer(port)); err != nil {
			a.log.errorf("load balancer: %v", err)
		}
	}()
	return listener.Addr().String(), nil
}
