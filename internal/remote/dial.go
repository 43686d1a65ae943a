package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// route is a raw connection to an SSH server, ready for the handshake.
type route struct {
	net.Conn
	via     *conn     // the bastion's connection it runs in; nil: none
	expires time.Time // when the handshake must be done
}

// opener makes the route to an address.
type opener func(ctx context.Context, t Target, addr string) (route, error)

// errCutOff marks a failure that may be gone at the next try: the server answered, then dropped the connection, as sshd does
// when more clients come than MaxStartups allows.
var errCutOff = errors.New("cut off")

// dial makes a checked connection. Errors are those of Connect.
func (c *Connector) dial(ctx context.Context, t Target, l login, addr string, open opener) (*conn, error) {
	wait := c.opts.Backoff
	for try := 0; ; try++ {
		began := time.Now()
		conn, err := c.dialOnce(ctx, t, l, addr, open)
		if err == nil {
			c.opts.Logf("%s: connected in %s", t, short(time.Since(began)))
			return conn, nil
		}
		c.opts.Logf("%s: not connected after %s: %v", t, short(time.Since(began)), err)
		if try >= c.opts.Retries || !errors.Is(err, errCutOff) {
			return nil, err
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *Connector) dialOnce(ctx context.Context, t Target, l login, addr string, open opener) (*conn, error) {
	signers, err := c.keys.signers(t, l)
	if err != nil {
		return nil, err
	}
	known, err := c.known.load(t, l.knownHosts)
	if err != nil {
		return nil, err
	}
	r, err := open(ctx, t, addr)
	if err != nil {
		return nil, err
	}
	left := time.Until(r.expires)
	select { // more handshakes at a time than this only make each of them slower, until they run into their limit
	case c.dials <- struct{}{}:
		defer func() { <-c.dials }()
	case <-ctx.Done():
		_ = r.Close()
		return nil, ctx.Err()
	}
	limited, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	h := &handshake{target: t, login: l, addr: addr, known: known, signers: signers}
	client, err := h.do(limited, r)
	switch {
	case err == nil:
		return newConn(client, r.Conn, r.via, c.opts.KeepAlive), nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case limited.Err() != nil:
		return nil, h.late(c.opts.Timeout)
	}
	return nil, err
}

// tcp opens a route over the network.
func (c *Connector) tcp(ctx context.Context, t Target, addr string) (route, error) {
	expires := time.Now().Add(c.opts.Timeout)
	limited, cancel := context.WithDeadline(ctx, expires)
	defer cancel()
	var d net.Dialer
	nc, err := d.DialContext(limited, "tcp", addr)
	if err != nil {
		if ctx.Err() != nil {
			return route{}, ctx.Err()
		}
		return route{}, unreachable(t, addr, err, c.opts.Timeout)
	}
	return route{Conn: nc, expires: expires}, nil
}

// through returns an opener of routes through a bastion.
func (c *Connector) through(key bastionKey) opener {
	return func(ctx context.Context, t Target, addr string) (route, error) {
		bastion, err := c.bastion(key).get(ctx)
		if err != nil {
			var e targeted
			if errors.As(err, &e) {
				return route{}, e.retarget(t)
			}
			return route{}, err
		}
		expires := time.Now().Add(c.opts.Timeout)
		limited, cancel := context.WithDeadline(ctx, expires)
		defer cancel()
		nc, err := bastion.forward(limited, addr)
		if err != nil {
			if ctx.Err() != nil {
				return route{}, ctx.Err()
			}
			return route{}, behind(t, withoutDefaultPort(key.address), bastion, err, c.opts.Timeout)
		}
		return route{Conn: nc, via: bastion, expires: expires}, nil
	}
}

// behind tells why a bastion could not connect to a host.
func behind(t Target, name string, bastion *conn, err error, limit time.Duration) error {
	var refused *ssh.OpenChannelError
	switch {
	case errors.As(err, &refused) && refused.Reason == ssh.Prohibited:
		return &UnreachableError{Target: Target{Bastion: name}.at(t), Reason: "it does not forward connections: " + refused.Message,
			Advice: "Allow it in the bastion's sshd_config: AllowTcpForwarding yes, and PermitOpen where that is set."}
	case errors.As(err, &refused):
		return &UnreachableError{Target: t, Reason: fmt.Sprintf("bastion %s cannot connect to it: %s", name, refused.Message),
			Advice: fmt.Sprintf("Check that the host is up, and that its SSH port can be reached from the bastion: on %s try `nc -zv %s`.", name, t.Address)}
	case errors.Is(err, context.DeadlineExceeded):
		return &UnreachableError{Target: t, Reason: fmt.Sprintf("no answer through bastion %s within %s", name, limit), Advice: isItUp}
	default:
		bastion.close(err) // it opens no channels: the next try needs another
		return &cutOffError{&UnreachableError{Target: Target{Bastion: name}.at(t),
			Reason: fmt.Sprintf("the connection was lost: %v", bastion.why()), Advice: isItUp}}
	}
}
