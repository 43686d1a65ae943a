package kube

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/klog/v2"
)

// movable reports whether a pod has a life of its own on its node: DaemonSets' pods belong to the node and come back, mirror
// pods are files on the host, and pods that ended hold nothing.
func movable(p *corev1.Pod) bool {
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return false
	}
	if _, mirror := p.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return false
	}
	owner := metav1.GetControllerOf(p)
	return owner == nil || owner.Kind != "DaemonSet" && owner.Kind != "Node"
}

// unmanaged reports whether nothing would make the pod again elsewhere.
func unmanaged(p *corev1.Pod) bool { return metav1.GetControllerOf(p) == nil }

// displaced reports whether a pod on an isolated control plane should not be there. A pod that tolerates the taint may be
// put there by the scheduler at any time, so evicting it would decide nothing: see isolationKind.
func displaced(p *corev1.Pod) bool { return movable(p) && !toleratesIsolation(p) }

func toleratesIsolation(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.Tolerations, func(t corev1.Toleration) bool {
		return t.ToleratesTaint(klog.Background(), &isolationTaint, false)
	})
}

func podName(p *corev1.Pod) string { return p.Namespace + "/" + p.Name }

// podNames returns the names of the pods that fit all tests.
func podNames(pods []corev1.Pod, tests ...func(*corev1.Pod) bool) []string {
	var names []string
	for i := range pods {
		if !slices.ContainsFunc(tests, func(t func(*corev1.Pod) bool) bool { return !t(&pods[i]) }) {
			names = append(names, podName(&pods[i]))
		}
	}
	return names
}
