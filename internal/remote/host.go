package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/expertflow/cxha/providers"
)

// Host is the connection to one host. A connection that broke is made again by the next Run or Dial, never inside a Run
// whose script the host may have seen. It is safe for concurrent use.
type Host struct {
	key    hostKey
	target Target
	conns  *Connector
	link   *link
}

var _ providers.Host = (*Host)(nil)

func (c *Connector) newHost(key hostKey) *Host {
	h := &Host{key: key, target: targetOf(key), conns: c}
	open := c.tcp
	if key.bastion != (bastionKey{}) {
		open = c.through(key.bastion)
	}
	h.link = newLink(func(ctx context.Context) (*conn, error) {
		conn, err := c.dial(ctx, h.target, key.login, key.address, open)
		if err == nil {
			c.count.host(key.name, HostStats{Connections: 1})
		}
		return conn, err
	})
	return h
}

// Close closes the connection for all who got it from the Connector; connecting again makes another one.
func (h *Host) Close() error {
	h.conns.forget(h)
	h.link.close()
	return nil
}

// Dial opens a TCP connection from the host to addr (address:port, names are resolved there). Deadlines work. Where nothing
// listens there, the error is syscall.ECONNREFUSED.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if network != "tcp" {
		return nil, fmt.Errorf("%s: network %q cannot be dialled from a host, only tcp", h.target, network)
	}
	var far net.Conn
	c, err := h.open(ctx, func(c *conn) (err error) {
		far, err = c.forward(ctx, addr)
		return err
	})
	if err != nil {
		return nil, h.undialled(ctx, addr, err)
	}
	h.conns.count.host(h.key.name, HostStats{Tunnels: 1})
	return newTunnel(h.target, c, far, addr), nil
}

func (h *Host) undialled(ctx context.Context, addr string, err error) error {
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) {
		return h.explain(ctx, err)
	}
	if strings.Contains(strings.ToLower(refused.Message), "refused") {
		return fmt.Errorf("%s: connecting from the host to %s: %w", h.target, addr, syscall.ECONNREFUSED)
	}
	if refused.Reason == ssh.Prohibited {
		return fmt.Errorf("%s: connecting from the host to %s: its SSH server does not allow it (%s): set AllowTcpForwarding yes in its sshd_config",
			h.target, addr, refused.Message)
	}
	return fmt.Errorf("%s: connecting from the host to %s: %s", h.target, addr, refused.Message)
}

// open gives use the live connection, and once more a new one if the first turns out to be broken. So use must not let the
// host see a script.
func (h *Host) open(ctx context.Context, use func(*conn) error) (*conn, error) {
	for try := 0; ; try++ {
		c, err := h.link.get(ctx)
		if err != nil {
			return nil, err
		}
		err = use(c)
		var refused *ssh.OpenChannelError
		if err == nil || ctx.Err() != nil || errors.As(err, &refused) {
			return c, err
		}
		c.close(err)
		if try > 0 {
			return nil, &UnreachableError{Target: h.target, Reason: fmt.Sprintf("the connection was lost: %v", c.why()), Advice: isItUp}
		}
	}
}

// explain makes the error of a call that got no connection.
func (h *Host) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return h.target.stopped(ctx, "connecting")
	case errors.Is(err, errClosed):
		return &UnreachableError{Target: h.target, Reason: "the connection was closed by cxha", Advice: "This happens at the end of a run only."}
	}
	return err
}
