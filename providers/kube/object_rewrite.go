package kube

import (
	"context"
	"encoding/json"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// application is an object that is to be applied.
type application struct {
	body   *unstructured.Unstructured
	live   *unstructured.Unstructured // nil: it is not there
	dryRun []string
}

// applyTo applies an object by server-side apply. It returns what the API server made of it.
func applyTo(ctx context.Context, api dynamic.ResourceInterface, a application) (*unstructured.Unstructured, error) {
	applied, err := a.apply(ctx, api)
	if !apierrors.IsInvalid(err) || a.live == nil {
		return applied, err
	}
	for _, whole := range []bool{false, true} {
		written, writeErr := a.write(ctx, api, whole)
		switch {
		case apierrors.IsInvalid(writeErr):
			continue
		case writeErr != nil || len(a.dryRun) > 0:
			return written, writeErr
		}
		if err := disown(ctx, api, written); err != nil {
			return nil, err
		}
		return a.apply(ctx, api)
	}
	return nil, err
}

func (a application) apply(ctx context.Context, api dynamic.ResourceInterface) (*unstructured.Unstructured, error) {
	body := a.body.DeepCopy()
	dropNulls(body.Object)
	text, err := json.Marshal(body.Object)
	if err != nil {
		return nil, err
	}
	return api.Patch(ctx, a.body.GetName(), types.ApplyPatchType, text, metav1.PatchOptions{
		FieldManager: FieldManager, Force: ptr.To(true), DryRun: a.dryRun, FieldValidation: metav1.FieldValidationStrict,
	})
}

// write makes the object what an apply would make of it, where the API server refuses the apply because of what nobody states and
// an apply leaves there: settings of an earlier strategy that it filled in itself, or, with whole, elements of lists by which others
// replaced the stated ones, such as a port of a Service.
func (a application) write(ctx context.Context, api dynamic.ResourceInterface, whole bool) (*unstructured.Unstructured, error) {
	at := root(a.live)
	at.mine = appliedBy(a.live)
	rest := withoutApplied(a.live.Object, a.body.Object, at)
	at.whole = whole
	next, _ := overlay(a.body.Object, rest, at).(map[string]any)
	return api.Update(ctx, &unstructured.Unstructured{Object: next}, metav1.UpdateOptions{FieldManager: FieldManager, DryRun: a.dryRun, FieldValidation: metav1.FieldValidationStrict})
}

// disown makes cxha the owner of no more than its mark, so that the apply after a write owns what it states and nothing else: what
// the write has taken away is not taken away again, and what leaves the blueprint later goes.
func disown(ctx context.Context, api dynamic.ResourceInterface, o *unstructured.Unstructured) error {
	var entries []metav1.ManagedFieldsEntry
	for _, e := range o.GetManagedFields() {
		if e.Manager != FieldManager || e.Subresource != "" {
			entries = append(entries, e)
		}
	}
	now := metav1.Now()
	entries = append(entries, metav1.ManagedFieldsEntry{
		Manager: FieldManager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: o.GetAPIVersion(), Time: &now,
		FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:` + ClusterLabel + `":{}}}}`),
	})
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/resourceVersion", "value": o.GetResourceVersion()},
		{"op": "replace", "path": "/metadata/managedFields", "value": entries},
	})
	if err != nil {
		return err
	}
	_, err = api.Patch(ctx, o.GetName(), types.JSONPatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
	return err
}

// withoutApplied returns a live value without the fields that cxha applied, that nobody else has set, and that are wanted no more.
func withoutApplied(live, wanted any, at spot) any {
	switch l := live.(type) {
	case map[string]any:
		w, _ := wanted.(map[string]any)
		out := maps.Clone(l)
		for k := range l {
			_, stated := w[k]
			if below := at.field(k); below.leaves(stated) {
				delete(out, k)
			} else {
				out[k] = withoutApplied(l[k], w[k], below)
			}
		}
		return out
	case []any:
		k, ok := keyedIn(l, at)
		if !ok {
			return live
		}
		w, _ := wanted.([]any)
		stated := k.stated(w, at)
		out := []any{}
		for _, key := range k.keys {
			_, is := stated[key]
			if below := at.element(k.paths[key]); !below.leaves(is) {
				out = append(out, withoutApplied(k.elems[key], stated[key], below))
			}
		}
		return out
	}
	return live
}

// leaves reports whether a field goes with the blueprint's wish for it, or for something in it.
func (p spot) leaves(stated bool) bool { return !stated && p.mine.touches() && !p.others.touches() }

// index is the place of an element of a list without keys.
func (p spot) index(i int) spot { return p.element(fieldpath.IndexElement(i)) }
