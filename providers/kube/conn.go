package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Kubeconfig is where RKE2 writes the administrator's kubeconfig on the control plane (domain.md §2.6). Its address is the
// host's own loopback.
const Kubeconfig = "/etc/rancher/rke2/rke2.yaml"

const kubeconfigFact = "kubeconfig"

// attemptTimeout bounds one call, so that a connection that went silent is given up and made anew.
const attemptTimeout = 30 * time.Second

// errNotStarted means that RKE2 has never been started on the control plane's host.
var errNotStarted = errors.New("the control plane's host has no " + Kubeconfig)

// errExpired means that the API server took the kubeconfig that the probe saw for another cluster's.
var errExpired = errors.New("the API server refused the kubeconfig in " + Kubeconfig)

// errNoAnswer means that the control plane's host did not answer the probe.
var errNoAnswer = errors.New("the control plane's host did not answer")

// conn is a session's way to the Kubernetes API.
type conn struct {
	session      providers.Session
	controlPlane string // host name
	options      Options

	mu      sync.Mutex // guards the fields below
	client  *kubernetes.Clientset
	config  *rest.Config // of client, for clients of other kinds: they share its connection
	expired bool         // the kubeconfig that the probe saw was refused since
	probes  int          // that run now
	view    *view        // what the API has; nil: to be read
	known   knowledge    // what the last probe learnt for the changes after it

	hinting sync.Mutex // held while the inventory's hints are written
}

// Facts asks the control plane's host for its kubeconfig.
func (p *Provider) Facts(bp *blueprint.Blueprint) []providers.Fact {
	return []providers.Fact{{Host: bp.ControlPlane.Name, Name: kubeconfigFact, Question: readKubeconfig}}
}

const readKubeconfig = "if [ -e " + Kubeconfig + " ]; then cat " + Kubeconfig + "; fi"

// open returns the session's connection and makes it at the first call. It does no I/O.
func (p *Provider) open(s providers.Session, controlPlane string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.conns[s]
	if !ok {
		c = &conn{session: s, controlPlane: controlPlane, options: p.options}
		p.conns[s] = c
	}
	return c
}

// opened returns the connection of a session that was probed.
func (p *Provider) opened(s providers.Session) (*conn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.conns[s]
	if !ok {
		return nil, errors.New("kubernetes API: the session was not probed before a change; this is a bug in cxha")
	}
	return c, nil
}

// fromFact returns the client for the kubeconfig that travelled with the host's one command.
func (c *conn) fromFact() (*kubernetes.Clientset, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		return c.client, nil
	}
	if c.expired {
		return nil, errExpired
	}
	reply, ok := c.session.Fact(c.controlPlane, kubeconfigFact)
	if !ok {
		return nil, errNoAnswer
	}
	return c.build(reply)
}

// fromHost returns the client; where the probe found no kubeconfig, or one that was refused since, the host is asked again.
func (c *conn) fromHost(ctx context.Context) (*kubernetes.Clientset, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		return c.client, nil
	}
	host, err := c.session.Host(ctx, c.controlPlane)
	if err != nil {
		return nil, err
	}
	reply, err := host.Run(ctx, new(shell.Script).Add("%s", shell.Raw(readKubeconfig)))
	if err != nil {
		return nil, err
	}
	return c.build(reply)
}

// forget drops a client whose kubeconfig is not the server's any more.
func (c *conn) forget(client *kubernetes.Clientset) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client == client {
		c.client, c.config, c.view, c.expired = nil, nil, nil, true
	}
}

// build makes the client. The caller holds mu.
func (c *conn) build(reply providers.Reply) (*kubernetes.Clientset, error) {
	if reply.Exit != 0 {
		return nil, fmt.Errorf("host %s: %s cannot be read: %s", c.controlPlane, Kubeconfig, strings.TrimSpace(reply.Stderr))
	}
	if strings.TrimSpace(reply.Stdout) == "" {
		return nil, errNotStarted
	}
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(reply.Stdout))
	if err != nil {
		// The parser's message may quote the file, which is a secret.
		return nil, fmt.Errorf("host %s: %s is not a kubeconfig", c.controlPlane, Kubeconfig)
	}
	config.Dial = c.dial
	config.QPS = -1 // the executor has limits of its own
	config.UserAgent = FieldManager
	config.WarningHandlerWithContext = rest.NoWarnings{} // standard error belongs to the caller
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return impatient{next} })
	if c.options.Wrap != nil {
		config.Wrap(c.options.Wrap)
	}
	shared, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("host %s: %s does not fit: %v", c.controlPlane, Kubeconfig, err)
	}
	c.config = &rest.Config{
		Host: config.Host, APIPath: config.APIPath, Transport: shared, QPS: config.QPS, UserAgent: config.UserAgent,
		WarningHandlerWithContext: config.WarningHandlerWithContext,
	}
	c.client, err = kubernetes.NewForConfig(c.config)
	if err != nil {
		return nil, fmt.Errorf("host %s: %s does not fit: %v", c.controlPlane, Kubeconfig, err)
	}
	return c.client, nil
}

func (c *conn) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, err := c.session.Host(ctx, c.controlPlane)
	if err != nil {
		return nil, &hostError{err}
	}
	conn, err := host.Dial(ctx, network, addr)
	if err != nil {
		return nil, &dialError{addr: addr, err: err}
	}
	return conn, nil
}

// call is one change's use of a connection.
type call struct {
	*conn
	addr schema.Addr
}

func (c call) progress(format string, args ...any) {
	c.session.Progress(c.addr, fmt.Sprintf(format, args...))
}

// do runs fn, which must be idempotent, until it succeeds or fails for a reason that time does not mend. It outlives restarts
// of the control plane and its kubeconfig.
func (c call) do(ctx context.Context, fn func(context.Context, *kubernetes.Clientset) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.APITimeout, fmt.Errorf("no answer for %s", c.options.APITimeout))
	defer cancel()
	backoff := wait.Backoff{Duration: 200 * time.Millisecond, Factor: 1.6, Jitter: 0.1, Steps: 1000, Cap: 5 * time.Second}
	for {
		err := c.attempt(ctx, fn)
		if err == nil {
			return nil
		}
		if !transient(err) {
			return err
		}
		if ctx.Err() == nil {
			c.progress("waiting for the Kubernetes API: %v", brief(err))
		}
		if pause(ctx, backoff.Step()) != nil {
			return fmt.Errorf("kubernetes API on %s: %w: %v", c.controlPlane, context.Cause(ctx), brief(err))
		}
	}
}

func (c call) attempt(ctx context.Context, fn func(context.Context, *kubernetes.Clientset) error) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	client, err := c.fromHost(ctx)
	if err != nil {
		return err
	}
	err = fn(ctx, client)
	if refused(err) {
		c.forget(client)
	}
	return err
}

// pause waits, or returns why it could not.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
