package remote_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/remote/sshtest"
	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
)

// The budget (design.md §6): probing N hosts takes at most 1.3 times as long as N parallel handshakes with one command by the
// bare SSH library, reported as x_floor. Both are measured in turn against the same hosts. The hosts' own share of the work is
// done by this process, too, and is the same for both.
const budgetFloor = 1.3

func BenchmarkProbe16(b *testing.B)   { probe(b, 16) }
func BenchmarkProbe1000(b *testing.B) { probe(b, 1000) }

// answer is about what a host says to a probe.
var answer = strings.Repeat("resource: some words of what was found there\n", 100)

func probe(b *testing.B, n int) {
	w := sshtest.NewWorld(b)
	specs := make([]providers.HostSpec, n)
	hosts := make([]*sshtest.Host, n)
	for i := range specs {
		hosts[i] = w.Host(fmt.Sprintf("w%d", i), sshtest.Options{Handler: func(x *sshtest.Exec) int {
			if _, err := io.Copy(io.Discard, x.Stdin); err != nil {
				return 1
			}
			if _, err := io.WriteString(x.Stdout, answer); err != nil {
				return 1
			}
			return 0
		}})
		specs[i] = w.Spec(hosts[i])
	}
	var floor, ours time.Duration
	for turn := 0; b.Loop(); turn++ {
		if turn%2 == 0 { // neither always comes first
			floor += timeFloor(b, w, hosts)
		}
		ours += timeOurs(b, hosts, specs)
		if turn%2 == 1 {
			floor += timeFloor(b, w, hosts)
		}
	}
	b.ReportMetric(float64(floor.Milliseconds())/float64(b.N), "floor_ms/op")
	b.ReportMetric(float64(ours.Milliseconds())/float64(b.N), "ours_ms/op")
	b.ReportMetric(float64(ours)/float64(floor), "x_floor")
	b.ReportMetric(budgetFloor, "budget-x_floor")
}

func timeFloor(b *testing.B, w *sshtest.World, hosts []*sshtest.Host) time.Duration {
	quiet(b, hosts)
	clients := make([]*ssh.Client, len(hosts))
	began := time.Now()
	each(b, len(hosts), func(i int) (err error) {
		clients[i], err = bare(w, hosts[i])
		return err
	})
	took := time.Since(began)
	for _, client := range clients {
		if err := client.Close(); err != nil {
			b.Error(err)
		}
	}
	return took
}

func timeOurs(b *testing.B, hosts []*sshtest.Host, specs []providers.HostSpec) time.Duration {
	quiet(b, hosts)
	c := remote.NewConnector(remote.Options{})
	began := time.Now()
	each(b, len(specs), func(i int) error { return run(c, specs[i]) })
	took := time.Since(began)
	if err := c.Close(); err != nil {
		b.Error(err)
	}
	return took
}

// quiet waits until the hosts have done away with earlier connections, which must not count for the next ones.
func quiet(b *testing.B, hosts []*sshtest.Host) {
	for _, h := range hosts {
		until(b, "all connections have ended", func() bool { return h.Clients() == 0 })
	}
	runtime.GC()
}

func each(b *testing.B, n int, do func(int) error) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if err := do(i); err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
}

const question = "set -eu\ncat /etc/os-release\n"

func run(c *remote.Connector, spec providers.HostSpec) error {
	h, err := c.Connect(context.Background(), spec)
	if err != nil {
		return err
	}
	var s shell.Script
	s.Add(question)
	reply, err := h.Run(context.Background(), &s)
	if err == nil && reply.Stdout != answer {
		err = fmt.Errorf("got %d bytes", len(reply.Stdout))
	}
	return err
}

// bare is the floor: the library with its defaults, a key in memory and the host's key given.
func bare(w *sshtest.World, h *sshtest.Host) (*ssh.Client, error) {
	pem, err := os.ReadFile(w.KeyFile())
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return nil, err
	}
	client, err := ssh.Dial("tcp", h.Addr(), &ssh.ClientConfig{
		User:            sshtest.User,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(key)},
		HostKeyCallback: ssh.FixedHostKey(h.HostKey()),
	})
	if err != nil {
		return nil, err
	}
	session, err := client.NewSession()
	if err != nil {
		return client, err
	}
	session.Stdin = strings.NewReader(question)
	out, err := session.Output("sudo -n -- /bin/sh -s")
	if err == nil && string(out) != answer {
		err = fmt.Errorf("got %d bytes", len(out))
	}
	return client, err
}
