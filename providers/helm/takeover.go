package helm

import (
	"encoding/json"
	"slices"
	"strings"

	helmkube "helm.sh/helm/v4/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/util/csaupgrade"
	"k8s.io/client-go/util/retry"

	"github.com/expertflow/cxha/providers/kube"
)

// fieldManager is the name under which the objects of releases are applied: Helm's own, so that a release which `helm` made is gone on
// with, and `helm rollback` goes on with one of cxha's.
const fieldManager = "helm"

// helmTools are the names, or how they begin, of tools that made a release's objects with Helm before.
var helmTools = []string{fieldManager, kube.FieldManager, "helm-controller", "helm-operator", "terraform-provider-helm", "Go-http-client"}

// takeOver makes the fields that another tool with Helm in it set on a release's objects this release's own: else what a new revision no
// longer has would stay, because nobody gives it up.
func takeOver(list helmkube.ResourceList) error {
	for _, info := range list {
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error { return takeFields(info) })
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

func takeFields(info *resource.Info) error {
	helper := resource.NewHelper(info.Client, info.Mapping).WithFieldManager(fieldManager)
	live, err := helper.Get(info.Namespace, info.Name)
	if err != nil {
		return err
	}
	patch, err := takeoverPatch(live)
	if err != nil || patch == nil {
		return err
	}
	_, err = helper.Patch(info.Namespace, info.Name, types.JSONPatchType, patch, nil)
	return err
}

// takeoverPatch returns a JSON patch that gives a live object's fields of such tools to [fieldManager]; nil: there is nothing to do.
func takeoverPatch(live runtime.Object) ([]byte, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(live)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: fields}
	entries := slices.Clone(u.GetManagedFields())
	names := sets.New[string]()
	for i, e := range entries {
		if e.Subresource != "" || !isHelmTool(e.Manager) || e.Manager == fieldManager && e.Operation == metav1.ManagedFieldsOperationApply {
			continue
		}
		names.Insert(e.Manager)
		entries[i].Operation = metav1.ManagedFieldsOperationUpdate // what is applied under another name is taken over alike
	}
	if names.Len() == 0 {
		return nil, nil
	}
	u.SetManagedFields(entries)
	if err := csaupgrade.UpgradeManagedFields(u, names, fieldManager); err != nil {
		return nil, err
	}
	return json.Marshal([]map[string]any{
		{"op": "replace", "path": "/metadata/managedFields", "value": u.GetManagedFields()},
		{"op": "replace", "path": "/metadata/resourceVersion", "value": u.GetResourceVersion()}, // a conflict where somebody was faster
	})
}

func isHelmTool(manager string) bool {
	return slices.ContainsFunc(helmTools, func(tool string) bool {
		rest, ok := strings.CutPrefix(manager, tool)
		return ok && (rest == "" || strings.ContainsAny(rest[:1], "_-/"))
	})
}
