package rke2_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// TestIntegrationRules walks one small cluster through the rules of RKE2 that cxha relies on.
func TestIntegrationRules(t *testing.T) {
	integration(t)
	t.Parallel()
	s := newSite(t, 4*time.Minute)
	cp1 := s.host("cp1", "10.10.1.10")
	w1 := s.host("w1", "10.10.2.11")
	cp1.install(settings.Server, serverConfig)
	w1.install(settings.Agent, agentConfig)
	cp1.run("systemctl start rke2-server")
	api := cp1.api()
	s.awaitNode(api, "cp1", corev1.ConditionTrue)

	agentBesideServer(t, cp1)
	refusedJoins(w1)
	w1.configure(agentConfig)
	w1.run("systemctl restart --no-block rke2-agent")
	s.awaitNode(api, "w1", corev1.ConditionTrue)
	labelsOnce(s, api, w1)
	nodePassword(s, api, w1)
	cable(s, api, w1)
	manifests(s, api, cp1)
	otherToken(t, cp1)
	uninstalled(t, w1)
}

// configure replaces config.yaml.
func (h *host) configure(config string) {
	h.site.t.Helper()
	if err := h.FS().WriteFile("/etc/rancher/rke2/config.yaml", []byte(config+"\n"), 0o600); err != nil {
		h.site.t.Fatal(err)
	}
}

// A condition of the units: a server and an agent exclude each other.
func agentBesideServer(t *testing.T, cp1 *host) {
	t.Helper()
	cp1.run("systemctl start rke2-agent")
	if output, err := cp1.try("systemctl is-active rke2-agent"); err == nil || strings.TrimSpace(output) != "inactive" {
		t.Errorf("rke2-agent beside an active rke2-server: %q, %v", output, err)
	}
}

// Joins that RKE2 refuses, with its messages; the unit stays in activation, because the agent goes on trying.
func refusedJoins(w1 *host) {
	w1.site.t.Helper()
	for _, c := range []struct{ name, change, with, message string }{
		{
			"wrong token", "token: ag3nt", "token: wrong",
			"failed to retrieve configuration from server: https://127.0.0.1:6444/v1-rke2/config: 401 Unauthorized",
		},
		{
			"other cluster", "token: ag3nt", "token: K10" + strings.Repeat("0", 64) + "::node:ag3nt",
			"token CA hash does not match the Cluster CA certificate hash: " + strings.Repeat("0", 64) + " != ",
		},
		{
			"role label", "cx/role=core", "node-role.kubernetes.io/worker=true",
			"unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: [node-role.kubernetes.io/worker]",
		},
	} {
		w1.configure(strings.Replace(agentConfig, c.change, c.with, 1))
		w1.run("systemctl restart --no-block rke2-agent")
		w1.awaitLog("rke2-agent", c.message)
		if output, err := w1.try("systemctl is-active rke2-agent"); err == nil || output != "activating\n" {
			w1.site.t.Errorf("%s: rke2-agent is %q, %v", c.name, output, err)
		}
	}
	w1.configure(agentConfig)
	w1.run("mkdir -p /etc/rancher/rke2/config.yaml.d; echo 'cnii: canal' >/etc/rancher/rke2/config.yaml.d/50-typo.yaml")
	w1.run("systemctl restart --no-block rke2-agent")
	w1.awaitLog("rke2-agent", "Unknown flag --cnii found in config.yaml, skipping")
	w1.run("rm /etc/rancher/rke2/config.yaml.d/50-typo.yaml")
}

// Labels and taints apply at the first registration only.
func labelsOnce(s *site, api kubernetes.Interface, w1 *host) {
	s.t.Helper()
	w1.configure(strings.Replace(agentConfig, "cx/role=core", "cx/role=changed", 1))
	w1.run("systemctl restart rke2-agent")
	node := s.awaitNode(api, "w1", corev1.ConditionTrue)
	if got := node.Labels["cx/role"]; got != "core" {
		s.t.Errorf("label after a second registration: got %q, want that of the first", got)
	}
	w1.configure(agentConfig)
}

