package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
)

// podReasons tells why the pods that an object selects are not ready; empty: it selects none, or they cannot be seen.
func (w *work) podReasons(ctx context.Context, o *unstructured.Unstructured) string {
	selector, ok := selectorOf(o)
	if !ok {
		return ""
	}
	var pods *corev1.PodList
	var events *corev1.EventList
	var nodes map[string]*corev1.Node
	err := w.attempt(ctx, func(ctx context.Context, client *kubernetes.Clientset) (err error) {
		if pods, err = client.CoreV1().Pods(o.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: selector}); err != nil {
			return err
		}
		if nodes, err = listNodes(ctx, client); err != nil {
			return err
		}
		events, err = client.CoreV1().Events(o.GetNamespace()).List(ctx, metav1.ListOptions{FieldSelector: "type=Warning"})
		return err
	})
	if err != nil {
		return "Its pods cannot be seen: " + brief(err)
	}
	var lines []string
	for i := range pods.Items {
		p := &pods.Items[i]
		why := podReason(p)
		if silent := silence(nodes[p.Spec.NodeName]); silent != "" && p.Status.Phase != corev1.PodSucceeded {
			why = silent // what is told of the pod is as it was when the node last answered
		}
		if why != "" {
			lines = append(lines, "Pod "+p.Name+": "+why)
		}
	}
	if len(lines) == 0 {
		lines = warnings(events.Items, o.GetName())
	}
	slices.Sort(lines)
	return enumerate(lines, 4)
}

// silence tells that a node does not answer; empty: it does, or there is none.
func silence(n *corev1.Node) string {
	if n == nil {
		return ""
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			return fmt.Sprintf("its node %s does not answer (%s)", n.Name, brevity(c.Reason, c.Message))
		}
	}
	return ""
}

// selectorOf returns the labels of an object's pods.
func selectorOf(o *unstructured.Unstructured) (selector string, ok bool) {
	if o.GetKind() == "Pod" {
		return "", false
	}
	raw, found, err := unstructured.NestedMap(o.Object, "spec", "selector")
	if err != nil || !found {
		return "", false
	}
	var s metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &s); err != nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return "", false
	}
	return metav1.FormatLabelSelector(&s), true
}

// warnings are the latest warnings about an object and what was made of it, such as quotas and admission that refuse its pods.
func warnings(events []corev1.Event, name string) []string {
	var lines []string
	for _, e := range events {
		about := e.InvolvedObject
		if about.Name == name || strings.HasPrefix(about.Name, name+"-") {
			lines = append(lines, fmt.Sprintf("%s %s: %s: %s", about.Kind, about.Name, e.Reason, e.Message))
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// podReason tells in a few words why a pod is not ready; empty: it is, or it has done its work.
func podReason(p *corev1.Pod) string {
	if p.Status.Phase == corev1.PodSucceeded || podIs(p, corev1.PodReady) {
		return ""
	}
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if why := containerReason(c); why != "" {
			return why
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return brevity(c.Reason, c.Message)
		}
	}
	if p.Status.Reason != "" || p.Status.Message != "" {
		return brevity(p.Status.Reason, p.Status.Message)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status != corev1.ConditionTrue && c.Reason != "" {
			return brevity(c.Reason, c.Message)
		}
	}
	return "not ready"
}

func containerReason(c corev1.ContainerStatus) string {
	at := "container " + c.Name + ": "
	switch w, t := c.State.Waiting, c.State.Terminated; {
	case w != nil && w.Reason != "" && w.Reason != "PodInitializing" && w.Reason != "ContainerCreating":
		if last := c.LastTerminationState.Terminated; last != nil {
			return at + brevity(w.Reason, fmt.Sprintf("it ended with exit code %d %s", last.ExitCode, last.Message))
		}
		return at + brevity(w.Reason, w.Message)
	case t != nil && t.ExitCode != 0:
		return at + brevity(t.Reason, fmt.Sprintf("exit code %d %s", t.ExitCode, t.Message))
	}
	return ""
}

func podIs(p *corev1.Pod, typ corev1.PodConditionType) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == typ && c.Status == corev1.ConditionTrue })
}

func brevity(reason, message string) string {
	text := strings.Join(strings.Fields(message), " ")
	if reason == "" || text == "" {
		return reason + text
	}
	return reason + ": " + text
}
