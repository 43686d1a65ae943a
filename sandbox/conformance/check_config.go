package conformance

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/internal/shell"
)

func configChecks() []Check {
	up, ready := []string{"C-API-01"}, []string{"C-API-05"}
	return []Check{
		{ID: "C-CONF-01", Point: "of an option in several files of config.yaml.d the last one's value holds", Needs: up, Run: lastWins},
		{ID: "C-CONF-02", Point: "key+ in config.yaml.d adds to the list of config.yaml", Needs: up, Run: appends},
		{ID: "C-CONF-03", Point: "a scalar is a list of one", Needs: ready, Run: scalarIsList},
		{ID: "C-CONF-04", Point: "node-name, node-ip and node-taint are those of the registered node", Needs: ready, Run: nodeIdentity},
		{ID: "C-CONF-05", Point: "cluster-cidr and service-cidr are the cluster's ranges", Needs: ready, Run: ranges},
		{ID: "C-CONF-06", Point: "kube-apiserver-arg reaches the API server", Needs: ready, Run: apiServerArgument},
		{ID: "C-CONF-07", Point: "changed files have no effect until the unit restarts, and after it they have", Needs: []string{"C-CONF-01"}, Run: heededAtStart},
		{ID: "C-API-06", Point: "a restart of the server keeps the cluster's CA: the old kubeconfig is good", Needs: []string{"C-CONF-07", "C-API-02"}, Run: sameCluster},
	}
}

func (w *World) kubeconfigMode(ctx context.Context) (string, error) {
	return w.server.must(ctx, new(shell.Script).Add("stat -c %s %s", "%a", kubeconfig))
}

func lastWins(ctx context.Context, w *World) error {
	mode, err := w.kubeconfigMode(ctx)
	if err != nil {
		return err
	}
	return want("as the mode of "+kubeconfig, "640", mode)
}

func appends(ctx context.Context, w *World) error {
	cert, err := handshake(ctx, w.server, "127.0.0.1:6443")
	if err != nil {
		return err
	}
	for _, name := range []string{endpoint, extraName} {
		if err := cert.VerifyHostname(name); err != nil {
			return differs("both the file's and the drop-in's tls-san in the certificate", "%v", err)
		}
	}
	return nil
}

func scalarIsList(ctx context.Context, w *World) error {
	n, err := w.registered(ctx, w.server.Name)
	if err != nil {
		return err
	}
	return want("as the label "+scalarLabel, "yes", n.Labels[scalarLabel])
}

func nodeIdentity(ctx context.Context, w *World) error {
	n, err := w.registered(ctx, w.server.Name)
	if err != nil {
		return err
	}
	if err := want("as InternalIP", w.server.Address, internalIP(n)); err != nil {
		return err
	}
	for _, t := range n.Spec.Taints {
		if t.Key == "node-role.kubernetes.io/control-plane" && t.Effect == corev1.TaintEffectNoSchedule {
			return nil
		}
	}
	return differs("the taint of node-taint on the node", "%v", n.Spec.Taints)
}

func internalIP(n *corev1.Node) string {
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	return ""
}

func ranges(ctx context.Context, w *World) error {
	return w.await(ctx, "the ranges are those of the configuration", settleLimit, func(ctx context.Context) (string, error) {
		var service *corev1.Service
		err := w.call(ctx, func(c *kubernetes.Clientset) (err error) {
			service, err = c.CoreV1().Services("default").Get(ctx, "kubernetes", metav1.GetOptions{})
			return err
		})
		if err != nil {
			return "", err
		}
		n, err := w.node(ctx, w.server.Name)
		switch {
		case err != nil || n == nil:
			return "the node is gone", err
		case !within(service.Spec.ClusterIP, serviceRange):
			return "the Service kubernetes has the address " + service.Spec.ClusterIP, nil
		case !within(n.Spec.PodCIDR, podRange):
			return "the node has the pod range " + quoteOr(n.Spec.PodCIDR), nil
		}
		return "", nil
	})
}

// apiServerArgument looks at what the API server gives a pod that it does not keep.
func apiServerArgument(ctx context.Context, w *World) error {
	return w.await(ctx, "a new pod has the tolerations of the arguments", settleLimit, func(ctx context.Context) (missing string, err error) {
		err = w.call(ctx, func(c *kubernetes.Clientset) error {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "conformance-dry", Namespace: "default"},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}},
			}
			pod, err := c.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil { // the service account may be missing still
				return err
			}
			missing = fmt.Sprintf("it has %v", pod.Spec.Tolerations)
			for _, t := range pod.Spec.Tolerations {
				if t.Key == corev1.TaintNodeNotReady && t.TolerationSeconds != nil && *t.TolerationSeconds == tolerateFor {
					missing = ""
				}
			}
			return nil
		})
		return missing, err
	})
}

func heededAtStart(ctx context.Context, w *World) error {
	if err := w.server.write(ctx, map[string]string{"config.yaml.d/60-second.yaml": "write-kubeconfig-mode: \"0600\"\ntls-san+: [" + extraName + "]\n"}); err != nil {
		return err
	}
	err := w.holds(ctx, 5*time.Second, func(ctx context.Context) error {
		mode, err := w.kubeconfigMode(ctx)
		if err != nil {
			return err
		}
		return want("as the mode before the restart", "640", mode)
	})
	if err != nil {
		return err
	}
	if err := w.restart(ctx, w.server); err != nil {
		return err
	}
	mode, err := w.kubeconfigMode(ctx)
	if err != nil {
		return err
	}
	return want("as the mode after the restart", "600", mode)
}

// restart restarts the host's unit and waits until the new process is ready.
func (w *World) restart(ctx context.Context, h *host) error {
	if err := w.restartQueued(ctx, h); err != nil {
		return err
	}
	return w.awaitState(ctx, h, w.unit(h), "active", startLimit)
}

// restartQueued queues a restart and waits until the new invocation has begun.
func (w *World) restartQueued(ctx context.Context, h *host) error {
	unit := w.unit(h)
	before, err := h.show(ctx, unit, "InvocationID")
	if err != nil {
		return err
	}
	if err := h.queue(ctx, "restart", unit); err != nil {
		return err
	}
	return w.await(ctx, "a new invocation of "+unit+" on "+h.Name, settleLimit, func(ctx context.Context) (string, error) {
		now, err := h.show(ctx, unit, "InvocationID")
		if err != nil || (now["InvocationID"] != "" && now["InvocationID"] != before["InvocationID"]) {
			return "", err
		}
		return "it is still the old one", nil
	})
}

// sameCluster uses the kubeconfig of before the restart.
func sameCluster(ctx context.Context, w *World) error {
	before, err := w.restConfig(ctx)
	if err != nil {
		return err
	}
	if err := w.restart(ctx, w.server); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(before)
	if err != nil {
		return err
	}
	return w.await(ctx, "the kubeconfig of before the restart is accepted", settleLimit, func(ctx context.Context) (string, error) {
		if _, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{}); err != nil {
			return "", &apiError{err}
		}
		return "", nil
	})
}
