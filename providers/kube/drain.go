package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
)

const typeDrain = "kube.drain"

// drainKind is what a worker that left the blueprint still carries. It is absent when the node is cordoned and its pods are
// gone, so a run that was cut off goes on where it stood.
type drainKind struct{ *Provider }

// Type describes kube.drain.
func (drainKind) Type() providers.Type {
	return providers.Type{
		Name: typeDrain,
		Doc: "The pods of a worker that left the blueprint. Removing it means: cordon the node and evict its pods with their disruption budgets respected; " +
			"pods of DaemonSets stay, data in emptyDir volumes and pods without a controller are lost.",
		Object: cty.Object(map[string]cty.Type{
			"node":           cty.String,
			"unmanaged_pods": cty.List(cty.String), // pods that no controller makes again: they are lost
		}),
		Cost: 60,
	}
}

// live is called for blueprint's resources only, and the blueprint never wants a drain.
func (k drainKind) live(*world, cty.Value) cty.Value { return absent(k) }

// drainValue is what is left to drain.
func drainValue(n *corev1.Node, pods []corev1.Pod) cty.Value {
	if n.Spec.Unschedulable && len(podNames(pods, movable)) == 0 {
		return cty.NullVal(drainKind{}.Type().Object)
	}
	return cty.ObjectVal(map[string]cty.Value{"node": cty.StringVal(n.Name), "unmanaged_pods": listOf(podNames(pods, movable, unmanaged))})
}

// Explain names what is lost.
func (drainKind) Explain(c plans.Change) (plans.Reason, error) {
	reason := c.Reason
	if c.Before.IsNull() || !c.Before.IsWhollyKnown() {
		return reason, nil
	}
	if n := len(texts(c.Before.GetAttr("unmanaged_pods"))); n > 0 {
		reason.Text = fmt.Sprintf("%d %s without a controller will be lost", n, plural(n, "pod", "pods"))
	}
	return reason, nil
}

// Apply drains the node of Before. Pods that would be lost and are not in Before, which somebody approved, stop it.
func (k drainKind) Apply(ctx context.Context, s providers.Session, c plans.Change) (cty.Value, error) {
	if !c.After.IsNull() {
		return cty.NilVal, errors.New("kube.drain: a drain cannot be created; this is a bug in cxha")
	}
	name, err := target(c)
	if err != nil {
		return cty.NilVal, err
	}
	return k.apply(s, c, func(api call) (cty.Value, error) {
		n, err := api.node(ctx, name)
		if err != nil || n == nil {
			return absent(k), err
		}
		if err := api.cordonForRemoval(ctx, name); err != nil {
			return cty.NilVal, err
		}
		pods, err := api.podsOn(ctx, name, movable)
		if err != nil {
			return cty.NilVal, err
		}
		if lost := newlyLost(pods, texts(c.Before.GetAttr("unmanaged_pods"))); len(lost) > 0 {
			return cty.NilVal, fmt.Errorf("node %s: %s came after the removal was planned and would be lost: no controller makes %s again. Plan anew, or move or delete %s",
				name, strings.Join(lost, ", "), plural(len(lost), "it", "them"), plural(len(lost), "it", "them"))
		}
		return absent(k), api.drain(ctx, n, pods)
	})
}

func newlyLost(pods []corev1.Pod, approved []string) []string {
	return slices.DeleteFunc(podNames(pods, unmanaged), func(name string) bool { return slices.Contains(approved, name) })
}

// drain evicts the pods. On a node whose kubelet does not answer, evicted pods never end, so the wait is short there.
func (c call) drain(ctx context.Context, n *corev1.Node, pods []corev1.Pod) error {
	e := eviction{node: n.Name, pods: pods, limit: c.options.EvictionTimeout}
	alive := isReady(n)
	if !alive {
		e.limit = c.options.DeadNodeTimeout
	}
	err := c.evict(ctx, e)
	if err != nil && !alive && ctx.Err() == nil {
		return fmt.Errorf("%w. The node is not Ready, so nobody ends its pods. If the machine is off for good, say so with "+
			"`kubectl taint nodes %s node.kubernetes.io/out-of-service=nodeshutdown:NoExecute` and apply again; if it still runs, bring it back first", err, n.Name)
	}
	return err
}

// cordonForRemoval cordons a node and marks it in the same step, so that it is made schedulable again if its block comes back. A node
// that somebody else cordoned is left as theirs.
func (c call) cordonForRemoval(ctx context.Context, name string) error {
	return c.patchNode(ctx, name, func(n *corev1.Node) map[string]any {
		if n.Spec.Unschedulable {
			return nil
		}
		return map[string]any{"metadata": map[string]any{"annotations": map[string]any{CordonAnnotation: "removal"}}, "spec": map[string]any{"unschedulable": true}}
	})
}

// uncordonAfterRemoval takes back what cordonForRemoval did.
func (c call) uncordonAfterRemoval(ctx context.Context, name string) error {
	return c.patchNode(ctx, name, func(n *corev1.Node) map[string]any {
		if !leftCordoned(n) {
			return nil
		}
		return map[string]any{"metadata": map[string]any{"annotations": map[string]any{CordonAnnotation: nil}}, "spec": map[string]any{"unschedulable": nil}}
	})
}

// leftCordoned reports whether a removal that was not finished cordoned the node.
func leftCordoned(n *corev1.Node) bool {
	return n.Spec.Unschedulable && n.Annotations[CordonAnnotation] != ""
}

// patchNode applies the patch that change returns for a node as it is; nil: none is needed.
func (c call) patchNode(ctx context.Context, name string, change func(*corev1.Node) map[string]any) error {
	err := c.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
		n, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		patch := change(n)
		if patch == nil {
			return nil
		}
		_, err = client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, mergePatch(patch), metav1.PatchOptions{FieldManager: FieldManager})
		return err
	})
	if err != nil {
		return fmt.Errorf("node %s: %w", name, err)
	}
	return nil
}

// node reads a node; nil means that there is none.
func (c call) node(ctx context.Context, name string) (n *corev1.Node, err error) {
	err = c.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) (err error) {
		n, err = client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", name, err)
	}
	return n, nil
}
