package labtest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// controlPlaneOff cuts the control plane's power: what runs goes on, what crashes restarts, and what boots starts no pod
// (domain.md §2.15, §6.4).
func controlPlaneOff(c *cluster) {
	announcer, err := c.announcer()
	if err != nil {
		c.t.Fatal(err)
	}
	c.sandbox("kill", "cp1")
	off := time.Now()
	asked := 0
	c.holds("the workload serves on", 20*time.Second, func() error { asked++; _, err := c.fetch(); return err })
	c.t.Logf("observed: without the control plane all %d requests of 20s were answered", asked)

	crashed := "w1"
	if announcer == crashed {
		crashed = "w2"
	}
	containerRestarts(c, crashed)

	// The announcer boots: the address moves without the API, and the booted worker stays empty.
	c.sandbox("reboot", announcer)
	boot := time.Now()
	c.await("the address answers", time.Minute, func() error { _, err := c.fetch(); return err })
	now, err := c.announcer()
	for err != nil && time.Since(boot) < time.Minute {
		now, err = c.announcer()
	}
	if err != nil || now == announcer {
		c.t.Fatalf("without the control plane, %s having booted, the address is announced by %q: %v", announcer, now, err)
	}
	c.t.Logf("observed: without the control plane the address moved from %s, which booted, to %s within %s", announcer, now, since(boot))
	c.holds("the booted worker starts no pod", 30*time.Second, func() error { return c.empty(announcer) })
	c.t.Logf("observed: the agent of %s waited for its server, and no container ran there for 30s", announcer)

	c.sandbox("start", "cp1")
	up := time.Now()
	c.t.Logf("observed: the control plane was off for %s", since(off))
	// The API tells at first what it was told before the outage, so the machines are asked themselves.
	for host, unit := range map[string]string{"cp1": "rke2-server", "w1": "rke2-agent", "w2": "rke2-agent", "w3": "rke2-agent"} {
		c.await(unit+" of "+host+" is active", 3*time.Minute, func() error {
			_, err := c.on(host, "systemctl is-active "+unit)
			return err
		})
	}
	c.await("the booted worker runs its pods again", 3*time.Minute, func() error {
		pids, err := c.processes(announcer)
		if err == nil && len(pids) == 0 {
			err = errors.New("no process of a workload runs on " + announcer)
		}
		return err
	})
	for _, node := range []string{"cp1", "w1", "w2", "w3"} {
		c.await("node "+node+" is Ready", 3*time.Minute, func() error { return c.nodeIs(node, corev1.ConditionTrue) })
	}
	for _, app := range []string{"spread", "store", "each"} {
		c.await(app+" runs", 3*time.Minute, func() error { return c.running(app, 3) })
	}
	c.t.Logf("observed: all nodes Ready and all workloads whole %s after the control plane's power was back", since(up))
	c.must(c.cxha, "plan", c.blueprint(), "--detailed-exitcode")
}

// containerRestarts kills the processes of the workload on a worker, and waits until kubelet has started others.
func containerRestarts(c *cluster, worker string) {
	before, err := c.processes(worker)
	if err != nil || len(before) == 0 {
		c.t.Fatalf("processes of the workload on %s: %v, %v", worker, before, err)
	}
	if _, err := c.on(worker, "kill -KILL "+strings.Join(before, " ")); err != nil {
		c.t.Fatal(err)
	}
	took := c.await("crashed containers run again", time.Minute, func() error {
		now, err := c.processes(worker)
		if err != nil {
			return err
		}
		if len(now) != len(before) || slices.ContainsFunc(now, func(pid string) bool { return slices.Contains(before, pid) }) {
			return fmt.Errorf("processes %v, before %v", now, before)
		}
		return nil
	})
	c.t.Logf("observed: without the control plane %d crashed containers on %s ran again after %s", len(before), worker, took.Round(100*time.Millisecond))
}

// processes are the process numbers of the workload's program on a worker.
func (c *cluster) processes(worker string) ([]string, error) {
	out, err := c.on(worker, "pgrep -x web || :")
	return strings.Fields(out), err
}

// empty wants a worker whose agent waits, and no container on it.
func (c *cluster) empty(worker string) error {
	out, err := c.on(worker, "systemctl is-active rke2-agent || :; pgrep -f '[c]ontainerd-shim' || :")
	if err != nil {
		return err
	}
	if out != "activating" {
		return errors.New("rke2-agent and container shims: " + out)
	}
	return nil
}
