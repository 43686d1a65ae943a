package helm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	helmkube "helm.sh/helm/v4/pkg/kube"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/kubernetes"
)

// condition tells what a live object lacks, nil meaning that it is not there; empty: nothing.
type condition func(*unstructured.Unstructured) string

// ready is the condition of an object that is as its specification says.
func ready(u *unstructured.Unstructured) string {
	if u == nil {
		return "not there"
	}
	result, err := status.Compute(u)
	switch {
	case err != nil:
		return err.Error()
	case result.Status == status.CurrentStatus:
		return ""
	case result.Message == "":
		return string(result.Status)
	}
	return result.Message
}

func gone(u *unstructured.Unstructured) string {
	switch {
	case u == nil:
		return ""
	case len(u.GetFinalizers()) > 0:
		return "still there, held by " + strings.Join(u.GetFinalizers(), ", ")
	}
	return "still there"
}

// finished is the condition of a hook's object: a Job or Pod that ran to its end.
func finished(u *unstructured.Unstructured) string {
	if u == nil {
		return "not there"
	}
	switch u.GetKind() {
	case "Job":
		if n, _, _ := unstructured.NestedInt64(u.Object, "status", "succeeded"); n > 0 {
			return ""
		}
		return "running"
	case "Pod":
		if phase, _, _ := unstructured.NestedString(u.Object, "status", "phase"); phase != string(corev1.PodSucceeded) {
			return "running"
		}
	}
	return ""
}

// observer looks at objects until they lack nothing.
type observer struct {
	client  kubernetes.Interface
	left    helmkube.ResourceList
	missing condition
}

// look returns what the objects lack. Those that lacked nothing once are not looked at again.
func (o *observer) look(ctx context.Context) []string {
	var reasons []string
	var left helmkube.ResourceList
	for _, info := range o.left {
		if ctx.Err() != nil {
			return reasons
		}
		u, err := fetch(info)
		text := ""
		if err != nil {
			text = err.Error()
		} else {
			text = o.missing(u)
		}
		if text == "" {
			continue
		}
		left = append(left, info)
		text = fmt.Sprintf("%s %s: %s", info.Mapping.GroupVersionKind.Kind, info.Name, text)
		if pods := o.pods(ctx, u); len(pods) > 0 {
			text += " (" + strings.Join(pods, ", ") + ")"
		}
		reasons = append(reasons, text)
	}
	o.left = left
	return reasons
}

// fetch returns a live object; nil: it is not there.
func fetch(info *resource.Info) (*unstructured.Unstructured, error) {
	object, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if u, ok := object.(*unstructured.Unstructured); ok {
		return u, nil
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	return &unstructured.Unstructured{Object: fields}, err
}

// pods tells what is wrong with the pods of a workload. That it cannot be told is no reason to fail: the object's own words stay.
func (o *observer) pods(ctx context.Context, u *unstructured.Unstructured) []string {
	if u == nil || !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet"}, u.GetKind()) {
		return nil
	}
	labels, found, err := unstructured.NestedStringMap(u.Object, "spec", "selector", "matchLabels")
	if err != nil || !found {
		return nil
	}
	list, err := o.client.CoreV1().Pods(u.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: metav1.FormatLabelSelector(&metav1.LabelSelector{MatchLabels: labels})})
	if err != nil {
		return nil
	}
	var order []string
	names := map[string][]string{} // of the pods that have a trouble
	for _, p := range list.Items {
		why := trouble(&p)
		if why == "" {
			continue
		}
		if names[why] == nil {
			order = append(order, why)
		}
		names[why] = append(names[why], p.Name)
	}
	var texts []string
	for _, why := range order {
		text := "pod " + names[why][0]
		if more := len(names[why]) - 1; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		texts = append(texts, text+": "+why)
	}
	return texts
}

// starting are the reasons of containers with which nothing is wrong.
var starting = []string{"ContainerCreating", "PodInitializing"}

// trouble is why a pod is not ready, in the words of Kubernetes: ImagePullBackOff, Unschedulable, CrashLoopBackOff, ...
func trouble(p *corev1.Pod) string {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return join(c.Reason, c.Message)
		}
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		switch {
		case s.State.Waiting != nil && !slices.Contains(starting, s.State.Waiting.Reason):
			return join(s.State.Waiting.Reason, s.State.Waiting.Message)
		case s.State.Terminated != nil && s.State.Terminated.ExitCode != 0:
			return join(s.State.Terminated.Reason, fmt.Sprintf("exit code %d", s.State.Terminated.ExitCode))
		}
	}
	if p.Status.Phase == corev1.PodFailed {
		return join(p.Status.Reason, p.Status.Message)
	}
	return ""
}

func join(reason, message string) string {
	switch {
	case reason == "":
		return message
	case message == "":
		return reason
	}
	return reason + ": " + message
}
