package labtest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestIntegrationLabFacts observes one cluster while its machines are drained, lose their power and come back. What it logs as
// observed stands in CONTRACT.md.
func TestIntegrationLabFacts(t *testing.T) {
	c := start(t)
	for _, part := range []struct {
		name string
		run  func(*cluster)
	}{
		{"Ready", ready}, {"AgentRestarts", agentRestarts}, {"DrainKeepsTheBudget", drain}, {"WorkerLosesPower", workerLosesPower}, {"ControlPlaneIsOff", controlPlaneOff},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			inner := *c
			inner.t, inner.ctx = t, t.Context()
			part.run(&inner)
		}) {
			t.Fatalf("%s failed; what follows goes on from it", part.name)
		}
	}
}

// ready wants every workload to run, one pod on each worker, and the address to answer.
func ready(c *cluster) {
	for _, app := range []string{"spread", "store", "each"} {
		c.await(app+" runs", 3*time.Minute, func() error { return c.running(app, 3) })
	}
	took := c.await("the address answers", time.Minute, func() error { _, err := c.fetch(); return err })
	announcer, err := c.announcer()
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Logf("observed: %s answers (%s), announced by %s", address, took.Round(time.Millisecond), announcer)
}

// agentRestarts wants containers to outlive a restart of the agent.
func agentRestarts(c *cluster) {
	const worker = "w3"
	before, err := c.processes(worker)
	if err != nil || len(before) == 0 {
		c.t.Fatalf("processes of the workload on %s: %v, %v", worker, before, err)
	}
	if _, err := c.on(worker, "systemctl restart rke2-agent"); err != nil {
		c.t.Fatal(err)
	}
	c.await("the node is Ready", 2*time.Minute, func() error { return c.nodeIs(worker, corev1.ConditionTrue) })
	c.holds("the containers are the same", 10*time.Second, func() error {
		now, err := c.processes(worker)
		if err == nil && !slices.Equal(before, now) {
			err = fmt.Errorf("processes %v, before %v", now, before)
		}
		return err
	})
	c.t.Logf("observed: the %d processes of workloads on %s outlived a restart of rke2-agent", len(before), worker)
}

// drain wants a budget without room to hold a drain up, and one with room to let it go pod by pod while the Service answers.
func drain(c *cluster) {
	const node = "w2"
	out, err := c.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=15s")
	if err == nil || !strings.Contains(out+err.Error(), "would violate the pod's disruption budget") {
		c.t.Fatalf("a drain against a budget without room: %v\n%s", err, out)
	}
	if err := c.running("spread", 3); err != nil {
		c.t.Fatalf("the budget did not keep its pods: %v", err)
	}
	c.setBudget(2)
	c.await("the budget has room", time.Minute, func() error {
		b, err := c.api.PolicyV1().PodDisruptionBudgets(namespace).Get(c.ctx, "spread", metav1.GetOptions{})
		if err == nil && (b.Spec.MinAvailable == nil || *b.Spec.MinAvailable != intstr.FromInt32(2) || b.Status.DisruptionsAllowed == 0) {
			err = errors.New("none yet: " + budget(b))
		}
		return err
	})
	began, drained := time.Now(), make(chan error, 1)
	go func() {
		_, err := c.kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=2m")
		drained <- err
	}()
	asked, failed := 0, 0
	for done := false; !done; {
		select {
		case err := <-drained:
			if err != nil {
				c.t.Fatal(err)
			}
			done = true
		default:
			asked++
			if _, err := c.fetch(); err != nil {
				failed++
			}
		}
	}
	c.t.Logf("observed: drain of %s took %s; %d of %d requests failed meanwhile", node, since(began), failed, asked)
	if failed*10 > asked {
		c.t.Errorf("%d of %d requests failed during a drain with a budget", failed, asked)
	}
	c.setBudget(3)
	c.must(c.lab, "kubectl", "--dir", c.dir, "--", "uncordon", node)
	c.await("spread runs", time.Minute, func() error { return c.running("spread", 3) })
	c.must(c.lab, "kubectl", "--dir", c.dir, "--", "rollout", "restart", "-n", namespace, "deployment/spread")
	c.must(c.lab, "kubectl", "--dir", c.dir, "--", "rollout", "status", "-n", namespace, "deployment/spread", "--timeout=2m")
	for _, app := range []string{"spread", "store", "each"} {
		c.await(app+" runs", 2*time.Minute, func() error { return c.settled(app, 3) })
	}
}

