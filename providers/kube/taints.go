package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema/blueprint"
)

const typeTaints = "kube.taints"

// isolationTaint keeps workload pods from the control plane. It is the key that RKE2's own bootstrap jobs tolerate, unlike
// the guide's node-role.kubernetes.io/master (domain.md §0.12).
var isolationTaint = corev1.Taint{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule}

type taintsKind struct{ *Provider }

// Type describes kube.taints.
func (taintsKind) Type() providers.Type {
	return providers.Type{
		Name: typeTaints,
		Doc: "The node's taints that the blueprint gives, among them the one that keeps workload pods from a control plane that is not schedulable. Taints of " +
			"others, such as not-ready and out-of-service, are left alone: the annotation " + TaintsAnnotation + " lists which are cxha's.",
		Object: cty.Object(map[string]cty.Type{
			"node":   cty.String,
			"taints": cty.List(cty.String), // key=value:effect or key:effect, sorted
		}),
		Cost: 0.1,
	}
}

func taintsValue(node string, taints []corev1.Taint) cty.Value {
	var ss []string
	for _, t := range taints {
		ss = append(ss, t.ToString())
	}
	return cty.ObjectVal(map[string]cty.Value{"node": cty.StringVal(node), "taints": listOf(ss)})
}

func desiredTaints(n blueprint.Node) []corev1.Taint {
	var taints []corev1.Taint
	for _, t := range n.Taints {
		taints = append(taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: corev1.TaintEffect(t.Effect)})
	}
	isolated := n.Role == blueprint.ControlPlane && !n.Schedulable
	if isolated && !hasTaint(taints, isolationTaint) {
		taints = append(taints, isolationTaint)
	}
	return taints
}

// parseTaint reads what taintsValue writes.
func parseTaint(s string) corev1.Taint {
	spec, effect, _ := strings.Cut(s, ":")
	key, value, _ := strings.Cut(spec, "=")
	return corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffect(effect)}
}

func parseTaints(ss []string) []corev1.Taint {
	var taints []corev1.Taint
	for _, s := range ss {
		taints = append(taints, parseTaint(s))
	}
	return taints
}

// hasTaint compares as Kubernetes does: a node has one taint of each key and effect.
func hasTaint(taints []corev1.Taint, t corev1.Taint) bool {
	return slices.ContainsFunc(taints, func(o corev1.Taint) bool { return o.Key == t.Key && o.Effect == t.Effect })
}

func (k taintsKind) live(w *world, desired cty.Value) cty.Value {
	n := w.nodes[nodeOf(desired)]
	if n == nil {
		return absent(k)
	}
	own, _ := divideTaints(n, parseTaints(texts(desired.GetAttr("taints"))))
	return taintsValue(n.Name, own)
}

// divideTaints tells the node's taints that are wanted or that cxha set from those of others.
func divideTaints(n *corev1.Node, wanted []corev1.Taint) (own, others []corev1.Taint) {
	marked := markedTaints(n)
	for _, t := range n.Spec.Taints {
		if hasTaint(wanted, t) || hasTaint(marked, t) {
			own = append(own, t)
		} else {
			others = append(others, t)
		}
	}
	return own, others
}

// markedTaints reads the annotation; the result has keys and effects only.
func markedTaints(n *corev1.Node) []corev1.Taint {
	var taints []corev1.Taint
	for s := range strings.SplitSeq(n.Annotations[TaintsAnnotation], ",") {
		if key, effect, ok := strings.Cut(s, ":"); ok {
			taints = append(taints, corev1.Taint{Key: key, Effect: corev1.TaintEffect(effect)})
		}
	}
	return taints
}

func taintMark(taints []corev1.Taint) string {
	var ss []string
	for _, t := range taints {
		ss = append(ss, t.Key+":"+string(t.Effect))
	}
	slices.Sort(ss)
	return strings.Join(ss, ",")
}

// taintConflicts is how often a node that others write to at the same time is read and patched again.
var taintConflicts = wait.Backoff{Steps: 20, Duration: 20 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Cap: time.Second}

// Apply sets the taints by a patch that holds for the version of the node that was read.
func (k taintsKind) Apply(ctx context.Context, s providers.Session, c plans.Change) (cty.Value, error) {
	name, err := target(c)
	if err != nil {
		return cty.NilVal, err
	}
	var wanted []corev1.Taint
	if !c.After.IsNull() {
		wanted = parseTaints(texts(c.After.GetAttr("taints")))
	}
	return k.apply(s, c, func(api call) (cty.Value, error) {
		err := api.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) error {
			return retry.RetryOnConflict(taintConflicts, func() error { return setTaints(ctx, client, name, wanted) })
		})
		if err != nil {
			return cty.NilVal, fmt.Errorf("node %s: taints: %w", name, err)
		}
		return taintsValue(name, wanted), nil
	})
}

func setTaints(ctx context.Context, client *kubernetes.Clientset, name string, wanted []corev1.Taint) error {
	n, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	_, others := divideTaints(n, wanted)
	var mark any // nil removes the annotation
	if len(wanted) > 0 {
		mark = taintMark(wanted)
	}
	patch := mergePatch(map[string]any{
		"metadata": map[string]any{"resourceVersion": n.ResourceVersion, "annotations": map[string]any{TaintsAnnotation: mark}},
		"spec":     map[string]any{"taints": append(others, wanted...)},
	})
	_, err = client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
	return err
}
