package kube_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// session is a session whose control plane host is this machine.
type session struct {
	kubeconfig string // what the probe's one command saw
	later      string // what the host has now; empty: the same
	silent     bool   // the host did not answer the probe
	exit       int    // of the command that read the kubeconfig
	gone       error  // what connecting to the host fails with
	unit       string // what the host says about RKE2's unit: name, start, now; empty: none runs

	mu       sync.Mutex // guards the rest
	down     error      // what dialling fails with
	conns    []net.Conn
	dials    int
	progress []string
	restarts []string
}

func (s *session) Host(context.Context, string) (providers.Host, error) {
	return host{s}, s.gone
}

func (s *session) Fact(host, name string) (providers.Reply, bool) {
	return providers.Reply{Stdout: s.kubeconfig, Exit: s.exit}, !s.silent && host == "cp1" && name == "kubeconfig"
}

func (s *session) Progress(addr schema.Addr, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.progress = append(s.progress, text)
}

func (s *session) said(part string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.progress, func(text string) bool { return strings.Contains(text, part) })
}

// fail makes the API server unreachable, or reachable again.
func (s *session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
	if err != nil {
		for _, c := range s.conns {
			_ = c.Close() // as a server that is gone does
		}
		s.conns = nil
	}
}

type host struct{ *session }

func (h host) Run(_ context.Context, script *shell.Script) (providers.Reply, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch text := script.Text(); {
	case strings.Contains(text, kube.Kubeconfig):
		return providers.Reply{Stdout: h.later + h.kubeconfig}, nil
	case strings.Contains(text, "systemctl is-active"):
		return providers.Reply{Stdout: h.unit}, nil
	case strings.HasPrefix(text, "systemctl restart --no-block "):
		h.restarts = append(h.restarts, strings.TrimSpace(text))
		return providers.Reply{}, nil
	default:
		return providers.Reply{}, fmt.Errorf("unexpected script %s", script)
	}
}

func (h host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.down != nil {
		return nil, h.down
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err == nil {
		h.dials++
		h.conns = append(h.conns, conn)
	}
	return conn, err
}

func (host) Close() error { return nil }

// counter counts the calls to the API server.
type counter struct {
	mu    sync.Mutex
	calls []string
}

func (c *counter) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		c.mu.Lock()
		c.calls = append(c.calls, r.Method+" "+r.URL.Path)
		c.mu.Unlock()
		return next.RoundTrip(r)
	})
}

func (c *counter) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := c.calls
	c.calls = nil
	slices.Sort(calls)
	return calls
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// cluster is a blueprint with a control plane and workers w1..wN on two sites.
func cluster(workers int) *blueprint.Blueprint {
	node := func(role blueprint.Role, name, address, site string) blueprint.Node {
		return blueprint.Node{
			Addr: schema.BlockAddr{Type: string(role), Name: name}, Role: role, Name: name, Address: netip.MustParseAddr(address), Site: site,
			SSH: blueprint.SSH{User: "ops", Port: 22},
		}
	}
	bp := &blueprint.Blueprint{
		Cluster:      blueprint.Cluster{Addr: schema.BlockAddr{Type: "cluster", Name: "cx"}, Name: "cx", SSH: blueprint.SSH{User: "ops", Port: 22, Key: "/keys/id"}},
		ControlPlane: node(blueprint.ControlPlane, "cp1", "10.10.1.10", "a"),
	}
	for i := range workers {
		bp.Workers = append(bp.Workers, node(blueprint.Worker, fmt.Sprintf("w%d", i+1), fmt.Sprintf("10.10.2.%d", i+11), "b"))
	}
	return bp
}

func compile(t *testing.T, p *kube.Provider, bp *blueprint.Blueprint) []providers.Resource {
	t.Helper()
	rs, diags := p.Compile(bp)
	if diags.HasErrors() {
		t.Fatalf("compile: %v", diags)
	}
	return rs
}

func probe(t *testing.T, p *kube.Provider, s providers.Session, bp *blueprint.Blueprint) providers.Observation {
	t.Helper()
	obs, err := p.Probe(t.Context(), s, bp, compile(t, p, bp))
	if err != nil {
		t.Fatalf("probe: %v", err)
	}
	return obs
}

// change is the change that a plan would have for a resource; found is for those that left the blueprint.
func change(t *testing.T, p *kube.Provider, bp *blueprint.Blueprint, obs providers.Observation, addr string) plans.Change {
	t.Helper()
	for _, r := range append(compile(t, p, bp), obs.Found...) {
		if r.Addr.String() == addr {
			return plans.Change{Addr: r.Addr, Before: obs.Live[r.Addr].Value, After: r.Desired, Desired: r.Desired}
		}
	}
	t.Fatalf("no resource %s", addr)
	return plans.Change{}
}

func apply(t *testing.T, p *kube.Provider, s providers.Session, c plans.Change) (cty.Value, error) {
	t.Helper()
	for _, k := range p.Kinds() {
		if k.Type().Name == c.Addr.Type {
			return k.(providers.CallKind).Apply(t.Context(), s, c)
		}
	}
	t.Fatalf("no kind %s", c.Addr.Type)
	return cty.NilVal, nil
}

// applying begins to apply a change, and sends how that ended.
func applying(t *testing.T, p *kube.Provider, s providers.Session, c plans.Change) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := apply(t, p, s, c)
		done <- err
	}()
	return done
}

// ended waits for the end of what is being applied, which has to be a good one.
func ended(t *testing.T, done <-chan error) {
	t.Helper()
	if err := <-done; err != nil {
		t.Errorf("apply: %v", err)
	}
}

