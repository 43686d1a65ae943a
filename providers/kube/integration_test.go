package kube_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema/blueprint"
)

func TestIntegrationProbeCostsThreeCallsForAnyNumberOfNodes(t *testing.T) {
	api := realAPI(t)
	want := []string{"GET /api/v1/namespaces/kube-system/configmaps/cxha-inventory", "GET /api/v1/nodes", "GET /api/v1/pods"}
	for _, workers := range []int{1, 12} {
		empty(t, api.client)
		bp := cluster(workers)
		registerAll(t, api.client, bp)
		var calls counter
		p := kube.New(kube.Options{Wrap: calls.wrap})
		s := &session{kubeconfig: api.kubeconfig}
		obs := probe(t, p, s, bp)
		if got := calls.take(); !slices.Equal(got, want) {
			t.Errorf("%d workers: calls %v, want %v", workers, got, want)
		}
		if s.dials != 1 {
			t.Errorf("%d workers: %d connections, want 1", workers, s.dials)
		}
		for addr, live := range obs.Live {
			if addr.Type == "kube.node" && (live.Value.IsNull() || live.Value.GetAttr("ready").False()) {
				t.Errorf("%s is %#v, want it ready", addr, live)
			}
		}
	}
}

func TestIntegrationProbeOfASchedulableControlPlaneReadsNoPods(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	bp.ControlPlane.Schedulable = true
	var calls counter
	p := kube.New(kube.Options{Wrap: calls.wrap})
	probe(t, p, &session{kubeconfig: api.kubeconfig}, bp)
	if got := calls.take(); slices.Contains(got, "GET /api/v1/pods") {
		t.Errorf("calls %v, want none for pods", got)
	}
}

func TestIntegrationProbeWritesNothing(t *testing.T) {
	api := realAPI(t)
	bp := cluster(2)
	registerAll(t, api.client, bp)
	var calls counter
	p := kube.New(kube.Options{Wrap: calls.wrap})
	probe(t, p, &session{kubeconfig: api.kubeconfig}, bp)
	for _, call := range calls.take() {
		if !strings.HasPrefix(call, "GET ") {
			t.Errorf("a probe made the call %s", call)
		}
	}
}

func TestIntegrationNodeIsAwaited(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	c := change(t, p, bp, probe(t, p, s, bp), "worker.w1/kube.node")
	if !c.Before.IsNull() {
		t.Fatalf("an unregistered node is %#v, want null", c.Before)
	}
	done := applying(t, p, s, c)
	eventually(t, "progress: not registered", func() bool { return s.said("not registered yet") })
	n := register(t, api.client, "w1", "10.10.2.11", false)
	eventually(t, "progress: the condition's reason", func() bool { return s.said("KubeletNotReady: container runtime network not ready") })
	report(t, api.client, n, true)
	ended(t, done)
}

func TestIntegrationNodeThatWasDeletedIsMadeToRegister(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig, unit: "rke2-agent\nSun 2026-11-22 08:00:00 UTC\n1795338000\n"}
	c := change(t, p, bp, probe(t, p, s, bp), "worker.w1/kube.node")
	done := applying(t, p, s, c)
	eventually(t, "progress: it restarts", func() bool { return s.said("not registered, though rke2-agent has run for 1h0m0s: it restarts") })
	register(t, api.client, "w1", "10.10.2.11", true)
	ended(t, done)
	if want := []string{"systemctl restart --no-block rke2-agent.service"}; !slices.Equal(s.restarts, want) {
		t.Errorf("restarts %v, want %v", s.restarts, want)
	}
}

func TestIntegrationNodeOutlivesARestartOfTheAPI(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	c := change(t, p, bp, probe(t, p, s, bp), "worker.w1/kube.node")
	done := applying(t, p, s, c)
	eventually(t, "progress", func() bool { return s.said("not registered yet") })
	s.fail(errors.New("connect failed: Connection refused"))
	register(t, api.client, "w1", "10.10.2.11", true)
	eventually(t, "progress about the API", func() bool { return s.said("waiting for the Kubernetes API: the API server does not answer") })
	s.fail(nil)
	ended(t, done)
}

