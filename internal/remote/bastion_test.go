package remote_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/remote/sshtest"
	"github.com/expertflow/cxha/providers"
)

// site is some hosts with private addresses behind a bastion.
func site(t testing.TB, n int, bastion, host sshtest.Options) (w *sshtest.World, b *sshtest.Host, hosts []*sshtest.Host) {
	t.Helper()
	w = sshtest.NewWorld(t)
	b = w.Bastion(bastion)
	for i := range n {
		host.Address = fmt.Sprintf("10.10.1.%d", 11+i)
		hosts = append(hosts, w.Host(fmt.Sprintf("w%d", i+1), host))
	}
	return w, b, hosts
}

func TestBastionIsShared(t *testing.T) {
	t.Parallel()
	w, b, hosts := site(t, 20, sshtest.Options{}, sshtest.Options{Handler: echo})
	c := connector(t, remote.Options{})
	runAll(t, c, w, hosts)
	if b.Connections() != 1 || b.Commands() != 0 {
		t.Errorf("bastion: %d connections, %d commands; want 1 and 0", b.Connections(), b.Commands())
	}
	if got := c.Stats(); got.Bastions != 1 || got.Connections != 20 || got.Commands != 20 {
		t.Errorf("stats %+v", got)
	}
	b.Drop()
	runAll(t, c, w, hosts) // all connections are made again
	want := remote.HostStats{Connections: 2, Commands: 2}
	if diff := cmp.Diff(want, c.Stats().Hosts["w1"]); diff != "" {
		t.Errorf("w1 (-want +got):\n%s", diff)
	}
	if b.Connections() != 2 {
		t.Errorf("bastion: %d connections, want 2", b.Connections())
	}
}

func runAll(t *testing.T, c *remote.Connector, w *sshtest.World, hosts []*sshtest.Host) {
	t.Helper()
	var all sync.WaitGroup
	for _, h := range hosts {
		all.Go(func() {
			host, err := c.Connect(within(t), w.Spec(h))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := host.Run(within(t), script("true")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestBastionFails(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		bastion, host sshtest.Options
		change        func(t *testing.T, w *sshtest.World, b, h *sshtest.Host)
		check         func(t testing.TB, err error) remote.Target
		says          string
		atBastion     bool
		timeout       time.Duration
	}{
		"bastion off": {change: func(_ *testing.T, _ *sshtest.World, b, _ *sshtest.Host) { b.Off() },
			check: unreachable, says: "refused", atBastion: true},
		"bastion unknown": {change: func(t *testing.T, w *sshtest.World, _, h *sshtest.Host) {
			rewrite(t, w.KnownHosts(), h.KnownHostsLine())
		},
			check: wrongKey, says: "is not in", atBastion: true},
		"bastion refuses login":    {bastion: sshtest.Options{NoLogin: true}, check: noLogin, says: "does not accept", atBastion: true},
		"bastion does not forward": {bastion: sshtest.Options{NoForward: true}, check: unreachable, says: "AllowTcpForwarding", atBastion: true},
		"host off": {change: func(_ *testing.T, _ *sshtest.World, _, h *sshtest.Host) { h.Off() },
			check: unreachable, says: "cannot connect to it: "},
		"host silent": {change: func(_ *testing.T, _ *sshtest.World, _, h *sshtest.Host) { h.Cut() },
			check: unreachable, says: "within 10s", timeout: 10 * time.Second},
		"host unknown": {change: func(t *testing.T, w *sshtest.World, b, _ *sshtest.Host) {
			rewrite(t, w.KnownHosts(), b.KnownHostsLine())
		},
			check: wrongKey, says: "10.10.1.11 ssh-ed25519"},
		"host refuses login": {host: sshtest.Options{NoLogin: true}, check: noLogin, says: "does not accept"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w, b, hosts := site(t, 1, test.bastion, test.host)
			spec := w.Spec(hosts[0])
			if test.change != nil {
				test.change(t, w, b, hosts[0])
			}
			_, err := connector(t, remote.Options{Timeout: test.timeout}).Connect(within(t), spec)
			target := test.check(t, err)
			want := remote.Target{Host: "w1", Address: "10.10.1.11"}
			if test.atBastion {
				want.Bastion = b.Addr()
			}
			if diff := cmp.Diff(want, target); diff != "" {
				t.Errorf("target (-want +got):\n%s", diff)
			}
			if !strings.HasPrefix(err.Error(), want.String()+": ") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %q does not say %q", err, test.says)
			}
		})
	}
}

func unreachable(t testing.TB, err error) remote.Target {
	return as[*remote.UnreachableError](t, err).Target
}

func wrongKey(t testing.TB, err error) remote.Target {
	return as[*remote.HostKeyError](t, err).Target
}

func noLogin(t testing.TB, err error) remote.Target { return as[*remote.AuthError](t, err).Target }

func TestBastionLostWhileCommandRuns(t *testing.T) {
	t.Parallel()
	started := make(chan bool)
	w, b, hosts := site(t, 1, sshtest.Options{}, sshtest.Options{Handler: func(x *sshtest.Exec) int {
		says("", "", 0)(x)
		started <- true
		<-x.Context.Done()
		return 0
	}})
	host := connect(t, connector(t, remote.Options{}), w.Spec(hosts[0]))
	go func() {
		<-started
		b.Drop()
	}()
	_, err := host.Run(within(t), script("true"))
	e := as[*remote.RunError](t, err)
	if !e.Unknown || !strings.Contains(err.Error(), "the bastion's connection was lost") {
		t.Errorf("got %v", err)
	}
}

func TestBastionSilent(t *testing.T) {
	t.Parallel()
	w, b, hosts := site(t, 2, sshtest.Options{}, sshtest.Options{Handler: echo})
	c := connector(t, remote.Options{Timeout: 10 * time.Second})
	connect(t, c, w.Spec(hosts[0]))
	b.Cut()
	_, err := c.Connect(within(t), w.Spec(hosts[1]))
	unreachable(t, err)
	b.Drop()
	b.Mend()
	runAll(t, c, w, hosts)
}

// Another way to the same host is another connection.
func TestSpecsAreTold(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{Handler: echo})
	spec := w.Spec(h)
	asRoot := spec
	asRoot.SSH.User = "root"
	c := connector(t, remote.Options{})
	commands := map[string]string{}
	for who, s := range map[string]providers.HostSpec{"ops": spec, "root": asRoot} {
		reply, err := connect(t, c, s).Run(within(t), script("true"))
		if err != nil {
			t.Fatal(err)
		}
		commands[who], _, _ = strings.Cut(reply.Stdout, ":")
	}
	if diff := cmp.Diff(map[string]string{"ops": "sudo -n -- /bin/sh -s", "root": "/bin/sh -s"}, commands); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
}
