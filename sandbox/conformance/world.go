package conformance

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers"
)

// Limits of the waits.
const (
	startLimit  = 15 * time.Minute // a first start downloads images (domain.md §9.1)
	settleLimit = 3 * time.Minute  // for what follows in a running cluster
	pollEvery   = 500 * time.Millisecond
)

// endpoint is the name by which agents know the server; it stands in the hosts' files while the suite runs.
const endpoint = "cp.conformance.internal"

// World is the machines of an inventory, connected.
type World struct {
	inv    *Inventory
	server *host
	agents []*host
	log    func(format string, args ...any)

	serverToken, agentToken string // passwords, made for this run
	prefix                  string // under which the install script put RKE2
}

// host is a machine with its connection.
type host struct {
	Machine
	conn providers.Host
}

// Options say how a World is made.
type Options struct {
	Connector providers.Connector
	Logf      func(format string, args ...any) // what the suite waits for; nil: nobody is told
}

// Connect connects to all machines and makes sure that they are free: none may have RKE2 or its configuration.
func Connect(ctx context.Context, inv *Inventory, o Options) (*World, error) {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	w := &World{inv: inv, log: o.Logf}
	machines := append([]Machine{inv.Server}, inv.Agents...)
	hosts, errs := make([]*host, len(machines)), make([]error, len(machines))
	var wg sync.WaitGroup
	for i, m := range machines {
		wg.Go(func() {
			hosts[i] = &host{Machine: m}
			spec := providers.HostSpec{Name: m.Name, Address: m.Address, SSH: inv.SSH}
			if hosts[i].conn, errs[i] = o.Connector.Connect(ctx, spec); errs[i] == nil {
				errs[i] = hosts[i].free(ctx)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	w.server, w.agents = hosts[0], hosts[1:]
	for _, token := range []*string{&w.serverToken, &w.agentToken} {
		secret := make([]byte, 16)
		if _, err := rand.Read(secret); err != nil {
			return nil, fmt.Errorf("random bytes for a token: %w", err)
		}
		*token = hex.EncodeToString(secret)
	}
	return w, nil
}

// free refuses a host on which something of RKE2 or cxha is: it is in use, whatever the inventory says.
func (h *host) free(ctx context.Context) error {
	out, err := h.sh(ctx, `for f in /etc/rancher /var/lib/rancher /var/lib/cxha /usr/local/bin/rke2 /opt/rke2 /usr/bin/rke2; do if [ -e "$f" ]; then echo "$f"; fi; done`)
	if err != nil {
		return err
	}
	if found := strings.Fields(out); len(found) > 0 {
		return fmt.Errorf("host %s: there is %s: RKE2 is or was in use on it, and the suite would destroy it; "+
			"take another machine, or remove RKE2 and these paths", h.Name, strings.Join(found, ", "))
	}
	return nil
}

func (w *World) hosts() []*host { return append([]*host{w.server}, w.agents...) }

// agent is the one that things are done to; the others only join.
func (w *World) agent() *host { return w.agents[0] }

// run runs a script as root.
func (h *host) run(ctx context.Context, s *shell.Script) (providers.Reply, error) {
	reply, err := h.conn.Run(ctx, s)
	if err != nil {
		return reply, fmt.Errorf("host %s: %w", h.Name, err)
	}
	return reply, nil
}

// must runs a script that has to succeed and returns what it printed.
func (h *host) must(ctx context.Context, s *shell.Script) (string, error) {
	reply, err := h.run(ctx, s)
	if err != nil {
		return "", err
	}
	if reply.Exit != 0 {
		return "", fmt.Errorf("host %s: exit code %d: %s", h.Name, reply.Exit, lastLines(reply.Stderr+reply.Stdout, 3))
	}
	return strings.TrimRight(reply.Stdout, "\n"), nil
}

// sh is must for a text without values.
func (h *host) sh(ctx context.Context, text string) (string, error) {
	return h.must(ctx, new(shell.Script).Add("%s", shell.Raw("set -e\n"+text)))
}

// show returns properties of a unit, as systemctl show prints them, by name.
func (h *host) show(ctx context.Context, unit string, properties ...string) (map[string]string, error) {
	out, err := h.must(ctx, new(shell.Script).Add("systemctl show -p %s %s", strings.Join(properties, ","), unit+".service"))
	if err != nil {
		return nil, err
	}
	said := map[string]string{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\n"), "=")
		said[key] = value
	}
	return said, nil
}

func (h *host) state(ctx context.Context, unit string) (string, error) {
	said, err := h.show(ctx, unit, "ActiveState")
	return said["ActiveState"], err
}

// journal returns the last lines that a unit's latest invocation wrote: what an earlier one said must not be taken for its own.
func (h *host) journal(ctx context.Context, unit string) (string, error) {
	s := new(shell.Script).Add("id=$(systemctl show -p InvocationID --value %s)", unit+".service")
	s.Add(`journalctl -u %s "_SYSTEMD_INVOCATION_ID=$id" -n 60 -o cat --no-pager 2> /dev/null || :`, unit+".service")
	return h.must(ctx, s)
}

// awaitState waits until a unit is in a state.
func (w *World) awaitState(ctx context.Context, h *host, unit, state string, limit time.Duration) error {
	return w.await(ctx, fmt.Sprintf("%s on %s is %s", unit, h.Name, state), limit, func(ctx context.Context) (string, error) {
		seen, err := h.state(ctx, unit)
		if err != nil || seen == state {
			return "", err
		}
		journal, err := h.journal(ctx, unit)
		return fmt.Sprintf("%s; its journal ends with: %s", seen, lastLines(journal, 1)), err
	})
}

// await polls until look says that nothing is missing any more. What was missing at the limit is the difference.
func (w *World) await(ctx context.Context, what string, limit time.Duration, look func(context.Context) (missing string, err error)) error {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	began, said := time.Now(), ""
	for {
		missing, err := look(limited)
		switch {
		case err == nil && missing == "":
			w.log("%s: after %s", what, time.Since(began).Round(100*time.Millisecond))
			return nil
		case err != nil && limited.Err() == nil && !passing(err):
			return err
		case err != nil:
			missing = err.Error()
		}
		if missing != said {
			w.log("waiting until %s: %s", what, missing)
			said = missing
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limited.Done():
			return differs(fmt.Sprintf("%s within %s", what, limit), "%s", said)
		case <-tick.C:
		}
	}
}

// holds polls for a while and returns the first thing that is wrong.
func (w *World) holds(ctx context.Context, d time.Duration, look func(context.Context) error) error {
	end := time.NewTimer(d)
	defer end.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if err := look(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end.C:
			return nil
		case <-tick.C:
		}
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}
