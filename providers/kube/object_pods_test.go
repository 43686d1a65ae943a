package kube_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/expertflow/cxha/providers/kube"
)

func TestPodReason(t *testing.T) {
	t.Parallel()
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	tests := map[string]struct {
		status corev1.PodStatus
		want   string
	}{
		"ready": {corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}, ""},
		"done":  {corev1.PodStatus{Phase: corev1.PodSucceeded}, ""},
		"image": {
			corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "main", State: waiting("ImagePullBackOff", "Back-off\n pulling image")}}},
			"container main: ImagePullBackOff: Back-off pulling image",
		},
		"crash": {
			corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: "main", State: waiting("CrashLoopBackOff", "back-off 5m0s"),
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137}},
			}}},
			"container main: CrashLoopBackOff: it ended with exit code 137",
		},
		"init container": {
			corev1.PodStatus{
				InitContainerStatuses: []corev1.ContainerStatus{{Name: "prepare", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", ExitCode: 1}}}},
				ContainerStatuses:     []corev1.ContainerStatus{{Name: "main", State: waiting("PodInitializing", "")}},
			},
			"container prepare: Error: exit code 1",
		},
		"no node": {
			corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available"}}},
			"Unschedulable: 0/3 nodes are available",
		},
		"evicted":         {corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."}, "Evicted: The node was low on resource: memory."},
		"its probe":       {corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady", Message: "containers with unready status: [main]"}}}, "ContainersNotReady: containers with unready status: [main]"},
		"nothing is said": {corev1.PodStatus{Phase: corev1.PodPending}, "not ready"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := kube.PodReason(&corev1.Pod{Status: test.status}); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
