package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/addons"
	"github.com/expertflow/cxha/schema/blueprint"
)

const (
	typeLabels = "kube.labels"

	zoneLabel       = "topology.kubernetes.io/zone"
	workerRoleLabel = "node-role.kubernetes.io/worker"
)

type labelsKind struct{ *Provider }

// Type describes kube.labels.
func (labelsKind) Type() providers.Type {
	return providers.Type{
		Name: typeLabels,
		Doc: "The node's labels that the blueprint gives: site, role, cluster and own ones. Labels of others are left alone; where somebody else " +
			"gave one of these another value, the blueprint's value is put back.",
		Object: cty.Object(map[string]cty.Type{
			"node":   cty.String,
			"labels": cty.Map(cty.String), // only those that the blueprint wants or that cxha set earlier
		}),
		Cost: 0.1,
	}
}

func labelsValue(node string, labels map[string]string) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"node": cty.StringVal(node), "labels": mapOf(labels)})
}

// desiredLabels are the labels of a node. The role label of workers is set here because kubelet may not give itself labels
// under node-role.kubernetes.io (domain.md §9.1).
func desiredLabels(bp *blueprint.Blueprint, n blueprint.Node) map[string]string {
	labels := maps.Clone(n.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, addons.NodeLabels(bp, n))
	labels[ClusterLabel] = bp.Cluster.Name
	if n.Site != "" {
		labels[zoneLabel] = n.Site
	}
	if n.Role == blueprint.Worker {
		labels[workerRoleLabel] = "true"
	}
	return labels
}

func (k labelsKind) live(w *world, desired cty.Value) cty.Value {
	n := w.nodes[nodeOf(desired)]
	if n == nil {
		return absent(k)
	}
	return labelsValue(n.Name, managedLabels(n, textMap(desired.GetAttr("labels"))))
}

// managedLabels are the node's labels that are wanted or that cxha set.
func managedLabels(n *corev1.Node, wanted map[string]string) map[string]string {
	live := map[string]string{}
	for key := range wanted {
		if v, ok := n.Labels[key]; ok {
			live[key] = v
		}
	}
	for _, key := range ownedLabels(n.ManagedFields) {
		if v, ok := n.Labels[key]; ok {
			live[key] = v
		}
	}
	return live
}

// ownedLabels are the keys of labels that cxha's server-side apply set. Entries that cannot be read own nothing.
func ownedLabels(managed []metav1.ManagedFieldsEntry) []string {
	var owned []string
	for _, entry := range managed {
		if entry.Manager != FieldManager || entry.Operation != metav1.ManagedFieldsOperationApply || entry.FieldsV1 == nil {
			continue
		}
		var set fieldpath.Set
		if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			continue
		}
		labels := set.WithPrefix(field("metadata")).WithPrefix(field("labels"))
		labels.Members.Iterate(func(e fieldpath.PathElement) {
			if e.FieldName != nil {
				owned = append(owned, *e.FieldName)
			}
		})
	}
	slices.Sort(owned)
	return slices.Compact(owned)
}

func field(name string) fieldpath.PathElement { return fieldpath.PathElement{FieldName: &name} }

// Apply sets the labels by server-side apply and takes them from whoever gave them another value: the blueprint decides.
func (k labelsKind) Apply(ctx context.Context, s providers.Session, c plans.Change) (cty.Value, error) {
	name, err := target(c)
	if err != nil {
		return cty.NilVal, err
	}
	wanted := map[string]string{}
	if !c.After.IsNull() {
		wanted = textMap(c.After.GetAttr("labels"))
	}
	var n *corev1.Node
	return k.apply(s, c, func(api call) (cty.Value, error) {
		err := api.do(ctx, func(ctx context.Context, client *kubernetes.Clientset) (err error) {
			n, err = setLabels(ctx, client, name, wanted)
			return err
		})
		if err != nil {
			return cty.NilVal, fmt.Errorf("node %s: labels: %w", name, err)
		}
		return labelsValue(name, managedLabels(n, wanted)), nil
	})
}

func setLabels(ctx context.Context, client *kubernetes.Clientset, name string, wanted map[string]string) (*corev1.Node, error) {
	nodes := client.CoreV1().Nodes()
	n, err := nodes.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	// What leaves is removed first and by a patch: giving up a label that somebody else set too, such as kubelet at its
	// registration, would leave it there, and nothing would tell afterwards that it was cxha's.
	if leaving := without(ownedLabels(n.ManagedFields), wanted); len(leaving) > 0 {
		if _, err := nodes.Patch(ctx, name, types.MergePatchType, removeLabels(leaving), metav1.PatchOptions{FieldManager: FieldManager}); err != nil {
			return nil, err
		}
	}
	// The UID keeps the apply from making a node anew that was deleted in between.
	config := applycorev1.Node(name).WithUID(n.UID).WithLabels(wanted)
	return nodes.Apply(ctx, config, metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
}

func without(owned []string, wanted map[string]string) []string {
	return slices.DeleteFunc(owned, func(key string) bool {
		_, keep := wanted[key]
		return keep
	})
}

func removeLabels(names []string) []byte {
	labels := map[string]any{}
	for _, key := range names {
		labels[key] = nil
	}
	return mergePatch(map[string]any{"metadata": map[string]any{"labels": labels}})
}

// mergePatch encodes a patch that is made of maps, strings and API types only.
func mergePatch(patch map[string]any) []byte {
	b, err := json.Marshal(patch)
	if err != nil {
		panic(fmt.Sprintf("merge patch: %v; this is a bug in cxha", err))
	}
	return b
}
