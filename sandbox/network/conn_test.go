package network_test

import (
	"errors"
	"net"
	"testing"

	"golang.org/x/net/nettest"
)

// TestConn runs the conformance tests that Go has for its own connections.
func TestConn(t *testing.T) {
	t.Parallel()
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		p := newPair()
		lis, err := p.b.Listen(port)
		if err != nil {
			return nil, nil, nil, err
		}
		if c1, err = p.a.Dial(t.Context(), p.at); err != nil {
			return nil, nil, nil, err
		}
		if c2, err = lis.Accept(); err != nil {
			return nil, nil, nil, err
		}
		stop = func() {
			for _, err := range []error{c1.Close(), c2.Close(), lis.Close()} {
				if err != nil && !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
			}
		}
		return c1, c2, stop, nil
	})
}
