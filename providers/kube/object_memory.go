package kube

import (
	"context"
	"fmt"
	"slices"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/zclconf/go-cty/cty"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kschema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// What an object remembers of its block and of the run that changed it last.
const (
	afterAnnotation   = "cxha.io/after"   // blocks that its block comes after, one on a line: the order of its removal
	waitingAnnotation = "cxha.io/waiting" // "true": a run changed it and has not seen it ready
)

// awaited are the kinds that take their time to get ready after a change. A run that ends before leaves its mark on them, so that the
// next plan does not take them for done.
var awaited = []kschema.GroupKind{
	{Group: "apps", Kind: "Deployment"}, {Group: "apps", Kind: "StatefulSet"}, {Group: "apps", Kind: "DaemonSet"}, {Group: "batch", Kind: "Job"},
}

// workloads are the types of blocks that put something into the cluster. Machines have an order of removal of their own.
var workloads = []string{"load_balancer", "ingress", "storage", "helm_release", "kustomization", "manifest"}

// BlocksBefore are the addresses of the workloads' blocks that a block comes after, sorted: those of its depends_on, and of the resources
// that it waits for.
func BlocksBefore(bp *blueprint.Blueprint, block schema.BlockAddr, after []schema.Addr) []string {
	var all []schema.BlockAddr
	for _, ref := range bp.Dependencies()[block] {
		all = append(all, ref.To)
	}
	for _, a := range after {
		all = append(all, a.Block)
	}
	var before []string
	for _, a := range all {
		if a != block && slices.Contains(workloads, a.Type) {
			before = append(before, a.String())
		}
	}
	slices.Sort(before)
	return slices.Compact(before)
}

func listOrAbsent(ss []string) cty.Value {
	if len(ss) == 0 {
		return cty.NullVal(cty.List(cty.String))
	}
	return listOf(ss)
}

// comesAfter are the blocks that an object remembers. What somebody wrote into the annotation that is no address is left out.
func (f facts) comesAfter() []schema.BlockAddr {
	var blocks []schema.BlockAddr
	for _, text := range f.after {
		if b, err := schema.ParseBlockAddr(text); err == nil {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

func isNewline(r rune) bool { return r == '\n' }

// waiting puts the mark of waiting on what is about to be applied. A Job that removes itself is gone when the mark is to be taken away.
func waiting(body *unstructured.Unstructured) *unstructured.Unstructured {
	if !vanishes(body) && slices.Contains(awaited, body.GroupVersionKind().GroupKind()) {
		notes := body.GetAnnotations()
		notes[waitingAnnotation] = "true"
		body.SetAnnotations(notes)
	}
	return body
}

// settled reports whether an object is, as far as it says so itself.
func settled(o *unstructured.Unstructured) bool {
	if isJob(o) {
		missing, err := jobMissing(o)
		return err == nil && missing == ""
	}
	result, err := status.Compute(o)
	return err == nil && result.Status == status.CurrentStatus
}

// seenReady takes the mark of waiting away. A patch and not an apply: what somebody deleted at this moment must not come back.
func (w *work) seenReady(ctx context.Context, ready *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if ready.GetAnnotations()[waitingAnnotation] == "" {
		return ready, nil
	}
	patch := mergePatch(map[string]any{"metadata": map[string]any{"uid": ready.GetUID(), "annotations": map[string]any{waitingAnnotation: nil}}})
	var done *unstructured.Unstructured
	err := w.retry(ctx, func(ctx context.Context, api dynamic.ResourceInterface) (err error) {
		done, err = api.Patch(ctx, ready.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: FieldManager})
		return err
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil, fmt.Errorf("%s: somebody deleted it as soon as it was ready", title(ready))
	}
	return done, err
}
