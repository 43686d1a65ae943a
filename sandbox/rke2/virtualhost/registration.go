package virtualhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes"
	kubeletapis "k8s.io/kubelet/pkg/apis"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// registration is what a kubelet says of its node and of the static pods that run on it.
type registration struct {
	node       *corev1.Node
	staticPods []string
}

func (r registrar) registration() (*registration, error) {
	labels, err := parseLabels(r.Config.Split("node-label"))
	if err != nil {
		return nil, err
	}
	taints, err := parseTaints(r.Config.Split("node-taint"))
	if err != nil {
		return nil, err
	}
	for label, value := range map[string]string{
		corev1.LabelHostname: r.Name, corev1.LabelOSStable: "linux", corev1.LabelArchStable: runtime.GOARCH,
		corev1.LabelInstanceTypeStable: "rke2",
		"beta.kubernetes.io/os":        "linux", "beta.kubernetes.io/arch": runtime.GOARCH, "beta.kubernetes.io/instance-type": "rke2",
	} {
		labels[label] = value
	}
	status, err := r.nodeStatus()
	if err != nil {
		return nil, err
	}
	pods := []string{"kube-proxy"}
	if r.Role == settings.Server {
		pods = append(pods, "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
	}
	return &registration{staticPods: pods, node: &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: r.Name, Labels: labels, Annotations: map[string]string{
			"rke2.io/hostname": r.Host.Name, "rke2.io/internal-ip": r.IP.String(),
			"volumes.kubernetes.io/controller-managed-attach-detach": "true",
		}},
		Spec:   corev1.NodeSpec{ProviderID: "rke2://" + r.Name, Taints: taints},
		Status: status,
	}}, nil
}

// parseLabels reads `key=value` and refuses labels that a kubelet may not give its own node.
func parseLabels(given []string) (map[string]string, error) {
	labels := map[string]string{}
	var unknown []string
	for _, label := range given {
		key, value, _ := strings.Cut(label, "=")
		if problems := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(problems) > 0 {
			return nil, fmt.Errorf("invalid node label %q: %s", label, strings.Join(problems, "; "))
		}
		namespace, _, prefixed := strings.Cut(key, "/")
		if prefixed && isKubernetesNamespace(namespace) && !kubeletapis.IsKubeletLabel(key) {
			unknown = append(unknown, key)
		}
		labels[key] = value
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, fmt.Errorf("unknown 'kubernetes.io' or 'k8s.io' labels specified with --node-labels: %v: "+
			"--node-labels in the 'kubernetes.io' namespace must begin with an allowed prefix (%s) or be in the specifically allowed set (%s)",
			unknown, strings.Join(kubeletapis.KubeletLabelNamespaces(), ", "), strings.Join(kubeletapis.KubeletLabels(), ", "))
	}
	return labels, nil
}

func isKubernetesNamespace(namespace string) bool {
	for _, domain := range []string{"kubernetes.io", "k8s.io"} {
		if namespace == domain || strings.HasSuffix(namespace, "."+domain) {
			return true
		}
	}
	return false
}

// parseTaints reads `key=value:Effect` and `key:Effect`.
func parseTaints(given []string) ([]corev1.Taint, error) {
	var taints []corev1.Taint
	for _, one := range given {
		rest, effect, ok := strings.Cut(one, ":")
		key, value, _ := strings.Cut(rest, "=")
		taint := corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)}
		known := []corev1.TaintEffect{corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute}
		problems := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...)
		if !ok || !slices.Contains(known, taint.Effect) || len(problems) > 0 {
			return nil, fmt.Errorf("invalid taint spec: %v", one)
		}
		taints = append(taints, taint)
	}
	return taints, nil
}