// setBudget changes how many pods of the workload have to stay.
func (c *cluster) setBudget(minimum int) {
	c.t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"minAvailable":%d}}`, minimum)
	if _, err := c.api.PolicyV1().PodDisruptionBudgets(namespace).Patch(c.ctx, "spread", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

func budget(b *policyv1.PodDisruptionBudget) string {
	return fmt.Sprintf("minAvailable %s, %d disruptions allowed", b.Spec.MinAvailable, b.Status.DisruptionsAllowed)
}

// workerLosesPower cuts the power of the worker that announces the address.
func workerLosesPower(c *cluster) {
	dead, err := c.announcer()
	if err != nil {
		c.t.Fatal(err)
	}
	before, err := c.podsOn(dead)
	if err != nil || len(before["spread"]) == 0 || len(before["store"]) == 0 || len(before["each"]) == 0 {
		c.t.Fatalf("%s has not a pod of each workload: %v, %v", dead, before, err)
	}
	cut := time.Now()
	c.sandbox("kill", dead)
	addressMoves(c, dead, cut)

	c.await("the node is seen to be dead", 2*grace+time.Minute, func() error { return c.nodeIs(dead, corev1.ConditionUnknown) })
	notReady := since(cut)
	c.await("no Service sends anything to it", time.Minute, func() error { return c.endpointsWithout(dead) })
	c.t.Logf("observed: node %s Ready=Unknown %s after its power was cut (node-monitor-grace-period %s); its endpoints were gone after %s", dead, notReady, grace, since(cut))

	c.await("its pods are marked for deletion", tolerate+time.Minute, func() error { return c.ending(before["spread"]) })
	c.t.Logf("observed: pods on %s got their deletion timestamp %s after the cut (tolerations %s)", dead, since(cut), tolerate)
	c.await("the Deployment is whole again", time.Minute, func() error { return c.running("spread", 3) })
	c.t.Logf("observed: the Deployment had all replicas again %s after the cut, the replacement on another worker", since(cut))

	c.holds("Terminating pods stay, and the StatefulSet waits", 30*time.Second, func() error {
		return errors.Join(c.ending(before["spread"]), c.ending(before["store"]), c.running("store", 3-len(before["store"])), c.staying(before["each"]))
	})
	c.t.Logf("observed: for 30s more the dead worker's pods stayed Terminating, the StatefulSet made no replacement, the DaemonSet's pod was not marked")

	c.sandbox("start", dead)
	up := time.Now()
	c.await("the node is Ready again", 3*time.Minute, func() error { return c.nodeIs(dead, corev1.ConditionTrue) })
	c.t.Logf("observed: %s was Ready again %s after its SSH server answered again", dead, since(up))
	c.await("what was Terminating is gone", 2*time.Minute, func() error { return c.gone(before["spread"]) })
	c.await("the StatefulSet is whole", 2*time.Minute, func() error { return c.running("store", 3) })
	c.t.Logf("observed: Terminating pods were gone and the StatefulSet whole %s after that", since(up))
	after, err := c.podsOn(dead)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Logf("observed: %d pods of the Deployment on %s afterwards: nothing moves back by itself", len(after["spread"]), dead)
	if len(after["spread"]) != 0 {
		c.t.Errorf("pods of the Deployment moved back to %s", dead)
	}
}

// addressMoves measures until the address answers again, and until no request is lost any more.
func addressMoves(c *cluster, dead string, cut time.Time) {
	if _, err := c.fetch(); err == nil { // one that was on its way; the next must fail until the address has moved
		c.t.Logf("observed: a request right after the cut was still answered")
	}
	var answer string
	c.await("the address answers again", time.Minute, func() (err error) { answer, err = c.fetch(); return err })
	again := since(cut)
	now, err := c.announcer()
	for err != nil && time.Since(cut) < time.Minute {
		now, err = c.announcer()
	}
	if err != nil || now == dead {
		c.t.Fatalf("the address is announced by %q after the power cut of %s: %v", now, dead, err)
	}
	c.t.Logf("observed: the address answered again %s after the power cut of %s, announced by %s; first answer: %s", again, dead, now, answer)
}
