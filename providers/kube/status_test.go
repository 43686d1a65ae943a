package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/providers/kube"
)

func TestIntegrationStatus(t *testing.T) {
	api := realAPI(t)
	var calls counter
	p := kube.New(kube.Options{Wrap: calls.wrap})
	s := &session{kubeconfig: api.kubeconfig}
	bp := cluster(2)
	register(t, api.client, "a-stranger", "10.10.9.9", true)
	register(t, api.client, "cp1", "10.10.1.10", true)
	register(t, api.client, "w1", "10.10.2.11", false)
	pod(t, api.client, "coredns", "cp1", tolerate("node-role.kubernetes.io/control-plane"))
	endpoint(t, api.client, "dns", "cp1", "coredns")
	endpoint(t, api.client, "web", "w1", "web")
	st, err := p.Status(t.Context(), s, bp)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range st.Nodes {
		names = append(names, n.Name+" "+n.Status)
	}
	if want := []string{"cp1 Ready", "a-stranger Ready", "w1 NotReady"}; !slices.Equal(names, want) {
		t.Errorf("nodes %v, want %v", names, want)
	}
	if !slices.Equal(st.Missing, []string{"w2"}) || !slices.Equal(st.Unexpected, []string{"a-stranger"}) {
		t.Errorf("missing %v, unexpected %v; want w2 and a-stranger", st.Missing, st.Unexpected)
	}
	if diff := cmp.Diff([]kube.PodStatus{{Namespace: "default", Name: "coredns", Tolerates: true}}, st.ControlPlanePods); diff != "" {
		t.Errorf("pods on the control plane (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"default/dns"}, st.ControlPlaneEndpoints); diff != "" {
		t.Errorf("services with an endpoint on the control plane (-want +got):\n%s", diff)
	}
	if st.LastSnapshot != nil || st.Ready() {
		t.Errorf("snapshot %v, ready %v; want none and not ready", st.LastSnapshot, st.Ready())
	}
	if got := len(calls.take()); got != 4 {
		t.Errorf("%d calls, want 4", got)
	}
	b, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	var back kube.Status
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*st, back); diff != "" {
		t.Errorf("after JSON (-want +got):\n%s", diff)
	}
}

// endpoint gives a Service a ready endpoint in a pod of a node.
func endpoint(t *testing.T, client *kubernetes.Clientset, service, node, pod string) {
	t.Helper()
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{GenerateName: service + "-", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.42.0.9"}, NodeName: &node, TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: pod},
		}},
	}
	made, err := client.DiscoveryV1().EndpointSlices("default").Create(t.Context(), slice, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := client.DiscoveryV1().EndpointSlices("default").Delete(context.WithoutCancel(t.Context()), made.Name, metav1.DeleteOptions{})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestIntegrationLockExcludesOthers(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	bp := cluster(1)
	first, err := p.Acquire(t.Context(), s, bp, kube.LockOptions{Holder: "ann@desk:1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Acquire(t.Context(), s, bp, kube.LockOptions{Holder: "bob@desk:2"})
	var locked *kube.LockedError
	if !errors.As(err, &locked) || locked.Holder != "ann@desk:1" || !locked.Expires.After(time.Now()) {
		t.Errorf("second holder got %v, want a LockedError of ann@desk:1", err)
	}
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := p.Acquire(t.Context(), s, bp, kube.LockOptions{Holder: "bob@desk:2"})
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	if err := second.Release(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestIntegrationLockOfTheDeadIsTaken(t *testing.T) {
	api := realAPI(t)
	s := &session{kubeconfig: api.kubeconfig}
	bp := cluster(1)
	const later = time.Hour
	p := kube.New(kube.Options{})
	dead, err := p.Acquire(t.Context(), s, bp, kube.LockOptions{Holder: "dead"})
	if err != nil {
		t.Fatal(err)
	}
	abandoned := func(holder string) bool { return holder == "dead" }
	heir, err := p.Acquire(t.Context(), s, bp, kube.LockOptions{Holder: "heir", Abandoned: abandoned})
	if err != nil {
		t.Fatalf("a lock known to be abandoned: %v", err)
	}
	if err := dead.Release(t.Context()); err != nil { // it is not its own any more: must not free the heir's
		t.Error(err)
	}
	if _, err := p.Acquire(t.Context(), s, bp, kube.LockOptions{Holder: "third"}); err == nil {
		t.Error("the heir's lock was taken")
	}
	future := kube.New(kube.Options{Now: func() time.Time { return time.Now().Add(later) }})
	third, err := future.Acquire(t.Context(), s, bp, kube.LockOptions{Holder: "third"})
	if err != nil {
		t.Fatalf("an expired lock: %v", err)
	}
	for _, l := range []*kube.Lock{heir, third} {
		if err := l.Release(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestIntegrationLockHeartbeat(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{LockDuration: 5 * time.Second})
	s := &session{kubeconfig: api.kubeconfig}
	lock, err := p.Acquire(t.Context(), s, cluster(1), kube.LockOptions{Holder: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	leases := api.client.CoordinationV1().Leases("kube-system")
	start, err := leases.Get(t.Context(), "cxha", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a heartbeat", func() bool {
		now, err := leases.Get(t.Context(), "cxha", metav1.GetOptions{})
		return err == nil && now.Spec.RenewTime.After(start.Spec.RenewTime.Time)
	})
	if err := leases.Delete(t.Context(), "cxha", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-lock.Lost():
	case <-time.After(2 * time.Minute):
		t.Fatal("the loss of the lock was not noticed")
	}
	if lock.Err() == nil {
		t.Error("a lost lock has no error")
	}
	if err := lock.Release(t.Context()); err != nil {
		t.Error(err)
	}
}
