package controlplane_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/sandbox/controlplane"
)

var (
	nodeIP   = netip.MustParseAddr("10.10.1.10")
	services = netip.MustParsePrefix("10.43.0.0/16")
	pods     = netip.MustParsePrefix("10.42.0.0/16")
)

func options(dir string) controlplane.Options {
	return controlplane.Options{
		Dir: dir, NodeName: "cp1", NodeIP: nodeIP, ServingNames: []string{"cp.cx.internal"},
		ServiceCIDR: services, ClusterCIDR: pods,
	}
}

func TestIntegrationPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a control plane")
	}
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()

	began := time.Now()
	first, err := controlplane.Start(ctx, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(first.Kill)
	t.Logf("API ready after %s", time.Since(began).Round(time.Millisecond))
	client, err := kubernetes.NewForConfig(first.AdminConfig())
	if err != nil {
		t.Fatal(err)
	}
	if said, err := client.Discovery().ServerVersion(); err != nil || said.GitVersion != controlplane.Version {
		t.Errorf("the API server says that it is %v, %v", said, err)
	}
	node := startNode(ctx, t, first, client, dir)
	runPod(ctx, t, client)
	node.Kill()
	first.Kill()
	select {
	case err := <-first.Failed():
		t.Logf("as expected: %v", err)
	case <-ctx.Done():
		t.Fatal("nothing was reported after the kill")
	}

	began = time.Now()
	second, err := controlplane.Start(ctx, options(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(second.Kill)
	t.Logf("API ready again after %s", time.Since(began).Round(time.Millisecond))
	if second.Ports != first.Ports {
		t.Errorf("ports: got %v, want those of the first start, %v", second.Ports, first.Ports)
	}
	// The old client still fits: the port and the authorities are kept.
	if _, err := client.CoreV1().Pods("default").Get(ctx, "p", metav1.GetOptions{}); err != nil {
		t.Errorf("the pod did not survive the power cut: %v", err)
	}
	began = time.Now()
	if err := second.Stop(); err != nil {
		t.Error(err)
	}
	t.Logf("stopped after %s", time.Since(began).Round(time.Millisecond))
}

func startNode(
	ctx context.Context, t *testing.T, plane *controlplane.ControlPlane, client kubernetes.Interface, dir string,
) *controlplane.Component {
	t.Helper()
	certPEM, keyPEM, err := plane.PKI.ClientCA.Issue(controlplane.Leaf{CommonName: "test", Organizations: []string{"system:masters"}})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := controlplane.Kubeconfig{
		Server: "https://" + plane.Address(), CA: plane.PKI.ServerCA.CertPEM, CertPEM: certPEM, KeyPEM: keyPEM,
	}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kwok.kubeconfig")
	if err := os.WriteFile(file, kubeconfig, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "cp1"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	node, err := controlplane.StartNode(controlplane.NodeOptions{
		Dir: filepath.Join(dir, "agent"), NodeName: "cp1", NodeIP: nodeIP, PodCIDR: pods,
		Kubeconfig: file, KubeletKubeconfig: file,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		node.Kill()
		if t.Failed() {
			t.Log(node.Err())
		}
	})
	await(ctx, t, "node Ready", func() error {
		node, err := client.CoreV1().Nodes().Get(ctx, "cp1", metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue && len(node.Spec.Taints) == 0 {
				return nil
			}
		}
		return fmt.Errorf("conditions %v, taints %v", node.Status.Conditions, node.Spec.Taints)
	})
	return node
}

func runPod(ctx context.Context, t *testing.T, client kubernetes.Interface) {
	t.Helper()
	await(ctx, t, "default service account", func() error {
		_, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "example/c:1"}}},
	}
	if _, err := client.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(ctx, t, "pod Running", func() error {
		pod, err := client.CoreV1().Pods("default").Get(ctx, "p", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if pod.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("phase %s", pod.Status.Phase)
		}
		return nil
	})
}

// await calls try until it returns nil or the context ends.
func await(ctx context.Context, t *testing.T, what string, try func() error) {
	t.Helper()
	began := time.Now()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			t.Logf("%s after %s", what, time.Since(began).Round(time.Millisecond))
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		case <-ticker.C:
		}
	}
}

// TestVersion compares the version that the components say with the one of their module.
func TestVersion(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "k8s.io/kubernetes " + controlplane.Version + "\n"; !strings.Contains(string(text), want) {
		t.Errorf("go.mod has another version than %s", want)
	}
}
