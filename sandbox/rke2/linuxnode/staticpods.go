//go:build linux

package linuxnode

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// staticPod is a static pod of RKE2. The component itself is a process of the daemon here; the pod shows whether it is there.
type staticPod struct {
	name string
	role settings.Role // empty: of every node
	port int           // of the component, on the loopback interface
}

func staticPods() []staticPod {
	return []staticPod{
		{"etcd", settings.Server, 2379}, {"kube-apiserver", settings.Server, 6443}, {"kube-controller-manager", settings.Server, 10257},
		{"kube-scheduler", settings.Server, 10259}, {"kube-proxy", "", 10256},
	}
}

// writeStaticPods writes the manifests that kubelet runs, and removes those of a role that the host had before.
func (n *node) writeStaticPods() error {
	directory := n.path("pod-manifests")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	for _, pod := range staticPods() {
		file := filepath.Join(directory, pod.name+".yaml")
		if pod.role != "" && pod.role != n.Role {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			continue
		}
		manifest, err := yaml.Marshal(pod.manifest())
		if err != nil {
			return err
		}
		if err := n.write(file, manifest); err != nil {
			return err
		}
	}
	return nil
}

func (p staticPod) manifest() *corev1.Pod {
	return &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name: p.name, Namespace: metav1.NamespaceSystem, Labels: map[string]string{"component": p.name, "tier": "control-plane"},
		},
		Spec: corev1.PodSpec{
			HostNetwork: true, PriorityClassName: "system-cluster-critical",
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}},
			Containers: []corev1.Container{{
				Name: p.name, Image: pauseImage, ImagePullPolicy: corev1.PullNever,
				ReadinessProbe: &corev1.Probe{
					ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{
						Host: "127.0.0.1", Port: intstr.FromInt32(int32(p.port)),
					}},
					PeriodSeconds: 5, TimeoutSeconds: 5,
				},
			}},
		},
	}
}
