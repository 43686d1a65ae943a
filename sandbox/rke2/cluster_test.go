package rke2_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

const serverConfig = `token: s3cret
agent-token: ag3nt
node-name: cp1
node-ip: 10.10.1.10
tls-san: [cp.cx.internal]
cni: [canal]
node-label: ["topology.kubernetes.io/zone=a"]
kube-controller-manager-arg: ["node-monitor-grace-period=14s", "node-monitor-period=2s"]`

const agentConfig = `server: https://cp.cx.internal:9345
token: ag3nt
node-name: w1
node-ip: 10.10.2.11
node-label: ["topology.kubernetes.io/zone=b", "cx/role=core"]
node-taint: ["cx/only=true:PreferNoSchedule"]`

func TestIntegrationCluster(t *testing.T) {
	integration(t)
	t.Parallel()
	s := newSite(t, 4*time.Minute)
	cp1 := s.host("cp1", "10.10.1.10")
	w1 := s.host("w1", "10.10.2.11")

	// The agent may be there before the server.
	w1.install(settings.Agent, agentConfig)
	w1.run("systemctl start --no-block rke2-agent")
	w1.awaitLog("rke2-agent", "Failed to validate connection to cluster at https://cp.cx.internal:9345: failed to get CA certs")

	cp1.install(settings.Server, serverConfig)
	began := time.Now()
	cp1.run("systemctl start rke2-server")
	t.Logf("systemctl start rke2-server: %s", time.Since(began).Round(time.Millisecond))
	checkServerFiles(t, cp1)

	api := cp1.api()
	node := s.awaitNode(api, "cp1", corev1.ConditionTrue)
	for label, want := range map[string]string{
		"node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/etcd": "true", "topology.kubernetes.io/zone": "a",
		"kubernetes.io/hostname": "cp1", "node.kubernetes.io/instance-type": "rke2",
	} {
		if got := node.Labels[label]; got != want {
			t.Errorf("cp1: label %s: got %q, want %q", label, got, want)
		}
	}
	node = s.awaitNode(api, "w1", corev1.ConditionTrue)
	if got := node.Status.NodeInfo.KubeletVersion; got != version {
		t.Errorf("w1: kubelet version: got %q, want %q", got, version)
	}
	if got := node.Status.Addresses[0].Address; got != "10.10.2.11" {
		t.Errorf("w1: address: got %q", got)
	}
	if node.Labels["cx/role"] != "core" || !hasTaint(node, "cx/only") {
		t.Errorf("w1: labels %v, taints %v", node.Labels, node.Spec.Taints)
	}
	s.await("all pods running", func() error {
		pods, err := api.CoreV1().Pods("kube-system").List(s.ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if pod.Status.Phase != corev1.PodRunning {
				return fmt.Errorf("%s is %s", pod.Name, pod.Status.Phase)
			}
		}
		if len(pods.Items) < 11 { // 5 + 1 static, 2 canal, 2 coredns, 1 metrics-server
			return fmt.Errorf("%d pods", len(pods.Items))
		}
		return nil
	})
	restartServer(s, cp1, w1)
	powerCuts(s, cp1, w1)
}

