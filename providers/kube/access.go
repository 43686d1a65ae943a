package kube

import (
	"context"
	"errors"
	"sync"

	"k8s.io/client-go/rest"

	"github.com/expertflow/cxha/providers"
)

// RESTConfig returns how other providers reach the session's API server: through the control plane's SSH connection, on the
// same connection as this provider's own calls. It may be called at the same time as Probe, whose begin it waits for, and
// during a run. What [Provider.Drift] reads after it outside of a probe is read anew. [NotStarted] and [Passing] tell what an error means for resources.
func (p *Provider) RESTConfig(ctx context.Context, s providers.Session) (*rest.Config, error) {
	c, err := p.await(ctx, s)
	if err != nil {
		return nil, err
	}
	config, err := c.restConfig(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.probes == 0 { // somebody is about to change the cluster, or has changed it
		c.view = nil
	}
	return config, nil
}

// restConfig returns a copy of the config of the session's client.
func (c *conn) restConfig(ctx context.Context) (*rest.Config, error) {
	_, err := c.fromFact()
	if errors.Is(err, errExpired) {
		_, err = c.fromHost(ctx)
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.config == nil {
		return nil, &retryError{errExpired}
	}
	return rest.CopyConfig(c.config), nil
}

// await returns the session's connection as soon as a probe of it has begun.
func (p *Provider) await(ctx context.Context, s providers.Session) (*conn, error) {
	select {
	case <-p.probeOf(s):
		return p.opened(s)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// probeOf returns the channel that is closed when a probe of the session has begun.
func (p *Provider) probeOf(s providers.Session) chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	ch, ok := p.probed[s]
	if !ok {
		ch = make(chan struct{})
		p.probed[s] = ch
	}
	return ch
}

// beginProbe returns the session's connection, on which nothing of an earlier probe is remembered.
func (p *Provider) beginProbe(s providers.Session, controlPlane string) (c *conn, end func()) {
	c = p.open(s, controlPlane)
	c.mu.Lock()
	c.view = nil
	c.probes++
	c.mu.Unlock()
	ch := p.probeOf(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-ch:
	default:
		close(ch)
	}
	return c, sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.probes--
	})
}

// changing forgets the lists of objects, one of which is about to be changed. Which kinds there are is as it was.
func (c *conn) changing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.view; v != nil {
		c.view = v.withoutLists()
	}
}

// forgetKinds forgets which kinds there are.
func (c *conn) forgetKinds() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.view = nil
}

// NotStarted reports whether an error of RESTConfig means that RKE2 has never been started: nothing is in the cluster.
func NotStarted(err error) bool { return errors.Is(err, errNotStarted) }

// Passing reports whether an error of the API, or of the way to it, passes when the API server is up, or up again: what a
// change of the same plan may bring about.
func Passing(err error) bool { return transient(err) }

// Brief is an error of the API in a few words, for the reason why something could not be seen.
func Brief(err error) string { return brief(err) }
