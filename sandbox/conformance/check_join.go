package conformance

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/internal/shell"
)

func joinChecks() []Check {
	joined := []string{"C-JOIN-02"}
	return []Check{
		{ID: "C-JOIN-02", Point: "an agent that waits joins when its hosts file leads the endpoint's name to the server, without a restart", Needs: []string{"C-JOIN-01", "C-API-05"}, Run: joinsByName},
		{ID: "C-JOIN-03", Point: "the agent's node has its name, address and zone, and the release's version", Needs: joined, Run: agentNode},
		{ID: "C-JOIN-04", Point: "the secret NAME.node-password.rke2 is in kube-system", Needs: joined, Run: passwordKept},
		{ID: "C-JOIN-05", Point: "the other agents join with the agents' token", Needs: joined, Run: othersJoin},
	}
}

// joinsByName restarts the agent with a good configuration while its endpoint leads nowhere, and then mends only the hosts file.
func joinsByName(ctx context.Context, w *World) error {
	h := w.agent()
	if err := h.lead(ctx, "127.0.0.1"); err != nil {
		return err
	}
	if err := h.write(ctx, map[string]string{"config.yaml": agentConfig(h, ""), agentTokenFile: w.agentToken + "\n"}); err != nil {
		return err
	}
	if err := w.restartQueued(ctx, h); err != nil {
		return err
	}
	if err := w.awaitState(ctx, h, "rke2-agent", "activating", 30*time.Second); err != nil {
		return err
	}
	before, err := h.show(ctx, "rke2-agent", "InvocationID")
	if err != nil {
		return err
	}
	if err := h.lead(ctx, w.server.Address); err != nil {
		return err
	}
	if err := w.awaitState(ctx, h, "rke2-agent", "active", startLimit); err != nil {
		return err
	}
	if err := w.awaitReady(ctx, h.Name); err != nil {
		return err
	}
	after, err := h.show(ctx, "rke2-agent", "InvocationID")
	if err != nil {
		return err
	}
	return want("as the invocation, which nobody restarted", before["InvocationID"], after["InvocationID"])
}

func agentNode(ctx context.Context, w *World) error {
	h := w.agent()
	n, err := w.registered(ctx, h.Name)
	if err != nil {
		return err
	}
	taint := ""
	for _, t := range n.Spec.Taints {
		if t.Key == "conformance.cxha.io/first" {
			taint = t.ToString()
		}
	}
	seen := fmt.Sprintf("%s %s %s %s", internalIP(n), n.Status.NodeInfo.KubeletVersion, n.Labels["topology.kubernetes.io/zone"], taint)
	return want("as address, version, zone and taint", fmt.Sprintf("%s %s first conformance.cxha.io/first=yes:PreferNoSchedule", h.Address, w.inv.Version), seen)
}

