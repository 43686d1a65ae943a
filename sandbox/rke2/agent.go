package rke2

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

const (
	validateRetry = 2 * time.Second
	configRetry   = 5 * time.Second
)

// agent is the daemon of rke2-agent: it joins a server's cluster and is a node of it.
type agent struct {
	*daemon
	serverURL string
	server    string // its name, resolved anew for every connection
	port      string
	token     settings.Token
	balanced  []string // the load balancers' addresses that are open
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
	a.log.Infof("rke2 agent is up and running")
	a.notify()
	select {
	case <-ctx.Done():
	case <-node.Done():
		return a.log.fatalf("%v", node.Err())
	}
	if err := node.Stop(ctx); err != nil {
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
	a.server, a.port = server.Hostname(), server.Port()
	if a.port == "" {
		a.port = "443"
	}
	return nil
}

// dialServer connects to a port of the server; its name is resolved at every attempt.
func (a *agent) dialServer(port string) dialer {
	return func(ctx context.Context) (net.Conn, error) {
		return a.host.Network.Dial(ctx, net.JoinHostPort(a.server, port))
	}
}

// join waits for the server as long as it takes, and then makes the host a node.
func (a *agent) join(ctx context.Context) (Node, error) {
	if err := a.validate(ctx); err != nil {
		return nil, err
	}
	var access NodeAccess
	var cluster ClusterConfig
	err := a.retry(ctx, configRetry, func() error {
		var err error
		if access, cluster, err = a.configure(ctx); err != nil {
			a.log.Infof("Waiting to retrieve agent configuration; server is not ready: %v", err)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	a.log.Infof("Running kubelet for node %s", a.nodeName)
	return a.startNode(ctx, settings.Agent, cluster, access)
}

// validate waits for a server whose CA fits the token.
func (a *agent) validate(ctx context.Context) error {
	if a.token.CAHash == "" {
		a.log.Warnf("Cluster CA certificate is not trusted by the host CA bundle, but the token does not include a CA hash. " +
			"Use the full token from the server's node-token file to enable Cluster CA validation.")
	}
	return a.retry(ctx, validateRetry, func() error {
		_, err := connect(ctx, a.dialServer(a.port), a.token)
		if err != nil {
			a.log.Errorf("Failed to validate connection to cluster at %s: %v", a.serverURL, err)
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

// configure fetches everything that a node needs, and opens the load balancers to the server.
func (a *agent) configure(ctx context.Context) (NodeAccess, ClusterConfig, error) {
	supervisor, err := connect(ctx, a.dialServer(a.port), a.token)
	if err != nil {
		return NodeAccess{}, ClusterConfig{}, err
	}
	cluster, err := supervisor.config(ctx)
	if err != nil {
		return NodeAccess{}, cluster, err
	}
	access, err := a.fetchAccess(ctx, supervisor)
	if err != nil {
		return access, cluster, err
	}
	access.APIServer, err = a.balance(ctx, cluster.APIServerPort)
	return access, cluster, err
}

// fetchAccess asks for the authorities and has the node's keys signed.
func (a *agent) fetchAccess(ctx context.Context, supervisor *supervisorClient) (NodeAccess, error) {
	access := NodeAccess{ServerCA: supervisor.caPEM}
	var err error
	if access.ClientCA, err = supervisor.get(ctx, "/v1-rke2/client-ca.crt", true); err != nil {
		return access, err
	}
	node := nodeIdentity{name: a.nodeName, address: a.nodeIP}
	if node.password, err = a.ensureNodePassword(); err != nil {
		return access, err
	}
	for _, identity := range []struct {
		file string
		pair *KeyPair
	}{
		{"client-kubelet.crt", &access.Kubelet}, {"serving-kubelet.crt", &access.Serving},
		{"client-kube-proxy.crt", &access.Proxy}, {"client-rke2-controller.crt", &access.Controller},
	} {
		if *identity.pair, err = supervisor.certificate(ctx, identity.file, node); err != nil {
			return access, err
		}
	}
	return access, nil
}
