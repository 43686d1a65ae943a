package network_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/expertflow/cxha/sandbox/network"
)

const port = 9345

// pair is two hosts; the second listens and echoes when asked to by the test.
type pair struct {
	net  *network.Network
	a, b *network.Interface
	at   netip.AddrPort
}

func newPair() pair {
	n := network.New()
	addr := netip.MustParseAddr("10.10.2.11")
	return pair{net: n, a: n.Attach("a", netip.MustParseAddr("10.10.1.11")), b: n.Attach("b", addr), at: netip.AddrPortFrom(addr, port)}
}

// connect makes a connection and returns both ends.
func (p pair) connect(t *testing.T) (client, server net.Conn) {
	t.Helper()
	lis, err := p.b.Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	client, err = p.a.Dial(t.Context(), p.at)
	if err != nil {
		t.Fatal(err)
	}
	server, err = lis.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	return client, server
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func wantRead(t *testing.T, c net.Conn, want string) {
	t.Helper()
	buf := make([]byte, len(want))
	if _, err := io.ReadFull(c, buf); err != nil || string(buf) != want {
		t.Fatalf("read %q, %v; want %q", buf, err, want)
	}
}

func TestDialErrors(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		to      string
		prepare func(p pair)
		want    error
		after   time.Duration
	}{
		"nobody listens":       {to: "10.10.2.11:9345", want: syscall.ECONNREFUSED},
		"nobody on loopback":   {to: "127.0.0.1:9345", want: syscall.ECONNREFUSED},
		"unknown address":      {to: "10.10.9.9:22", want: syscall.EHOSTUNREACH, after: 3 * time.Second},
		"target's line is cut": {to: "10.10.2.11:9345", prepare: func(p pair) { p.b.Cut() }, want: syscall.EHOSTUNREACH, after: 3 * time.Second},
		"own line is cut":      {to: "10.10.2.11:9345", prepare: func(p pair) { p.a.Cut() }, want: syscall.EHOSTUNREACH, after: 3 * time.Second},
		"target is off":        {to: "10.10.2.11:9345", prepare: func(p pair) { p.b.Down() }, want: syscall.EHOSTUNREACH, after: 3 * time.Second},
		"self is off":          {to: "10.10.2.11:9345", prepare: func(p pair) { p.a.Down() }, want: syscall.ENETDOWN},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair()
				if c.prepare != nil {
					c.prepare(p)
				}
				start := time.Now()
				_, err := p.a.Dial(t.Context(), netip.MustParseAddrPort(c.to))
				if !errors.Is(err, c.want) {
					t.Errorf("got %v, want %v", err, c.want)
				}
				if took := time.Since(start); took != c.after {
					t.Errorf("took %s, want %s", took, c.after)
				}
			})
		})
	}
}

func TestDialStopsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		p.b.Cut()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := p.a.Dial(ctx, p.at)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestListenTwice(t *testing.T) {
	t.Parallel()
	p := newPair()
	first, err := p.b.Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.b.Listen(port); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("second listener: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.b.Listen(port); err != nil {
		t.Errorf("after close: %v", err)
	}
}

func TestCloseOfListenerResetsWaiting(t *testing.T) {
	t.Parallel()
	p := newPair()
	lis, err := p.b.Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	client, err := p.a.Dial(t.Context(), p.at)
	if err != nil {
		t.Fatal(err)
	}
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
	if _, err := lis.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
}

func TestHalfClose(t *testing.T) {
	t.Parallel()
	client, server := newPair().connect(t)
	write(t, client, "question")
	if err := client.(*network.Conn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(server)
	if err != nil || string(got) != "question" {
		t.Fatalf("server read %q, %v", got, err)
	}
	write(t, server, "answer")
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	got, err = io.ReadAll(client)
	if err != nil || string(got) != "answer" {
		t.Fatalf("client read %q, %v", got, err)
	}
	if _, err := client.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write to a closed peer: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	client, server := newPair().connect(t)
	if got := server.RemoteAddr().(*net.TCPAddr); got.IP.String() != "10.10.1.11" || got.String() != client.LocalAddr().String() {
		t.Errorf("server sees %s, client is %s", got, client.LocalAddr())
	}
	if got := client.RemoteAddr().String(); got != "10.10.2.11:9345" {
		t.Errorf("client sees %s", got)
	}
}

func TestWriterWaitsForReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, server := newPair().connect(t)
		const size = 1 << 20
		written := false
		go func() {
			if _, err := client.Write(make([]byte, size)); err != nil {
				t.Error(err)
			}
			written = true
		}()
		synctest.Wait()
		if written {
			t.Fatal("a megabyte was written and nobody has read")
		}
		n, err := io.CopyN(io.Discard, server, size)
		if err != nil || n != size {
			t.Fatalf("read %d, %v", n, err)
		}
		synctest.Wait()
		if !written {
			t.Error("the writer still waits")
		}
	})
}

