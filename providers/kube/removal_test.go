package kube_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema/blueprint"
)

// joined brings a blueprint's cluster into the state that an apply leaves.
func joined(t *testing.T, api *apiServer, p *kube.Provider, s *session, bp *blueprint.Blueprint) {
	t.Helper()
	registerAll(t, api.client, bp)
	for _, r := range compile(t, p, bp) {
		mustApply(t, p, s, bp, r.Addr.String())
	}
}

func TestIntegrationWorkerThatLeftIsRemoved(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	bp := cluster(2)
	joined(t, api, p, s, bp)
	register(t, api.client, "stranger", "10.10.9.9", true)
	if _, err := api.client.CoreV1().Secrets("kube-system").Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "w2.node-password.rke2"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pod(t, api.client, "web", "w2", nil)
	pod(t, api.client, "bare", "w2", func(p *corev1.Pod) { p.OwnerReferences = nil })
	if obs := probe(t, p, s, bp); len(obs.Found) != 0 || len(obs.Hosts) != 0 {
		t.Errorf("found %v, %v while the blueprint has everything", obs.Found, obs.Hosts)
	}

	bp = cluster(1) // w2 left
	obs := probe(t, p, s, bp)
	want := `worker.w2/kube.drain <- control_plane.cp1/kube.node <- worker.w1/kube.node
worker.w2/kube.inventory <- worker.w2/rke2.install
worker.w2/kube.node <- worker.w2/kube.drain
worker.w2/rke2.install <- worker.w2/kube.node
`
	if diff := cmp.Diff(want, edges(obs.Found)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	wantHosts := []providers.HostSpec{{Name: "w2", Address: "10.10.2.12", SSH: blueprint.SSH{User: "ops", Port: 22, Key: "/keys/id"}}}
	if diff := cmp.Diff(wantHosts, obs.Hosts); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
	drained := change(t, p, bp, obs, "worker.w2/kube.drain")
	if got := drained.Before.GetAttr("unmanaged_pods").LengthInt(); got != 1 {
		t.Errorf("%d pods would be lost, want 1", got)
	}
	for _, addr := range []string{"worker.w2/kube.drain", "worker.w2/kube.node", "worker.w2/kube.inventory"} {
		if _, err := apply(t, p, s, change(t, p, bp, obs, addr)); err != nil {
			t.Fatalf("apply %s: %v", addr, err)
		}
		now := probe(t, p, s, bp)
		for _, r := range now.Found {
			if live, ok := now.Live[r.Addr]; ok && r.Addr.String() == addr && !live.Value.IsNull() {
				t.Errorf("after %s: still %#v", addr, live.Value)
			}
		}
	}
	if obs := probe(t, p, s, bp); len(obs.Found) != 0 || len(obs.Hosts) != 0 {
		t.Errorf("found %s, %v after the removal", edges(obs.Found), obs.Hosts)
	}
	if _, err := api.client.CoreV1().Secrets("kube-system").Get(t.Context(), "w2.node-password.rke2", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the node's password secret: %v, want not found", err)
	}
	if _, err := api.client.CoreV1().Nodes().Get(t.Context(), "stranger", metav1.GetOptions{}); err != nil {
		t.Errorf("a node without cxha's mark: %v", err)
	}
}

func TestIntegrationDrainStopsAtPodsThatNobodyApproved(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	joined(t, api, p, s, cluster(2))
	bp := cluster(1)
	c := change(t, p, bp, probe(t, p, s, bp), "worker.w2/kube.drain")
	pod(t, api.client, "late", "w2", func(p *corev1.Pod) { p.OwnerReferences = nil })
	_, err := apply(t, p, s, c)
	if want := "node w2: default/late came after the removal was planned"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	if _, err := api.client.CoreV1().Pods("default").Get(t.Context(), "late", metav1.GetOptions{}); err != nil {
		t.Errorf("pod late: %v", err)
	}
}

func TestIntegrationDrainOfADeadNodeEndsWithAHint(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{DeadNodeTimeout: 700 * time.Millisecond})
	s := &session{kubeconfig: api.kubeconfig}
	joined(t, api, p, s, cluster(2))
	n, err := api.client.CoreV1().Nodes().Get(t.Context(), "w2", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	report(t, api.client, n, false)
	// A pod with grace stays until its kubelet has ended it, which is never.
	pod(t, api.client, "stuck", "w2", func(p *corev1.Pod) { grace := int64(30); p.Spec.TerminationGracePeriodSeconds = &grace })
	bp := cluster(1)
	_, err = apply(t, p, s, change(t, p, bp, probe(t, p, s, bp), "worker.w2/kube.drain"))
	for _, want := range []string{"node w2: no pod left the node for 700ms: 1 pod left: waiting for the end of default/stuck", "kubectl taint nodes w2 node.kubernetes.io/out-of-service"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// The containers of a pod that is evicted end before the kubelet has put away what it had; only then the node can go.
func TestIntegrationDrainWaitsForPodsWhoseContainersHaveEnded(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{EvictionTimeout: 2 * time.Second})
	s := &session{kubeconfig: api.kubeconfig}
	joined(t, api, p, s, cluster(2))
	pod(t, api.client, "web", "w2", func(p *corev1.Pod) { grace := int64(30); p.Spec.TerminationGracePeriodSeconds = &grace })
	bp := cluster(1)
	c := change(t, p, bp, probe(t, p, s, bp), "worker.w2/kube.drain")
	done := applying(t, p, s, c)
	eventually(t, "the eviction", func() bool { return s.said("1 pod left: waiting for the end of default/web") })
	patch := []byte(`{"status":{"phase":"Succeeded"}}`)
	if _, err := api.client.CoreV1().Pods("default").Patch(t.Context(), "web", types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	if err, want := <-done, "no pod left the node for 2s: 1 pod left: waiting for the end of default/web"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestIntegrationFoundByLabelAlone(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	joined(t, api, p, s, cluster(2))
	if err := api.client.CoreV1().ConfigMaps("kube-system").Delete(t.Context(), "cxha-inventory", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	obs := probe(t, p, s, cluster(1))
	var found []string
	for _, r := range obs.Found {
		found = append(found, r.Addr.String())
	}
	if want := []string{"worker.w2/kube.drain", "worker.w2/kube.node", "worker.w2/rke2.install"}; !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	if len(obs.Hosts) != 1 || obs.Hosts[0].Address != "10.10.2.12" {
		t.Errorf("hosts %v, want w2 at its InternalIP", obs.Hosts)
	}
}

func TestIntegrationFoundByInventoryAlone(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	joined(t, api, p, s, cluster(2))
	if err := api.client.CoreV1().Nodes().Delete(t.Context(), "w2", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	const hostOnly = "worker.w2/kube.inventory <- worker.w2/rke2.install\nworker.w2/rke2.install\n"
	if diff := cmp.Diff(hostOnly, edges(probe(t, p, s, cluster(1)).Found)); diff != "" {
		t.Errorf("node gone (-want +got):\n%s", diff)
	}
	register(t, api.client, "w2", "10.10.7.7", true) // somebody else's node of that name
	if diff := cmp.Diff(hostOnly, edges(probe(t, p, s, cluster(1)).Found)); diff != "" {
		t.Errorf("another node of that name (-want +got):\n%s", diff)
	}
}

func TestIntegrationWorkerThatBecameStandbyKeepsItsHost(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	was := cluster(2)
	joined(t, api, p, s, was)
	bp := cluster(1)
	standby := was.Workers[1]
	standby.Role, standby.Addr.Type = blueprint.Standby, "standby"
	bp.Standbys = []blueprint.Node{standby}
	obs := probe(t, p, s, bp)
	want := `standby.w2/rke2.install <- worker.w2/kube.node
worker.w2/kube.drain <- control_plane.cp1/kube.node <- worker.w1/kube.node
worker.w2/kube.inventory <- standby.w2/rke2.install
worker.w2/kube.node <- worker.w2/kube.drain
`
	if diff := cmp.Diff(want, edges(obs.Found)); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if len(obs.Hosts) != 0 {
		t.Errorf("hosts %v, want none: the blueprint knows it", obs.Hosts)
	}
}

// A machine that is to get another name is drained before RKE2 starts there under it; once it has joined so, its old pods have ended.
func TestIntegrationMachineUnderANewName(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	joined(t, api, p, s, cluster(2))
	bp := cluster(2)
	bp.Workers[1].Name, bp.Workers[1].Addr.Name = "renamed", "renamed"
	obs := probe(t, p, s, bp)
	want := `worker.w2/kube.drain <- control_plane.cp1/kube.node <- worker.w1/kube.node
worker.w2/kube.inventory <- worker.w2/kube.node
worker.w2/kube.node <- control_plane.cp1/kube.node <- worker.w1/kube.node <- worker.renamed/kube.node <- worker.w2/kube.drain
`
	if diff := cmp.Diff(want, edges(obs.Found)); diff != "" {
		t.Errorf("found before it joined (-want +got):\n%s", diff)
	}
	var before []string
	for _, r := range obs.Found {
		for _, e := range r.Before {
			before = append(before, r.Addr.String()+" before "+e.To.String())
		}
	}
	wantBefore := []string{"worker.w2/kube.drain before worker.renamed/rke2.config", "worker.w2/kube.drain before worker.renamed/rke2.service"}
	if diff := cmp.Diff(wantBefore, before); diff != "" {
		t.Errorf("what waits for the drain (-want +got):\n%s", diff)
	}

	register(t, api.client, "renamed", bp.Workers[1].Address.String(), true)
	want = "worker.w2/kube.inventory <- worker.w2/kube.node\nworker.w2/kube.node <- control_plane.cp1/kube.node <- worker.w1/kube.node <- worker.renamed/kube.node\n"
	if diff := cmp.Diff(want, edges(probe(t, p, s, bp).Found)); diff != "" {
		t.Errorf("found after it joined (-want +got):\n%s", diff)
	}
}

// Two machines that change their names at once do not wait for each other.
func TestIntegrationTwoMachinesUnderNewNames(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	joined(t, api, p, s, cluster(2))
	bp := cluster(2)
	bp.Workers[0].Name, bp.Workers[0].Addr.Name = "one", "one"
	bp.Workers[1].Name, bp.Workers[1].Addr.Name = "two", "two"
	for _, r := range probe(t, p, s, bp).Found {
		if r.Addr.Type != "kube.drain" {
			continue
		}
		for _, e := range r.After {
			if e.To.Block.Type == "worker" {
				t.Errorf("%s waits for %s, which waits for a drain", r.Addr, e.To)
			}
		}
	}
}

// A control plane that is called by another name is refused by others; what is found makes no circle with the workers, which wait for it.
func TestIntegrationControlPlaneUnderANewName(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	joined(t, api, p, s, cluster(2))
	bp := cluster(2)
	bp.ControlPlane.Name, bp.ControlPlane.Addr.Name = "renamed", "renamed"
	for _, r := range probe(t, p, s, bp).Found {
		if len(r.Before) > 0 || r.Addr.Type == "kube.drain" {
			t.Errorf("%s is found, before %v", r.Addr, r.Before)
		}
	}
}

// The block stays, and its attribute name gives its node another one: the old node has no block of its own.
func TestIntegrationBlockWithANewName(t *testing.T) {
	api := realAPI(t)
	p := kube.New(kube.Options{})
	s := &session{kubeconfig: api.kubeconfig}
	joined(t, api, p, s, cluster(2))
	bp := cluster(2)
	bp.Workers[1].Name = "renamed"
	var addresses []string
	for _, r := range probe(t, p, s, bp).Found {
		addresses = append(addresses, r.Addr.String())
	}
	slices.Sort(addresses)
	want := []string{`worker.removed["w2"]/kube.drain`, `worker.removed["w2"]/kube.inventory`, `worker.removed["w2"]/kube.node`}
	if diff := cmp.Diff(want, addresses); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
}