// mustApply applies the change of a resource of the blueprint and checks that the next probe finds nothing left to do.
func mustApply(t *testing.T, p *kube.Provider, s providers.Session, bp *blueprint.Blueprint, addr string) {
	t.Helper()
	c := change(t, p, bp, probe(t, p, s, bp), addr)
	got, err := apply(t, p, s, c)
	if err != nil {
		t.Fatalf("apply %s: %v", addr, err)
	}
	if !got.RawEquals(c.After) {
		t.Errorf("apply %s returned %#v, want %#v", addr, got, c.After)
	}
	after := probe(t, p, s, bp)
	if live := after.Live[c.Addr]; !live.Value.RawEquals(c.After) {
		t.Errorf("after apply %s: live %#v, want %#v", addr, live, c.After)
	}
}

// empty removes what tests made.
func empty(t *testing.T, c *kubernetes.Clientset) {
	t.Helper()
	ctx := t.Context()
	now := int64(0)
	check := func(err error) {
		t.Helper()
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatalf("empty the API server: %v", err)
		}
	}
	check(c.PolicyV1().PodDisruptionBudgets("default").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	check(c.CoreV1().Pods("default").DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{}))
	check(c.CoreV1().Nodes().DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	check(c.CoreV1().ConfigMaps("kube-system").Delete(ctx, "cxha-inventory", metav1.DeleteOptions{}))
	check(c.CoordinationV1().Leases("kube-system").Delete(ctx, "cxha", metav1.DeleteOptions{}))
}

// register makes a node as an agent does, Ready or not.
func register(t *testing.T, c *kubernetes.Clientset, name, address string, ready bool) *corev1.Node {
	t.Helper()
	n, err := c.CoreV1().Nodes().Create(t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}},
	}, metav1.CreateOptions{FieldManager: "kubelet"})
	if err != nil {
		t.Fatalf("register %s: %v", name, err)
	}
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}
	return report(t, c, n, ready)
}

// report is a kubelet's report about its node.
func report(t *testing.T, c *kubernetes.Clientset, n *corev1.Node, ready bool) *corev1.Node {
	t.Helper()
	cond := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "KubeletReady"}
	if !ready {
		cond = corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionFalse, Reason: "KubeletNotReady", Message: "container runtime network not ready"}
	}
	n.Status.Conditions = []corev1.NodeCondition{cond}
	n, err := c.CoreV1().Nodes().UpdateStatus(t.Context(), n, metav1.UpdateOptions{FieldManager: "kubelet"})
	if err != nil {
		t.Fatalf("report of %s: %v", n.Name, err)
	}
	return n
}

// registerAll registers the blueprint's nodes.
func registerAll(t *testing.T, c *kubernetes.Clientset, bp *blueprint.Blueprint) {
	t.Helper()
	for _, n := range bp.Nodes() {
		register(t, c, n.Name, n.Address.String(), true)
	}
}

// pod makes a running pod on a node; edit may be nil.
func pod(t *testing.T, c *kubernetes.Clientset, name, node string, edit func(*corev1.Pod)) *corev1.Pod {
	t.Helper()
	zero := int64(0)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: "default", Labels: map[string]string{"app": name},
			OwnerReferences: []metav1.OwnerReference{owner("apps/v1", "ReplicaSet")},
		},
		// No grace: nobody here ends a pod, so the API server removes it at once.
		Spec: corev1.PodSpec{NodeName: node, TerminationGracePeriodSeconds: &zero, Containers: []corev1.Container{{Name: "main", Image: "none"}}},
	}
	if edit != nil {
		edit(p)
	}
	p, err := c.CoreV1().Pods("default").Create(t.Context(), p, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("pod %s: %v", name, err)
	}
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
	p, err = c.CoreV1().Pods("default").UpdateStatus(t.Context(), p, metav1.UpdateOptions{})
	if err != nil {
		t.Fatalf("pod %s: %v", name, err)
	}
	return p
}

func owner(version, kind string) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{APIVersion: version, Kind: kind, Name: "owner", UID: "00000000-0000-0000-0000-000000000001", Controller: &yes}
}

func tolerate(key string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Tolerations = []corev1.Toleration{{Key: key, Operator: corev1.TolerationOpExists}}
	}
}

// budget makes a disruption budget for the pod of that name, whose status is what its controller would write.
func budget(t *testing.T, c *kubernetes.Clientset, pod string, allowed int32) *policyv1.PodDisruptionBudget {
	t.Helper()
	b, err := c.PolicyV1().PodDisruptionBudgets("default").Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "keep-" + pod},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": pod}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("budget: %v", err)
	}
	return allow(t, c, b, allowed)
}

func allow(t *testing.T, c *kubernetes.Clientset, b *policyv1.PodDisruptionBudget, allowed int32) *policyv1.PodDisruptionBudget {
	t.Helper()
	b.Status = policyv1.PodDisruptionBudgetStatus{ObservedGeneration: b.Generation, DisruptionsAllowed: allowed, CurrentHealthy: 1, DesiredHealthy: 1, ExpectedPods: 1}
	b, err := c.PolicyV1().PodDisruptionBudgets("default").UpdateStatus(t.Context(), b, metav1.UpdateOptions{})
	if err != nil {
		t.Fatalf("budget status: %v", err)
	}
	return b
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if providertest.Poll(ctx, func() error {
		if ok() {
			return nil
		}
		return fmt.Errorf("not yet")
	}) != nil {
		t.Fatalf("never happened: %s", what)
	}
}
