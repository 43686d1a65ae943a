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
	ended := make(chan struct{}, 2)
	pipe := func(to io.Writer, from io.Reader) {
		// However a direction ends, the other end sees it: its connection is closed.
		_, _ = io.Copy(to, from)
		ended <- struct{}{}
	}
	go pipe(target, conn)
	go pipe(conn, target)
	select {
	case <-ctx.Done():
	case <-ended:
	}
}
