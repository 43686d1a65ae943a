package kube_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/expertflow/cxha/providers/kube"
)

func TestOwnedLabels(t *testing.T) {
	t.Parallel()
	fields := func(manager string, op metav1.ManagedFieldsOperationType, text string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: op, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(text)}
	}
	const two = `{"f:metadata":{"f:labels":{"f:b/x":{},"f:a":{}}}}`
	tests := map[string]struct {
		managed []metav1.ManagedFieldsEntry
		want    []string
	}{
		"none":               {},
		"applied by cxha":    {[]metav1.ManagedFieldsEntry{fields("cxha", "Apply", two)}, []string{"a", "b/x"}},
		"applied by others":  {managed: []metav1.ManagedFieldsEntry{fields("helm", "Apply", two)}},
		"patched by cxha":    {managed: []metav1.ManagedFieldsEntry{fields("cxha", "Update", two)}},
		"other fields":       {managed: []metav1.ManagedFieldsEntry{fields("cxha", "Apply", `{"f:metadata":{"f:annotations":{"f:a":{}}},"f:spec":{"f:taints":{}}}`)}},
		"cannot be read":     {managed: []metav1.ManagedFieldsEntry{fields("cxha", "Apply", `{"f:metadata":`)}},
		"nothing in it":      {managed: []metav1.ManagedFieldsEntry{{Manager: "cxha", Operation: "Apply"}}},
		"the same key twice": {[]metav1.ManagedFieldsEntry{fields("cxha", "Apply", two), fields("cxha", "Apply", two)}, []string{"a", "b/x"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := kube.OwnedLabels(test.managed); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestPods(t *testing.T) {
	t.Parallel()
	managed := corev1.Pod{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{owner("apps/v1", "ReplicaSet")}}}
	with := func(edit func(*corev1.Pod)) *corev1.Pod {
		p := managed.DeepCopy()
		edit(p)
		return p
	}
	toleration := func(tol corev1.Toleration) *corev1.Pod {
		return with(func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{tol} })
	}
	tests := map[string]struct {
		pod                *corev1.Pod
		movable, displaced bool
	}{
		"of a ReplicaSet": {&managed, true, true},
		"bare":            {&corev1.Pod{}, true, true},
		"of a DaemonSet":  {with(func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{owner("apps/v1", "DaemonSet")} }), false, false},
		"static":          {with(func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: ""} }), false, false},
		"of its Node":     {with(func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{owner("v1", "Node")} }), false, false},
		"succeeded":       {with(func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), false, false},
		"failed":          {with(func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }), false, false},
		"pending":         {with(func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }), true, true},
		"on its way out":  {with(func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }), true, true},
		"tolerates the taint": {
			toleration(corev1.Toleration{Key: "node-role.kubernetes.io/control-plane", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}), true, false,
		},
		"tolerates the taint's empty value": {
			toleration(corev1.Toleration{Key: "node-role.kubernetes.io/control-plane", Operator: corev1.TolerationOpEqual}), true, false,
		},
		"tolerates everything": {toleration(corev1.Toleration{Operator: corev1.TolerationOpExists}), true, false},
		"tolerates another value": {
			toleration(corev1.Toleration{Key: "node-role.kubernetes.io/control-plane", Operator: corev1.TolerationOpEqual, Value: "x"}), true, true,
		},
		"tolerates the taint's key with another effect": {
			toleration(corev1.Toleration{Key: "node-role.kubernetes.io/control-plane", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute}), true, true,
		},
		"tolerates the guide's old key": {toleration(corev1.Toleration{Key: "node-role.kubernetes.io/master", Operator: corev1.TolerationOpExists}), true, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := kube.Movable(test.pod); got != test.movable {
				t.Errorf("movable %v, want %v", got, test.movable)
			}
			if got := kube.Displaced(test.pod); got != test.displaced {
				t.Errorf("displaced %v, want %v", got, test.displaced)
			}
		})
	}
}

func TestDivideTaints(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		live, wanted []string
		mark         string
		own, others  []string
	}{
		"nothing":                    {},
		"wanted and there":           {live: []string{"a=1:NoSchedule"}, wanted: []string{"a=1:NoSchedule"}, own: []string{"a=1:NoSchedule"}},
		"wanted with another value":  {live: []string{"a=2:NoSchedule"}, wanted: []string{"a=1:NoSchedule"}, own: []string{"a=2:NoSchedule"}},
		"wanted with another effect": {live: []string{"a=1:NoExecute"}, wanted: []string{"a=1:NoSchedule"}, others: []string{"a=1:NoExecute"}},
		"set earlier":                {live: []string{"a=1:NoSchedule"}, mark: "a:NoSchedule", own: []string{"a=1:NoSchedule"}},
		"of others":                  {live: []string{"node.kubernetes.io/not-ready:NoExecute"}, mark: "a:NoSchedule", others: []string{"node.kubernetes.io/not-ready:NoExecute"}},
		"mark without a taint":       {mark: "a:NoSchedule,b:NoExecute"},
		"mark that makes no sense":   {live: []string{"a:NoSchedule"}, mark: ",a,:", others: []string{"a:NoSchedule"}},
	}
	names := func(taints []corev1.Taint) []string {
		var ss []string
		for _, taint := range taints {
			ss = append(ss, taint.ToString())
		}
		return ss
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{kube.TaintsAnnotation: test.mark}}}
			for _, s := range test.live {
				n.Spec.Taints = append(n.Spec.Taints, kube.ParseTaint(s))
			}
			own, others := kube.DivideTaints(n, test.wanted)
			if !slices.Equal(names(own), test.own) || !slices.Equal(names(others), test.others) {
				t.Errorf("own %v, others %v; want %v and %v", names(own), names(others), test.own, test.others)
			}
		})
	}
}