func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		p.net.SetLatency(10 * time.Millisecond)
		start := time.Now()
		client, server := p.connect(t)
		if took := time.Since(start); took != 20*time.Millisecond {
			t.Errorf("connecting took %s, want a round trip", took)
		}
		start = time.Now()
		write(t, client, "ping")
		write(t, client, "ping")
		wantRead(t, server, "pingping")
		write(t, server, "pong")
		wantRead(t, client, "pong")
		if took := time.Since(start); took != 20*time.Millisecond {
			t.Errorf("question and answer took %s, want a round trip", took)
		}
	})
}

func TestLoopbackHasNoLatencyAndSurvivesCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		p.net.SetLatency(time.Second)
		lis, err := p.b.Listen(port)
		if err != nil {
			t.Fatal(err)
		}
		p.b.Cut()
		start := time.Now()
		for _, to := range []string{"127.0.0.1:9345", "10.10.2.11:9345"} {
			client, err := p.b.Dial(t.Context(), netip.MustParseAddrPort(to))
			if err != nil {
				t.Fatal(err)
			}
			server, err := lis.Accept()
			if err != nil {
				t.Fatal(err)
			}
			write(t, client, "x")
			wantRead(t, server, "x")
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("took %s", took)
		}
	})
}

func TestCutAndMend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		client, server := p.connect(t)
		write(t, client, "before")
		p.b.Cut()
		wantRead(t, server, "before") // it had arrived
		write(t, client, "during")
		if err := server.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
			t.Fatalf("read over a cut line: %v", err)
		}
		if err := server.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		p.b.Mend()
		wantRead(t, server, "during")
		<-time.After(time.Minute) // by synctest's clock: the dead man's timer must be off
		write(t, server, "after")
		wantRead(t, client, "after")
	})
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestCutLineKillsConnectionInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		client, server := p.connect(t)
		start := time.Now()
		p.a.Cut()
		for name, c := range map[string]net.Conn{"client": client, "server": server} {
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestPowerCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		client, server := p.connect(t)
		lis, err := p.b.Listen(22)
		if err != nil {
			t.Fatal(err)
		}
		p.b.Down()
		if _, err := server.Read(make([]byte, 1)); err == nil {
			t.Error("the dead host's own end still works")
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if _, err := lis.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the dead host's listener: %v", err)
		}
		// Nobody told the peer: it notices after its own patience only.
		if err := client.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Read(make([]byte, 1)); !isTimeout(err) {
			t.Errorf("the peer noticed: %v", err)
		}
		if err := client.SetReadDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
		p.b.Up()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after the reboot: %v", err)
		}
		if _, err := p.a.Dial(t.Context(), p.at); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("nothing listens after a reboot: %v", err)
		}
	})
}

func TestPowerCutForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		client, _ := p.connect(t)
		p.b.Down()
		start := time.Now()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestAcceptedCounts(t *testing.T) {
	t.Parallel()
	p := newPair()
	p.connect(t)
	p.connect(t)
	if got := p.b.Accepted(); got != 2 {
		t.Errorf("got %d", got)
	}
	if got := p.a.Accepted(); got != 0 {
		t.Errorf("the dialler accepted %d", got)
	}
}

func TestAddressTwicePanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("two hosts have one address")
		}
	}()
	n := network.New()
	n.Attach("a", netip.MustParseAddr("10.10.1.1"))
	n.Attach("b", netip.MustParseAddr("10.10.1.1"))
}
