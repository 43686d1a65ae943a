package rke2

import (
	"context"
	"io"
	"net"
)

// dialer connects to where a forwarded connection goes.
type dialer func(ctx context.Context) (net.Conn, error)

// forward accepts connections until the context ends, and copies each to a connection of its own. When it returns the
// listener is closed; the connections end with the context.
func forward(ctx context.Context, listener net.Listener, dial dialer) error {
	defer listener.Close()
	stop := context.AfterFunc(ctx, func() { listener.Close() })
	defer stop()
	for {
		conn, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		go relay(ctx, conn, dial)
	}
}

// relay copies both ways until one side ends; then both are closed, as a load balancer does.
func relay(ctx context.Context, conn net.Conn, dial dialer) {
	defer conn.Close()
	target, err := dial(ctx)
	if err != nil {
		return // the caller sees a closed connection, as behind RKE2's load balancer
	}
	defer target.Close()
	ended := make(chan error, 2)
	go func() { _, err := io.Copy(target, conn); ended <- err }()
	go func() { _, err := io.Copy(conn, target); ended <- err }()
	select {
	case <-ctx.Done():
	case <-ended: // in whatever way: both ends see their connection closed
	}
}
