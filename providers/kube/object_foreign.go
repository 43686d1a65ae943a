package kube

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/expertflow/cxha/plans"
)

// foreign tells whose an object is that does not carry cxha's mark and differs from the blueprint, and what to do.
func foreign(wanted, live *unstructured.Unstructured, cluster string) string {
	if who := ownerOf(live); who != "" {
		return fmt.Sprintf("%s is there already, and %s owns it. Two owners would undo each other's work: take it out of the one or the other", title(live), who)
	}
	var paths []string
	b, a := compared(wanted, live, predicted(wanted, live))
	for _, d := range plans.Attrs(valueOf(b), valueOf(a)) {
		paths = append(paths, d.Path)
	}
	return fmt.Sprintf("%s is there already, cxha did not make it, and it differs in %s. Delete it, make it equal, or hand it over with `%s` and plan again",
		title(live), enumerate(paths, 5), kubectl("label", live, ClusterLabel+"="+cluster))
}

// enumerate names the first of many.
func enumerate(names []string, limit int) string {
	if len(names) <= limit {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
}

// ownerOf returns which other tool manages an object; empty: none that can be told.
func ownerOf(o *unstructured.Unstructured) string {
	labels, notes := o.GetLabels(), o.GetAnnotations()
	by := labels["app.kubernetes.io/managed-by"]
	switch {
	case labels[ClusterLabel] != "":
		return fmt.Sprintf("cxha's cluster %s", labels[ClusterLabel])
	case notes["meta.helm.sh/release-name"] != "":
		return fmt.Sprintf("the Helm release %s/%s", notes["meta.helm.sh/release-namespace"], notes["meta.helm.sh/release-name"])
	case labels["kustomize.toolkit.fluxcd.io/name"] != "":
		return fmt.Sprintf("the Flux Kustomization %s/%s", labels["kustomize.toolkit.fluxcd.io/namespace"], labels["kustomize.toolkit.fluxcd.io/name"])
	case labels["helm.toolkit.fluxcd.io/name"] != "":
		return fmt.Sprintf("the Flux HelmRelease %s/%s", labels["helm.toolkit.fluxcd.io/namespace"], labels["helm.toolkit.fluxcd.io/name"])
	case notes["argocd.argoproj.io/tracking-id"] != "":
		return fmt.Sprintf("the Argo CD application %s", strings.SplitN(notes["argocd.argoproj.io/tracking-id"], ":", 2)[0])
	case labels["argocd.argoproj.io/instance"] != "":
		return fmt.Sprintf("the Argo CD application %s", labels["argocd.argoproj.io/instance"])
	case notes["objectset.rio.cattle.io/id"] != "" || labels["objectset.rio.cattle.io/hash"] != "":
		return "RKE2, from a manifest on the control plane's host,"
	case by != "" && by != FieldManager:
		return fmt.Sprintf("%s (its label app.kubernetes.io/managed-by says so)", by)
	}
	if owners := o.GetOwnerReferences(); len(owners) > 0 {
		return fmt.Sprintf("%s %s", owners[0].Kind, owners[0].Name)
	}
	return applierOf(o)
}

// applierOf returns the field manager other than cxha and kubectl that applied more than metadata.
func applierOf(o *unstructured.Unstructured) string {
	for _, m := range o.GetManagedFields() {
		if m.Operation != metav1.ManagedFieldsOperationApply || m.FieldsV1 == nil || m.Subresource != "" || slices.Contains([]string{FieldManager, "kubectl"}, m.Manager) {
			continue
		}
		if slices.ContainsFunc(topFields(m.FieldsV1), func(name string) bool { return name != "metadata" && name != "status" }) {
			return fmt.Sprintf("the field manager %s", m.Manager)
		}
	}
	return ""
}

// topFields are the names of an object's own fields in a set of fields. A set that cannot be read has none.
func topFields(f *metav1.FieldsV1) []string {
	var set fieldpath.Set
	if err := set.FromJSON(f.GetRawReader()); err != nil {
		return nil
	}
	var names []string
	add := func(e fieldpath.PathElement) {
		if e.FieldName != nil {
			names = append(names, *e.FieldName)
		}
	}
	set.Members.Iterate(add)
	set.Children.Iterate(add)
	return names
}