// nodeStatus is what the node says of its host. The size is the stand-in's: nothing is run that could need it.
func (r registrar) nodeStatus() (corev1.NodeStatus, error) {
	addresses := []corev1.NodeAddress{
		{Type: corev1.NodeInternalIP, Address: r.IP.String()}, {Type: corev1.NodeHostName, Address: r.Name},
	}
	for _, external := range r.Config.Split("node-external-ip") {
		addresses = append(addresses, corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: external})
	}
	facts := map[string]string{"/etc/machine-id": "", "/proc/sys/kernel/random/boot_id": "", "/proc/sys/kernel/osrelease": "", "/etc/os-release": ""}
	for file := range facts {
		data, err := r.Host.Files.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return corev1.NodeStatus{}, err
		}
		facts[file] = strings.TrimSpace(string(data))
	}
	size := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("250Gi"), corev1.ResourcePods: resource.MustParse("110"),
	}
	return corev1.NodeStatus{
		Addresses: addresses, Capacity: size, Allocatable: size,
		NodeInfo: corev1.NodeSystemInfo{
			MachineID: facts["/etc/machine-id"], SystemUUID: facts["/etc/machine-id"], BootID: facts["/proc/sys/kernel/random/boot_id"],
			KernelVersion: facts["/proc/sys/kernel/osrelease"], OSImage: prettyName(facts["/etc/os-release"]),
			ContainerRuntimeVersion: "kwok://0.8.0", KubeletVersion: r.Version, OperatingSystem: "linux", Architecture: runtime.GOARCH,
		},
	}, nil
}

func prettyName(osRelease string) string {
	for line := range strings.Lines(osRelease) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(value, `"`)
		}
	}
	return "Linux"
}

// register creates the Node. A node that is there already keeps its labels and taints, and gets a new status: RKE2's rule
// that node-label and node-taint apply at the first registration only (domain.md §2.5).
func (r *registration) register(ctx context.Context, client kubernetes.Interface) error {
	node, err := client.CoreV1().Nodes().Create(ctx, r.node, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		node, err = r.updateStatus(ctx, client)
	}
	if err != nil {
		return err
	}
	for _, name := range r.staticPods {
		if err := ensureMirrorPod(ctx, client, mirrorPod(name, node)); err != nil {
			return fmt.Errorf("static pod %s: %w", name, err)
		}
	}
	return nil
}

// ensureMirrorPod creates a static pod's mirror. One of an earlier Node of the same name goes first.
func ensureMirrorPod(ctx context.Context, client kubernetes.Interface, pod *corev1.Pod) error {
	pods := client.CoreV1().Pods(metav1.NamespaceSystem)
	_, err := pods.Create(ctx, pod, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	old, err := pods.Get(ctx, pod.Name, metav1.GetOptions{})
	if err != nil || metav1.IsControlledBy(old, &metav1.ObjectMeta{UID: pod.OwnerReferences[0].UID}) {
		return err
	}
	if err := pods.Delete(ctx, pod.Name, *metav1.NewDeleteOptions(0)); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	_, err = pods.Create(ctx, pod, metav1.CreateOptions{})
	return err
}

func (r *registration) updateStatus(ctx context.Context, client kubernetes.Interface) (*corev1.Node, error) {
	patch, err := json.Marshal(map[string]any{"status": map[string]any{
		"addresses": r.node.Status.Addresses, "capacity": r.node.Status.Capacity, "allocatable": r.node.Status.Allocatable,
		"nodeInfo": r.node.Status.NodeInfo,
	}})
	if err != nil {
		return nil, err
	}
	return client.CoreV1().Nodes().Patch(ctx, r.node.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
}

// mirrorPod is how a static pod shows in the API: it belongs to the node and nobody else can do anything about it.
func mirrorPod(name string, node *corev1.Node) *corev1.Pod {
	isController := true
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name + "-" + node.Name, Labels: map[string]string{"component": name, "tier": "control-plane"},
			Annotations: map[string]string{
				corev1.MirrorPodAnnotationKey: string(node.UID), "kubernetes.io/config.source": "file",
				"kubernetes.io/config.hash": string(node.UID),
			},
			OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "v1", Kind: "Node", Name: node.Name, UID: node.UID, Controller: &isController},
			},
		},
		Spec: corev1.PodSpec{
			NodeName: node.Name, HostNetwork: true, PriorityClassName: "system-cluster-critical",
			Containers:  []corev1.Container{{Name: name, Image: "rancher/" + name}},
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}},
		},
	}
}