func passwordKept(ctx context.Context, w *World) error {
	err := w.call(ctx, func(c *kubernetes.Clientset) error {
		_, err := c.CoreV1().Secrets("kube-system").Get(ctx, passwordSecret(w.agent().Name), metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return differs("the secret "+passwordSecret(w.agent().Name), "none")
	}
	return err
}

func othersJoin(ctx context.Context, w *World) error {
	others := w.agents[1:]
	if len(others) == 0 {
		return &Skip{Why: "the inventory has one agent"}
	}
	return each(others, func(h *host) error {
		if err := h.lead(ctx, w.server.Address); err != nil {
			return err
		}
		if err := h.write(ctx, map[string]string{"config.yaml": agentConfig(h, ""), agentTokenFile: w.agentToken + "\n"}); err != nil {
			return err
		}
		if err := h.queue(ctx, "start", "rke2-agent"); err != nil {
			return err
		}
		return w.awaitReady(ctx, h.Name)
	})
}

func registrationChecks() []Check {
	joined := []string{"C-JOIN-02"}
	return []Check{
		{ID: "C-NODE-01", Point: "node-label is heeded at the first registration only", Needs: joined, Run: labelsOnce},
		{ID: "C-NODE-02", Point: "a host with another node password is refused with RKE2's message", Needs: joined, Run: otherPassword},
		{ID: "C-NODE-03", Point: "it joins when the Node and its secret are deleted, without being touched", Needs: []string{"C-NODE-02"}, Run: joinsAnew},
		{ID: "C-NODE-04", Point: "a Node that was deleted under a running agent is registered again when the agent restarts", Needs: joined, Run: registeredByRestart},
	}
}

// labelsOnce changes a label that is none of those that kubelet keeps by itself, such as the zone.
func labelsOnce(ctx context.Context, w *World) error {
	h := w.agent()
	changed := strings.Replace(agentConfig(h, ""), ownLabel+"=first", ownLabel+"=second", 1)
	if err := h.write(ctx, map[string]string{"config.yaml": changed}); err != nil {
		return err
	}
	if err := w.restart(ctx, h); err != nil {
		return err
	}
	seen := w.holds(ctx, 5*time.Second, func(ctx context.Context) error {
		n, err := w.registered(ctx, h.Name)
		if err != nil {
			return err
		}
		return want("as the label after a restart with another one", "first", n.Labels[ownLabel])
	})
	if err := h.write(ctx, map[string]string{"config.yaml": agentConfig(h, "")}); err != nil {
		return err
	}
	return seen
}

func otherPassword(ctx context.Context, w *World) error {
	h := w.agent()
	if _, err := h.sh(ctx, "echo another-password > /etc/rancher/node/password"); err != nil {
		return err
	}
	if err := w.restartQueued(ctx, h); err != nil {
		return err
	}
	return w.awaitMessage(ctx, h, "rke2-agent", "Node password rejected")
}

func joinsAnew(ctx context.Context, w *World) error {
	if err := w.forget(ctx, w.agent().Name); err != nil {
		return err
	}
	if err := w.awaitState(ctx, w.agent(), "rke2-agent", "active", startLimit); err != nil {
		return err
	}
	return w.awaitReady(ctx, w.agent().Name)
}

func registeredByRestart(ctx context.Context, w *World) error {
	h := w.agent()
	if err := w.forget(ctx, h.Name); err != nil {
		return err
	}
	if err := w.restart(ctx, h); err != nil {
		return err
	}
	return w.awaitReady(ctx, h.Name)
}

func unitChecks() []Check {
	joined := []string{"C-JOIN-02"}
	return []Check{
		{ID: "C-UNIT-04", Point: "neither unit starts beside the other, and starting it is no failure", Needs: joined, Run: exclusive},
		{ID: "C-UNIT-05", Point: "InvocationID changes with a restart within ten seconds of its being queued", Needs: joined, Run: invocations},
		{ID: "C-UNIT-06", Point: "ActiveEnterTimestamp can be read in UTC, by TZ, beside the host's clock", Needs: joined, Run: timestamps},
		// After the joins: an agent that has joined does not wait any more.
		{ID: "C-CONF-08", Point: "an option that RKE2 does not know is left out with a warning in its journal that names it, and RKE2 starts without it", Needs: joined, Run: leavesOut},
	}
}

func exclusive(ctx context.Context, w *World) error {
	for unit, h := range map[string]*host{"rke2-agent": w.server, "rke2-server": w.agent()} {
		if _, err := h.must(ctx, new(shell.Script).Add("systemctl start %s", unit+".service")); err != nil {
			return differs("starting "+unit+" on "+h.Name+" to succeed without effect", "%v", err)
		}
		state, err := h.state(ctx, unit)
		if err != nil {
			return err
		}
		if err := want("as the state of "+unit+" on "+h.Name, "inactive", state); err != nil {
			return err
		}
	}
	return nil
}

func invocations(ctx context.Context, w *World) error {
	h := w.agent()
	began := time.Now()
	if err := w.restartQueued(ctx, h); err != nil {
		return err
	}
	took := time.Since(began)
	if err := w.awaitState(ctx, h, "rke2-agent", "active", startLimit); err != nil {
		return err
	}
	if took > 10*time.Second {
		return differs("a new invocation within 10s", "it after %s", took.Round(time.Millisecond))
	}
	return nil
}

// timestamps reads the times as cxha does to know how long a unit has run (providers/kube/wake.go).
func timestamps(ctx context.Context, w *World) error {
	out, err := w.agent().sh(ctx, "export LC_ALL=C TZ=UTC\nsystemctl show -p ActiveEnterTimestamp --value rke2-agent.service\ndate +%s")
	if err != nil {
		return err
	}
	const layout = "Mon 2006-01-02 15:04:05 UTC"
	since, clock, _ := strings.Cut(out, "\n")
	began, err1 := time.Parse(layout, since)
	now, err2 := strconv.ParseInt(strings.TrimSpace(clock), 10, 64)
	if err1 != nil || err2 != nil || now < began.Unix() {
		return differs("a time in the form "+layout+" and a later one in seconds since the epoch", "%q and %q", since, clock)
	}
	return nil
}