func TestIntegrationNodeTimeoutNamesTheCondition(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	p := kube.New(kube.Options{NodeTimeout: 1500 * time.Millisecond})
	s := &session{kubeconfig: api.kubeconfig}
	register(t, api.client, "w1", "10.10.2.11", false)
	_, err := apply(t, p, s, change(t, p, bp, probe(t, p, s, bp), "worker.w1/kube.node"))
	want := "node w1: not Ready after 1.5s: not Ready: KubeletNotReady: container runtime network not ready"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestIntegrationKubeconfigIsReadDuringTheApply(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	p := kube.New(kube.Options{})
	s := &session{later: api.kubeconfig}
	obs := probe(t, p, s, bp)
	for addr, live := range obs.Live {
		if live.Unknown != "" || !live.Value.IsNull() {
			t.Errorf("%s is %#v before RKE2 was ever started, want null", addr, live)
		}
	}
	registerAll(t, api.client, bp)
	if _, err := apply(t, p, s, change(t, p, bp, obs, "worker.w1/kube.node")); err != nil {
		t.Errorf("apply: %v", err)
	}
}

func TestIntegrationLabels(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	bp.Workers[0].Labels = map[string]string{"tier": "core", "rack": "7"}
	registerAll(t, api.client, bp)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	const addr = "worker.w1/kube.labels"
	labels := func() map[string]string {
		n, err := api.client.CoreV1().Nodes().Get(t.Context(), "w1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return n.Labels
	}
	patch := func(text string) {
		t.Helper()
		if _, err := api.client.CoreV1().Nodes().Patch(t.Context(), "w1", types.MergePatchType, []byte(text), metav1.PatchOptions{FieldManager: "somebody"}); err != nil {
			t.Fatal(err)
		}
	}
	// kubelet registers with one of the labels: cxha must still remove it later.
	patch(`{"metadata":{"labels":{"tier":"core","foreign":"yes"}}}`)
	mustApply(t, p, s, bp, addr)
	want := map[string]string{
		"kubernetes.io/hostname": "w1", "foreign": "yes", "tier": "core", "rack": "7", "cxha.io/cluster": "cx",
		"topology.kubernetes.io/zone": "b", "node-role.kubernetes.io/worker": "true",
	}
	if diff := cmp.Diff(want, labels()); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}

	patch(`{"metadata":{"labels":{"rack":"8","topology.kubernetes.io/zone":null}}}`)
	mustApply(t, p, s, bp, addr)
	if diff := cmp.Diff(want, labels()); diff != "" {
		t.Errorf("labels after drift (-want +got):\n%s", diff)
	}

	bp.Workers[0].Labels = nil
	mustApply(t, p, s, bp, addr)
	delete(want, "tier")
	delete(want, "rack")
	if diff := cmp.Diff(want, labels()); diff != "" {
		t.Errorf("labels that left the blueprint (-want +got):\n%s", diff)
	}
}

func TestIntegrationLabelsDoNotMakeANode(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	_, err := apply(t, p, s, change(t, p, bp, probe(t, p, s, bp), "worker.w1/kube.labels"))
	if err == nil || !strings.Contains(err.Error(), "node w1: labels:") {
		t.Errorf("error %v, want one about node w1", err)
	}
	if _, err := api.client.CoreV1().Nodes().Get(t.Context(), "w1", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("node w1: %v, want not found", err)
	}
}

func TestIntegrationTaints(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	bp.ControlPlane.Taints = []blueprint.Taint{{Key: "own", Value: "x", Effect: "NoExecute"}}
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	registerAll(t, api.client, bp)
	const addr = "control_plane.cp1/kube.taints"
	taints := func() []string {
		n, err := api.client.CoreV1().Nodes().Get(t.Context(), "cp1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var ss []string
		for _, taint := range n.Spec.Taints {
			ss = append(ss, taint.ToString())
		}
		slices.Sort(ss)
		return ss
	}
	foreign := corev1.Taint{Key: "node.kubernetes.io/out-of-service", Value: "nodeshutdown", Effect: "NoExecute"}
	n, err := api.client.CoreV1().Nodes().Get(t.Context(), "cp1", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	n.Spec.Taints = append(n.Spec.Taints, foreign)
	if _, err := api.client.CoreV1().Nodes().Update(t.Context(), n, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	started := taints() // the API server's own admission adds not-ready

	mustApply(t, p, s, bp, addr)
	want := append(slices.Clone(started), "node-role.kubernetes.io/control-plane:NoSchedule", "own=x:NoExecute")
	slices.Sort(want)
	if diff := cmp.Diff(want, taints()); diff != "" {
		t.Errorf("taints (-want +got):\n%s", diff)
	}
	bp.ControlPlane.Taints, bp.ControlPlane.Schedulable = nil, true
	mustApply(t, p, s, bp, addr)
	if diff := cmp.Diff(started, taints()); diff != "" {
		t.Errorf("taints that left the blueprint (-want +got):\n%s", diff)
	}
}

func TestIntegrationIsolationMovesWhatDoesNotTolerate(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	registerAll(t, api.client, bp)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	pod(t, api.client, "web", "cp1", nil)
	pod(t, api.client, "elsewhere", "w1", nil)
	pod(t, api.client, "coredns", "cp1", tolerate("node-role.kubernetes.io/control-plane"))
	pod(t, api.client, "agent", "cp1", func(p *corev1.Pod) { p.OwnerReferences = []metav1.OwnerReference{owner("apps/v1", "DaemonSet")} })
	pod(t, api.client, "static", "cp1", func(p *corev1.Pod) {
		p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		p.OwnerReferences = nil
	})
	ended := pod(t, api.client, "job", "cp1", nil)
	ended.Status.Phase = corev1.PodSucceeded
	if _, err := api.client.CoreV1().Pods("default").UpdateStatus(t.Context(), ended, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.client.CoreV1().Nodes().Patch(t.Context(), "cp1", types.MergePatchType, []byte(`{"spec":{"unschedulable":true}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	const addr = "control_plane.cp1/kube.isolation"
	c := change(t, p, bp, probe(t, p, s, bp), addr)
	if got := c.Before.GetAttr("evictable_pods").LengthInt(); got != 1 || c.Before.GetAttr("cordoned").False() {
		t.Errorf("live %#v, want cordoned and one evictable pod", c.Before)
	}
	mustApply(t, p, s, bp, addr)
	list, err := api.client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, p := range list.Items {
		left = append(left, p.Name)
	}
	if want := []string{"agent", "coredns", "elsewhere", "job", "static"}; !slices.Equal(left, want) {
		t.Errorf("pods left %v, want %v", left, want)
	}
}

func TestIntegrationIsolationWaitsForTheBudget(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	registerAll(t, api.client, bp)
	pod(t, api.client, "web", "cp1", nil)
	b := budget(t, api.client, "web", 0)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	c := change(t, p, bp, probe(t, p, s, bp), "control_plane.cp1/kube.isolation")
	done := applying(t, p, s, c)
	eventually(t, "progress about the budget", func() bool {
		return s.said("1 pod left: waiting for PodDisruptionBudget default/keep-web, which needs 1 healthy pods and has 1 currently (pod default/web)")
	})
	allow(t, api.client, b, 1)
	ended(t, done)
}

// A budget whose controller has not seen its newest version is answered with a proposal to wait for 10 s, which client-go
// would follow ten times before it says anything.
func TestIntegrationIsolationAsksABudgetInWorkAgainSoon(t *testing.T) {
	api := realAPI(t)
	bp := cluster(1)
	registerAll(t, api.client, bp)
	pod(t, api.client, "web", "cp1", nil)
	b := budget(t, api.client, "web", 0)
	one := intstr.FromInt32(1)
	b.Spec.MaxUnavailable = &one
	b, err := api.client.PolicyV1().PodDisruptionBudgets("default").Update(t.Context(), b, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	c := change(t, p, bp, probe(t, p, s, bp), "control_plane.cp1/kube.isolation")
	done := applying(t, p, s, c)
	eventually(t, "progress about the budget", func() bool {
		return s.said("waiting for PodDisruptionBudget default/keep-web, which is still being processed by the server (pod default/web)")
	})
	allow(t, api.client, b, 1)
	ended(t, done)
}

func TestIntegrationIsolationFails(t *testing.T) {
	api := realAPI(t)
	tests := map[string]struct {
		arrange func(t *testing.T)
		want    string
	}{
		"budget never allows": {
			arrange: func(t *testing.T) {
				register(t, api.client, "w1", "10.10.2.11", true)
				pod(t, api.client, "web", "cp1", nil)
				budget(t, api.client, "web", 0)
			},
			want: "node cp1: no pod left the node for 700ms: 1 pod left: waiting for PodDisruptionBudget default/keep-web, which needs 1 healthy pods and has 1 currently (pod default/web)",
		},
		"no worker is ready": {
			arrange: func(t *testing.T) {
				register(t, api.client, "w1", "10.10.2.11", false)
				pod(t, api.client, "web", "cp1", nil)
			},
			want: "node cp1: 1 pod must move, and no other node is Ready and schedulable",
		},
		"a pod without a controller": {
			arrange: func(t *testing.T) {
				register(t, api.client, "w1", "10.10.2.11", true)
				pod(t, api.client, "bare", "cp1", func(p *corev1.Pod) { p.OwnerReferences = nil })
			},
			want: "node cp1: no controller would make default/bare again elsewhere",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			empty(t, api.client)
			bp := cluster(1)
			register(t, api.client, "cp1", "10.10.1.10", true)
			test.arrange(t)
			p := kube.New(kube.Options{EvictionTimeout: 700 * time.Millisecond})
			s := &session{kubeconfig: api.kubeconfig}
			_, err := apply(t, p, s, change(t, p, bp, probe(t, p, s, bp), "control_plane.cp1/kube.isolation"))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestIntegrationInventory(t *testing.T) {
	api := realAPI(t)
	bp := cluster(2)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	mustApply(t, p, s, bp, "cluster.cx/kube.inventory")
	if _, err := api.client.CoreV1().ConfigMaps("kube-system").Patch(t.Context(), "cxha-inventory", types.MergePatchType,
		[]byte(`{"data":{"w1":"nonsense","w2":null}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	mustApply(t, p, s, bp, "cluster.cx/kube.inventory")
}
