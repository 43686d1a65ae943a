package remote_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/remote/sshtest"
)

// A tunnel is as good as a TCP connection, deadlines included.
func TestTunnelIsNetConn(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	host := connect(t, connector(t, remote.Options{}), w.Spec(w.Host("cp1", sshtest.Options{})))
	nettest.TestConn(t, func() (near, far net.Conn, stop func(), err error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, nil, err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		if near, err = host.Dial(t.Context(), "tcp", l.Addr().String()); err != nil {
			return nil, nil, nil, err
		}
		if far, err = l.Accept(); err != nil {
			return nil, nil, nil, err
		}
		return near, far, func() {
			_ = near.Close() // the tests close them, too
			_ = far.Close()
		}, nil
	})
}

func TestTunnelCarriesHTTP(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body) // the client checks
	}))
	t.Cleanup(server.Close)
	w, _, hosts := site(t, 1, sshtest.Options{}, sshtest.Options{})
	c := connector(t, remote.Options{})
	host := connect(t, c, w.Spec(hosts[0]))
	client := server.Client()
	client.Transport.(*http.Transport).DialContext = host.Dial
	t.Cleanup(client.CloseIdleConnections)
	body := strings.Repeat("0123456789", 100_000)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			resp, err := client.Post(server.URL, "text/plain", strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(resp.Body)
			if err = errors.Join(err, resp.Body.Close()); err != nil || string(got) != body {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	all.Wait()
	if s := c.Stats(); s.Connections != 1 || s.Tunnels == 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestTunnelFails(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	c := connector(t, remote.Options{})
	off := w.Host("off", sshtest.Options{})
	off.Off()
	strict := w.Host("strict", sshtest.Options{NoForward: true})
	host := connect(t, c, w.Spec(w.Host("cp1", sshtest.Options{})))
	if _, err := host.Dial(t.Context(), "tcp", off.Addr()); !errors.Is(err, syscall.ECONNREFUSED) || !strings.HasPrefix(err.Error(), "host cp1 (127.0.0.1:") {
		t.Errorf("nothing listens: %v", err)
	}
	if _, err := host.Dial(t.Context(), "unix", "/run/x"); err == nil || !strings.Contains(err.Error(), "only tcp") {
		t.Errorf("unix: %v", err)
	}
	if _, err := connect(t, c, w.Spec(strict)).Dial(t.Context(), "tcp", "127.0.0.1:6443"); err == nil || !strings.Contains(err.Error(), "AllowTcpForwarding") {
		t.Errorf("forbidden: %v", err)
	}
}

func TestTunnelEndsWithItsHost(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	w := sshtest.NewWorld(t)
	h := w.Host("cp1", sshtest.Options{})
	host := connect(t, connector(t, remote.Options{}), w.Spec(h))
	tunnel, err := host.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := tunnel.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	h.Drop()
	if _, err := tunnel.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(err.Error(), "host cp1 (") {
		t.Errorf("got %v", err)
	}
	if tunnel.RemoteAddr().String() != l.Addr().String() || tunnel.LocalAddr().String() != "cp1" {
		t.Errorf("from %s to %s", tunnel.LocalAddr(), tunnel.RemoteAddr())
	}
}
