package conformance

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/providers/footprint"
)

func outageChecks() []Check {
	return []Check{
		{ID: "C-DOWN-01", Point: "agents stay active while rke2-server is stopped", Needs: []string{"C-JOIN-02"}, Run: agentsStay},
		{ID: "C-DOWN-02", Point: "an agent that is started meanwhile waits", Needs: []string{"C-DOWN-01"}, Run: agentWaitsAgain},
		{ID: "C-DOWN-03", Point: "it becomes active by itself when the server is back", Needs: []string{"C-DOWN-02"}, Run: agentReturns},
	}
}

func agentsStay(ctx context.Context, w *World) error {
	if _, err := w.server.sh(ctx, "systemctl stop rke2-server.service"); err != nil {
		return err
	}
	return w.holds(ctx, 10*time.Second, func(ctx context.Context) error {
		return each(w.agents, func(h *host) error {
			state, err := h.state(ctx, "rke2-agent")
			if err != nil {
				return err
			}
			return want("as the state of rke2-agent on "+h.Name, "active", state)
		})
	})
}

func agentWaitsAgain(ctx context.Context, w *World) error {
	h := w.agent()
	if err := w.restartQueued(ctx, h); err != nil {
		return err
	}
	if err := w.awaitState(ctx, h, "rke2-agent", "activating", 30*time.Second); err != nil {
		return err
	}
	return w.holds(ctx, 10*time.Second, func(ctx context.Context) error {
		state, err := h.state(ctx, "rke2-agent")
		if err != nil {
			return err
		}
		return want("as the state of rke2-agent", "activating", state)
	})
}

func agentReturns(ctx context.Context, w *World) error {
	if err := w.server.queue(ctx, "start", "rke2-server"); err != nil {
		return err
	}
	if err := w.awaitState(ctx, w.agent(), "rke2-agent", "active", startLimit); err != nil {
		return err
	}
	return w.awaitReady(ctx, w.agent().Name)
}

func otherTokenChecks() []Check {
	return []Check{
		{ID: "C-TOKEN-07", Point: "a server with another token than its data's does not start and says why", Needs: []string{"C-API-05"}, Run: otherServerToken},
		{ID: "C-TOKEN-08", Point: "with its own token again the cluster is what it was", Needs: []string{"C-TOKEN-07", "C-JOIN-02"}, Run: ownTokenAgain},
	}
}

func otherServerToken(ctx context.Context, w *World) error {
	if _, err := w.server.sh(ctx, "systemctl stop rke2-server.service"); err != nil {
		return err
	}
	if err := w.server.write(ctx, map[string]string{serverTokenFile: "another-" + w.serverToken + "\n"}); err != nil {
		return err
	}
	if err := w.server.queue(ctx, "start", "rke2-server"); err != nil {
		return err
	}
	return w.awaitMessage(ctx, w.server, "rke2-server", "bootstrap data already found and encrypted with different token")
}

func ownTokenAgain(ctx context.Context, w *World) error {
	if _, err := w.server.sh(ctx, "systemctl stop rke2-server.service"); err != nil {
		return err
	}
	if err := w.server.write(ctx, map[string]string{serverTokenFile: w.serverToken + "\n"}); err != nil {
		return err
	}
	if err := w.server.queue(ctx, "start", "rke2-server"); err != nil {
		return err
	}
	if err := w.awaitState(ctx, w.server, "rke2-server", "active", startLimit); err != nil {
		return err
	}
	return each(w.hosts(), func(h *host) error { return w.awaitReady(ctx, h.Name) })
}

func removalChecks() []Check {
	installed := []string{"C-INST-03"}
	return []Check{
		{ID: "C-OFF-01", Point: "rke2-killall.sh stops the unit", Needs: installed, Run: killAll},
		{ID: "C-OFF-02", Point: "rke2-uninstall.sh removes programs, units, configuration, node password, data and itself", Needs: installed, Run: uninstall},
	}
}

func killAll(ctx context.Context, w *World) error {
	h := w.agent()
	if _, err := h.must(ctx, new(shell.Script).Add("%s > /dev/null 2>&1", w.prefix+"/bin/rke2-killall.sh")); err != nil {
		return err
	}
	return w.await(ctx, "rke2-agent does not run", time.Minute, func(ctx context.Context) (string, error) {
		state, err := h.state(ctx, "rke2-agent")
		if err != nil || state == "inactive" || state == "failed" {
			return "", err
		}
		return state, nil
	})
}

func uninstall(ctx context.Context, w *World) error {
	return each(w.hosts(), func(h *host) error {
		if _, err := h.must(ctx, new(shell.Script).Add("%s > /dev/null 2>&1", w.prefix+"/bin/rke2-uninstall.sh")); err != nil {
			return err
		}
		s := new(shell.Script)
		for _, path := range []string{
			w.prefix + "/bin/rke2", w.prefix + "/bin/rke2-killall.sh", w.prefix + "/bin/rke2-uninstall.sh", configDir, "/etc/rancher/node", "/var/lib/rancher/rke2",
		} {
			s.Add("[ ! -e %s ] || echo %s", path, path)
		}
		left, err := h.must(ctx, s)
		if err != nil {
			return err
		}
		if err := want("as what is left on "+h.Name, "", strings.Join(strings.Fields(left), " ")); err != nil {
			return err
		}
		said, err := h.show(ctx, w.unit(h), "LoadState")
		if err != nil {
			return err
		}
		return want("as LoadState of "+w.unit(h)+" on "+h.Name, "not-found", said["LoadState"])
	})
}

// Clean removes what the suite and RKE2 left on the hosts, whatever state they are in.
func (w *World) Clean(ctx context.Context) error {
	return each(w.hosts(), func(h *host) error {
		s := new(shell.Script)
		for _, p := range prefixes {
			s.Add("if [ -x %s ]; then %s > /dev/null 2>&1 || echo %s; fi", p+"/bin/rke2-uninstall.sh", p+"/bin/rke2-uninstall.sh", "rke2-uninstall.sh failed")
		}
		s.Add("rm -rf %s %s", configDir, workDir)
		s.Add("rmdir /etc/rancher /var/lib/rancher 2> /dev/null || :")
		footprint.RemoveHostsLine(s)
		out, err := h.must(ctx, s)
		if err == nil && out != "" {
			err = errors.New("host " + h.Name + ": " + out)
		}
		return err
	})
}