func TestNodeRow(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: "cp1", CreationTimestamp: metav1.NewTime(created),
			Labels: map[string]string{"node-role.kubernetes.io/etcd": "true", "node-role.kubernetes.io/control-plane": "true", "topology.kubernetes.io/zone": "a"},
		},
		Spec: corev1.NodeSpec{Unschedulable: true, Taints: []corev1.Taint{{Key: "b", Effect: "NoExecute"}, {Key: "a", Value: "1", Effect: "NoSchedule"}}},
		Status: corev1.NodeStatus{
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: "cp1"}, {Type: corev1.NodeInternalIP, Address: "10.10.1.10"}},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown", Message: "Kubelet stopped posting node status."}},
			NodeInfo:   corev1.NodeSystemInfo{KubeletVersion: "v1.35.7+rke2r1", OSImage: "Debian", KernelVersion: "6.1", ContainerRuntimeVersion: "containerd://2.2"},
		},
	}
	want := kube.NodeStatus{
		Name: "cp1", Roles: []string{"control-plane", "etcd"}, Status: "NotReady,SchedulingDisabled", Reason: "not Ready: NodeStatusUnknown: Kubelet stopped posting node status.",
		Version: "v1.35.7+rke2r1", InternalIP: "10.10.1.10", Zone: "a", Created: created, AgeSeconds: 90, Taints: []string{"a=1:NoSchedule", "b:NoExecute"},
		OSImage: "Debian", KernelVersion: "6.1", ContainerRuntime: "containerd://2.2",
	}
	if diff := cmp.Diff(want, kube.NodeRow(n, created.Add(90*time.Second))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestNewestSnapshot(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	item := func(name, created string, ready bool) string {
		return fmt.Sprintf(`{"spec":{"snapshotName":%q,"nodeName":"cp1","location":"file:///x"},"status":{"creationTime":%q,"readyToUse":%v}}`, name, created, ready)
	}
	tests := map[string]struct {
		items string
		want  *kube.Snapshot
	}{
		"none": {},
		"the newest usable one": {
			items: item("old", "2026-11-22T06:00:00Z", true) + "," + item("good", "2026-11-22T07:59:00Z", true) + "," + item("bad", "2026-11-22T07:59:30Z", false) + "," + item("older", "2026-11-22T05:00:00Z", true),
			want:  &kube.Snapshot{Name: "good", Node: "cp1", Location: "file:///x", Created: now.Add(-time.Minute), AgeSeconds: 60},
		},
		"no status yet": {items: `{"spec":{"snapshotName":"x"}}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := kube.NewestSnapshot([]byte(`{"items":[`+test.items+`]}`), now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTransient(t *testing.T) {
	t.Parallel()
	nodes := schema.GroupResource{Resource: "nodes"}
	blocked := apierrors.NewTooManyRequests("no", 0)
	blocked.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: policyv1.DisruptionBudgetCause}}
	tests := map[string]struct {
		err  error
		want bool
	}{
		"nothing":             {nil, false},
		"interrupted":         {context.Canceled, false},
		"cut off":             {fmt.Errorf("get: %w", io.ErrUnexpectedEOF), true},
		"too slow":            {context.DeadlineExceeded, true},
		"starting":            {apierrors.NewServiceUnavailable("starting"), true},
		"busy":                {apierrors.NewTooManyRequests("busy", 1), true},
		"kept by a budget":    {blocked, false},
		"not found":           {apierrors.NewNotFound(nodes, "w1"), false},
		"conflict":            {apierrors.NewConflict(nodes, "w1", errors.New("changed")), false},
		"no leader":           {errors.New("etcdserver: no leader"), true},
		"another certificate": {apierrors.NewUnauthorized("unknown"), true},
		"forbidden":           {apierrors.NewForbidden(nodes, "w1", errors.New("no")), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := kube.Transient(test.err); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func FuzzInventoryEntry(f *testing.F) {
	f.Add(`{"block":"worker.w1","address":"10.10.1.11","user":"ops","port":22}`)
	f.Add(`{"block":"worker.w[\"a\"]","address":"fd00::1","user":"root","port":2222}`)
	f.Add(`{"block":"","address":"x","user":"","port":-1}`)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := kube.DecodeEntry(text)
		if err != nil {
			return
		}
		again, err := kube.DecodeEntry(kube.EncodeEntry(e))
		if err != nil || again != e {
			t.Errorf("%q became %+v, then %+v (%v)", text, e, again, err)
		}
	})
}

func FuzzTaintMark(f *testing.F) {
	f.Add("a:NoSchedule,b/c:NoExecute")
	f.Add(",::,")
	f.Fuzz(func(t *testing.T, mark string) {
		node := func(s string) *corev1.Node {
			return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{kube.TaintsAnnotation: s}}}
		}
		once := kube.TaintMark(kube.MarkedTaints(node(mark)))
		if twice := kube.TaintMark(kube.MarkedTaints(node(once))); twice != once {
			t.Errorf("%q became %q, then %q", mark, once, twice)
		}
	})
}

func FuzzSnapshots(f *testing.F) {
	f.Add([]byte(`{"items":[{"spec":{"snapshotName":"a"},"status":{"creationTime":"2026-11-22T06:00:00Z","readyToUse":true}}]}`))
	f.Add([]byte(`{"items":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := kube.NewestSnapshot(b, time.Unix(0, 0))
		if err == nil && s != nil && s.AgeSeconds < 0 {
			t.Errorf("age %d", s.AgeSeconds)
		}
	})
}