// A host that comes back with another password is refused until its Node is deleted; the secret goes with the Node.
func nodePassword(s *site, api kubernetes.Interface, w1 *host) {
	s.t.Helper()
	w1.run("echo other >/etc/rancher/node/password; systemctl restart --no-block rke2-agent")
	w1.awaitLog("rke2-agent", "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match "+
		"server node-passwd entry, try enabling a unique node name with the --with-node-id flag")
	if err := api.CoreV1().Nodes().Delete(s.ctx, "w1", metav1.DeleteOptions{}); err != nil {
		s.t.Fatal(err)
	}
	s.awaitNode(api, "w1", corev1.ConditionTrue)
	s.await("the static pod of the new Node", func() error {
		node, err := api.CoreV1().Nodes().Get(s.ctx, "w1", metav1.GetOptions{})
		if err != nil {
			return err
		}
		pod, err := api.CoreV1().Pods("kube-system").Get(s.ctx, "kube-proxy-w1", metav1.GetOptions{})
		if err == nil && (!metav1.IsControlledBy(pod, node) || pod.Status.Phase != corev1.PodRunning) {
			err = fmt.Errorf("owners %v, phase %s", pod.OwnerReferences, pod.Status.Phase)
		}
		return err
	})
}

// A cut cable stops the heartbeat although nothing on the host has ended; mended, the node comes back by itself.
func cable(s *site, api kubernetes.Interface, w1 *host) {
	s.t.Helper()
	w1.Net().Cut()
	s.awaitNode(api, "w1", corev1.ConditionUnknown)
	w1.Net().Mend()
	s.awaitNode(api, "w1", corev1.ConditionTrue)
}

// What lies in the manifests directory is applied, and a HelmChartConfig changes a packaged chart.
func manifests(s *site, api kubernetes.Interface, cp1 *host) {
	s.t.Helper()
	cp1.run(`cat >/var/lib/rancher/rke2/server/manifests/own.yaml <<'END'
apiVersion: v1
kind: ConfigMap
metadata: {name: own, namespace: kube-system}
data: {k: v}
---
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata: {name: rke2-coredns, namespace: kube-system}
spec:
  valuesContent: |
    affinity:
      nodeAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
          nodeSelectorTerms:
          - matchExpressions: [{key: node-role.kubernetes.io/control-plane, operator: DoesNotExist}]
END`)
	s.await("own ConfigMap", func() error {
		_, err := api.CoreV1().ConfigMaps("kube-system").Get(s.ctx, "own", metav1.GetOptions{})
		return err
	})
	s.await("no CoreDNS on the control plane", func() error {
		pods, err := api.CoreV1().Pods("kube-system").List(s.ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if pod.Spec.Affinity.NodeAffinity == nil || pod.Spec.NodeName == "cp1" {
				return fmt.Errorf("%s runs on %s", pod.Name, pod.Spec.NodeName)
			}
		}
		return nil
	})
}

// A server does not start with another token than the one its data is encrypted with.
func otherToken(t *testing.T, cp1 *host) {
	t.Helper()
	cp1.run("systemctl stop rke2-server")
	cp1.configure(strings.Replace(serverConfig, "s3cret", "an0ther", 1))
	cp1.run("systemctl start --no-block rke2-server")
	cp1.awaitLog("rke2-server", "bootstrap data already found and encrypted with different token")
	cp1.run("systemctl stop rke2-server")
	cp1.configure(serverConfig)
	cp1.run("systemctl start rke2-server")
	if _, err := cp1.api().CoreV1().Nodes().Get(cp1.site.ctx, "w1", metav1.GetOptions{}); err != nil {
		t.Errorf("after the right token is back: %v", err)
	}
}

func uninstalled(t *testing.T, w1 *host) {
	t.Helper()
	w1.run("rke2-uninstall.sh")
	for _, file := range []string{
		"/usr/local/bin/rke2", "/usr/local/bin/rke2-uninstall.sh", "/usr/local/lib/systemd/system/rke2-agent.service",
		"/etc/rancher/rke2", "/etc/rancher/node", "/var/lib/rancher/rke2",
	} {
		if _, err := w1.FS().Lstat(file); err == nil {
			t.Errorf("w1: %s is there after the uninstallation", file)
		}
	}
	if got := strings.TrimSpace(w1.run("systemctl show -p LoadState --value rke2-agent")); got != "not-found" {
		t.Errorf("w1: rke2-agent after the uninstallation: LoadState %q", got)
	}
	if output, err := w1.try("rke2 --version"); err == nil {
		t.Errorf("w1: rke2 after the uninstallation: %s", output)
	}
}