// restartServer stops and starts the server in an orderly way; the worker's node goes on by itself.
func restartServer(s *site, cp1, w1 *host) {
	s.t.Helper()
	api := cp1.api()
	began := time.Now()
	cp1.run("systemctl restart rke2-server")
	s.t.Logf("systemctl restart rke2-server: %s", time.Since(began).Round(time.Millisecond))
	lease := func() (time.Time, error) {
		lease, err := api.CoordinationV1().Leases("kube-node-lease").Get(s.ctx, "w1", metav1.GetOptions{})
		if err != nil {
			return time.Time{}, err
		}
		if holder := lease.Spec.HolderIdentity; holder == nil || *holder != "w1" || len(lease.OwnerReferences) != 1 {
			return time.Time{}, fmt.Errorf("lease %v of owners %v: want it held by w1 and owned by its Node", lease.Spec, lease.OwnerReferences)
		}
		return lease.Spec.RenewTime.Time, nil
	}
	s.await("w1 renews its lease after the restart", func() error {
		renewed, err := lease()
		if err == nil && renewed.Before(began) {
			err = fmt.Errorf("last renewed %s before the restart", began.Sub(renewed))
		}
		return err
	})
	_, err := api.CoreV1().Pods("default").Create(s.ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "after-restart"},
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{"kubernetes.io/hostname": "w1"},
			Containers:   []corev1.Container{{Name: "c", Image: "example/c:1"}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	s.await("a pod runs on w1 after the restart", func() error {
		pod, err := api.CoreV1().Pods("default").Get(s.ctx, "after-restart", metav1.GetOptions{})
		if err == nil && pod.Status.Phase != corev1.PodRunning {
			err = fmt.Errorf("phase %s", pod.Status.Phase)
		}
		return err
	})
}

func checkServerFiles(t *testing.T, cp1 *host) {
	t.Helper()
	output := cp1.run(`set -eu
cd /var/lib/rancher/rke2/server
cat node-token
cat agent-token
readlink node-token
stat -c %a token /etc/rancher/rke2/rke2.yaml
grep server: /etc/rancher/rke2/rke2.yaml
sha256sum <tls/server-ca.crt
curl -sk https://10.10.1.10:9345/ping
echo
curl -sk -o /tmp/ca.crt https://10.10.1.10:9345/cacerts
cmp /tmp/ca.crt tls/server-ca.crt
curl -sk -o /dev/null -w '%{http_code}\n' https://10.10.1.10:9345/v1-rke2/readyz
rke2 --version`)
	lines := strings.Split(output, "\n")
	if len(lines) < 11 {
		t.Fatalf("cp1: %s", output)
	}
	hash := strings.Fields(lines[6])[0]
	want := []string{
		"K10" + hash + "::server:s3cret", "K10" + hash + "::node:ag3nt", "token", "600", "600",
		"    server: https://127.0.0.1:6443", lines[6], "pong", "401", "rke2 version v1.35.7+rke2r1 (cxha-sandbox)",
	}
	for i, line := range want {
		if lines[i] != line {
			t.Errorf("cp1: line %d: got %q, want %q", i, lines[i], line)
		}
	}
}

func hasTaint(node *corev1.Node, key string) bool {
	for _, taint := range node.Spec.Taints {
		if taint.Key == key {
			return true
		}
	}
	return false
}

// powerCuts kills the worker, which the real controller manager notices; then both, and boots them again.
func powerCuts(s *site, cp1, w1 *host) {
	s.t.Helper()
	api := cp1.api()
	before := w1.countLog("rke2-agent", "Failed to validate connection to cluster")
	if err := w1.PowerOff(); err != nil {
		s.t.Fatal(err)
	}
	node := s.awaitNode(api, "w1", corev1.ConditionUnknown)
	s.await("taint unreachable", func() error {
		var err error
		node, err = api.CoreV1().Nodes().Get(s.ctx, "w1", metav1.GetOptions{})
		if err == nil && !hasTaint(node, "node.kubernetes.io/unreachable") {
			err = fmt.Errorf("taints %v", node.Spec.Taints)
		}
		return err
	})
	if err := cp1.PowerOff(); err != nil {
		s.t.Fatal(err)
	}
	w1.powerOn()
	s.await("rke2-agent waits for its server", func() error {
		if now := w1.countLog("rke2-agent", "Failed to validate connection to cluster"); now <= before {
			return fmt.Errorf("%d messages, %d of them old", now, before)
		}
		return nil
	})
	if output, err := w1.try("systemctl is-active rke2-agent"); err == nil || output != "activating\n" {
		s.t.Errorf("w1: without a control plane rke2-agent is %q, %v", output, err)
	}
	cp1.powerOn()
	s.awaitNode(cp1.api(), "w1", corev1.ConditionTrue)
	s.awaitNode(cp1.api(), "cp1", corev1.ConditionTrue)
}
