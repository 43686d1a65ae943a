package host_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/footprint"
	"github.com/expertflow/cxha/providers/host"
	"github.com/expertflow/cxha/providers/providertest"
)

// connected is a host whose scripts a runner runs.
type connected struct{ run providertest.Runner }

func (c connected) Run(ctx context.Context, s *shell.Script) (providers.Reply, error) {
	return c.run(ctx, s.Text())
}

func (connected) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.New("not to be dialled")
}

func (connected) Close() error { return nil }

func TestRunLock(t *testing.T) {
	t.Parallel()
	providertest.EachRelocated(t, func(t *testing.T, relocated func(*testing.T) providertest.Runner) {
		run := relocated(t)
		acquire := func(holder string, dead ...string) (*host.Lock, error) {
			return host.Acquire(t.Context(), connected{run}, "cp1", holder, func(who string) bool { return len(dead) > 0 && who == dead[0] })
		}
		first, err := acquire("ann@a 1")
		if err != nil {
			t.Fatal(err)
		}
		_, err = acquire("bob@b 2")
		var held *host.LockedError
		if !errors.As(err, &held) || held.Holder != "ann@a 1" || held.Left <= 0 {
			t.Errorf("while ann has it: %v", err)
		}
		if err := first.Release(t.Context()); err != nil {
			t.Error(err)
		}
		second, err := acquire("bob@b 2")
		if err != nil {
			t.Fatalf("after it was given back: %v", err)
		}
		third, err := acquire("ann@a 3", "bob@b 2")
		if err != nil {
			t.Fatalf("of one that is known to be dead: %v", err)
		}
		if err := second.Release(t.Context()); err != nil { // it is no longer his, and stays
			t.Error(err)
		}
		if _, err := acquire("bob@b 4"); !errors.As(err, &held) || held.Holder != "ann@a 3" {
			t.Errorf("after bob gave back what was no longer his: %v", err)
		}
		if err := third.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if reply, err := run(t.Context(), "mkdir /var/lib/cxha/run.lock\nprintf '1000000000\\neve@e 5\\n' > /var/lib/cxha/run.lock/holder\n"); err != nil || reply.Exit != 0 {
			t.Fatal(reply, err)
		}
		fourth, err := acquire("ann@a 6")
		if err != nil {
			t.Fatalf("of one that has expired: %v", err)
		}
		if err := fourth.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestFootprintIsRemoved makes everything that cxha keeps on a host and takes it away, under every shell.
func TestFootprintIsRemoved(t *testing.T) {
	t.Parallel()
	providertest.EachRelocated(t, func(t *testing.T, relocated func(*testing.T) providertest.Runner) {
		run := relocated(t)
		must := func(script string) string {
			t.Helper()
			reply, err := run(t.Context(), "set -eu\n"+script)
			if err != nil || reply.Exit != 0 {
				t.Fatal(reply, err)
			}
			return reply.Stdout
		}
		must("echo 127.0.0.1 localhost > /etc/hosts\n" + unit("ufw", "active", "enabled"))
		const look = "find etc var | sort\ncat etc/hosts run/units/ufw/active run/units/ufw/enabled\n"
		must("mkdir -p etc/sysctl.d etc/modules-load.d etc/NetworkManager/conf.d\n") // the directories stay
		before := must(look)
		for _, name := range []string{"modules", "endpoint", "firewall"} {
			c := cases(t)[name]
			providertest.Converge(t, run, c.Kind, c.Resource)
		}
		if during := must(look); during == before || !strings.Contains(during, "# cxha") {
			t.Fatalf("nothing was made:\n%s", during)
		}
		var s shell.Script
		footprint.Remove(&s)
		must(s.Text())
		if after := must(look); after != before {
			t.Errorf("there is\n%s\nand was\n%s", after, before)
		}
	})
}
