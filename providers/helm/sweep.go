package helm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"
	helmrelease "helm.sh/helm/v4/pkg/release"
	release "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/resource"
)

func inOrder(list []helmrelease.Releaser) ([]*release.Release, error) {
	var all []*release.Release
	for _, r := range list {
		rel, ok := r.(*release.Release)
		if !ok {
			return nil, fmt.Errorf("a release is of the type %T, which this version does not know", r)
		}
		all = append(all, rel)
	}
	slices.SortFunc(all, func(a, b *release.Release) int { return a.Version - b.Version })
	return all, nil
}

// sweep removes the objects that revisions which never got deployed made, and that the new one does not have: Helm compares with
// the deployed revision only, and would leave them.
func (u *upgrade) sweep(helm *action.Configuration, stale []*release.Release, made *release.Release) error {
	if len(stale) == 0 {
		return nil
	}
	now, err := helm.KubeClient.Build(strings.NewReader(made.Manifest), false)
	if err != nil {
		return err
	}
	var gone helmkube.ResourceList
	for _, rel := range stale {
		list, err := helm.KubeClient.Build(strings.NewReader(rel.Manifest), false)
		if meta.IsNoMatchError(err) {
			continue // of a kind that is gone, and its objects with it
		}
		if err != nil {
			return err
		}
		for _, info := range list.Difference(now) {
			if ours, err := u.owns(info); err != nil {
				return err
			} else if ours && !gone.Contains(info) {
				gone = append(gone, info)
			}
		}
	}
	if len(gone) == 0 {
		return nil
	}
	_, errs := helm.KubeClient.Delete(gone, metav1.DeletePropagationBackground)
	return errors.Join(errs...)
}

// owns reports whether a live object is of this release and may be removed.
func (u *upgrade) owns(info *resource.Info) (bool, error) {
	live, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	object, err := meta.Accessor(live)
	if err != nil {
		return false, err
	}
	marks := object.GetAnnotations()
	return marks["meta.helm.sh/release-name"] == u.place.name && marks["meta.helm.sh/release-namespace"] == u.place.namespace &&
		marks[helmkube.ResourcePolicyAnno] != helmkube.KeepPolicy, nil
}
