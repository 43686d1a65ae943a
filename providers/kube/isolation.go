package kube

import (
	"context"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubectl/pkg/drain"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
)

const typeIsolation = "kube.isolation"

// isolationKind is steps 7 and 8 of the guide as a state.
//
// Pods that tolerate the control plane's taint are not counted and not moved. The scheduler may put such a pod there at any
// time, so a plan that wanted them away could never be sure to be the last one. RKE2's CoreDNS is the one that matters
// (domain.md §6.5): what keeps it away is the node affinity of a HelmChartConfig, as in examples/worker-ha, which moves its
// pods by a rolling update of its own. Status lists the tolerating pods, so that they are seen.
//
// The control plane is not cordoned while its pods move: the taint keeps others away, and RKE2's bootstrap jobs, which
// tolerate it, must be able to run there (domain.md §0.12). A control plane that was left cordoned is put right first.
type isolationKind struct{ *Provider }

// Type describes kube.isolation.
func (isolationKind) Type() providers.Type {
	return providers.Type{
		Name: typeIsolation,
		Doc: "The control plane runs no workload pods and is not cordoned. Pods that do not tolerate its taint are evicted with their disruption budgets " +
			"respected; those of DaemonSets, static pods, ended pods and pods that tolerate the taint stay (cxha status lists the last).",
		Object: cty.Object(map[string]cty.Type{
			"node":           cty.String,
			"cordoned":       cty.Bool,
			"evictable_pods": cty.List(cty.String), // namespace/name, sorted
			"unmanaged_pods": cty.List(cty.String), // those of them that no controller would make again
		}),
		Cost: 5,
	}
}

func isolationValue(node string, cordoned bool, evictable, unmanaged []string) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"node": cty.StringVal(node), "cordoned": cty.BoolVal(cordoned), "evictable_pods": listOf(evictable), "unmanaged_pods": listOf(unmanaged),
	})
}

func (k isolationKind) live(w *world, desired cty.Value) cty.Value {
	n := w.nodes[nodeOf(desired)]
	if n == nil {
		return absent(k)
	}
	pods := w.pods[n.Name]
	return isolationValue(n.Name, n.Spec.Unschedulable, podNames(pods, displaced), podNames(pods, displaced, unmanaged))
}

// Explain says what moves, and refuses to evict pods that would be lost.
func (isolationKind) Explain(c plans.Change) (plans.Reason, error) {
	if c.Before.IsNull() || !c.Before.IsWhollyKnown() {
		return c.Reason, nil
	}
	if lost := texts(c.Before.GetAttr("unmanaged_pods")); len(lost) > 0 {
		return c.Reason, unmanagedError(attr(c.Before, "node"), lost)
	}
	var parts []string
	if c.Before.GetAttr("cordoned").True() {
		parts = append(parts, "left cordoned")
	}
	if n := len(texts(c.Before.GetAttr("evictable_pods"))); n > 0 {
		parts = append(parts, fmt.Sprintf("%d %s to move", n, plural(n, "pod", "pods")))
	}
	reason := c.Reason
	reason.Text = strings.Join(parts, ", ")
	return reason, nil
}

func unmanagedError(node string, lost []string) error {
	return fmt.Errorf("node %s: no controller would make %s again elsewhere, so evicting would lose %s: delete %s yourself, or give %s a controller or a toleration of %s",
		node, strings.Join(lost, ", "), plural(len(lost), "it", "them"), plural(len(lost), "it", "them"), plural(len(lost), "it", "them"), isolationTaint.ToString())
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// Apply uncordons the control plane and moves its pods.
func (k isolationKind) Apply(ctx context.Context, s providers.Session, c plans.Change) (cty.Value, error) {
	name, err := target(c)
	if err != nil {
		return cty.NilVal, err
	}
	return k.apply(s, c, func(api call) (cty.Value, error) {
		if err := api.cordon(ctx, name, false); err != nil {
			return cty.NilVal, err
		}
		pods, err := api.podsOn(ctx, name, displaced)
		if err != nil {
			return cty.NilVal, err
		}
		if lost := podNames(pods, unmanaged); len(lost) > 0 {
			return cty.NilVal, unmanagedError(name, lost)
		}
		if len(pods) > 0 {
			if err := api.somewhereToGo(ctx, name, len(pods)); err != nil {
				return cty.NilVal, err
			}
		}
		if err := api.evict(ctx, eviction{node: name, pods: pods, limit: api.options.EvictionTimeout}); err != nil {
			return cty.NilVal, err
		}
		return isolationValue(name, false, nil, nil), nil
	})
}

// cordon makes the node unschedulable or schedulable again.
func (c call) cordon(ctx context.Context, name string, desired bool) error {
	err := c.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
		n, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		return drain.RunCordonOrUncordon(&drain.Helper{Ctx: ctx, Client: client}, n, desired)
	})
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	return nil
}

// podsOn lists the pods of a node that fit the test.
func (c call) podsOn(ctx context.Context, name string, test func(*corev1.Pod) bool) (pods []corev1.Pod, err error) {
	err = c.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
		all, err := listPods(ctx, client, name)
		if err != nil {
			return err
		}
		pods = nil
		for i := range all {
			if test(&all[i]) {
				pods = append(pods, all[i])
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("pods of node %s: %w", name, err)
	}
	return pods, nil
}

// somewhereToGo makes sure that another node can take the pods: evicting them else only stops them.
func (c call) somewhereToGo(ctx context.Context, from string, pods int) error {
	return c.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
		list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range list.Items {
			n := &list.Items[i]
			if n.Name != from && !n.Spec.Unschedulable && isReady(n) {
				return nil
			}
		}
		return fmt.Errorf("node %s: %d %s must move, and no other node is Ready and schedulable", from, pods, plural(pods, "pod", "pods"))
	})
}
