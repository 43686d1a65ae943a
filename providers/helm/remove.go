package helm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/resource"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
)

// remove uninstalls the release that c.Before is, and waits until its objects are gone. Its namespace stays, and so do the
// definitions of its chart, its claims on volumes, and what carries Helm's own annotation to be kept.
func (k releaseKind) remove(ctx context.Context, s providers.Session, c plans.Change) error {
	call, cancel := k.begin(ctx, s, c, k.options.RemovalTimeout)
	defer cancel()
	return call.retry((&removal{call: call}).run)
}

// removal removes a release. It is done when it was seen that neither a record nor an object of it is left: Helm's own action calls a release
// gone whose record it could not read, and forgets objects that it could not look at. So the record stays until the objects are gone, and is
// taken up by the next run if this one is cut off.
type removal struct{ *call }

func (r *removal) run() error {
	helm, err := r.open()
	if err != nil {
		return err
	}
	all, err := revisions(helm, r.place.name)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		last := all[len(all)-1]
		r.method = methodOf(last)
		if last.Info.Status != common.StatusUninstalled {
			if err := r.readable(helm, last); err != nil {
				return err
			}
			if err := r.uninstall(helm); err != nil {
				return err
			}
		}
		if err := r.sweep(helm, all, nil); err != nil {
			return err
		}
		r.progress("removing the record")
		for _, rel := range all {
			if _, err := helm.Releases.Delete(rel.Name, rel.Version); err != nil {
				return err
			}
		}
	}
	return r.seen(helm)
}

// readable takes out of a record what is no object, which would keep Helm from removing the others.
func (r *removal) readable(helm *action.Configuration, last *release.Release) error {
	objects, bad := readManifest(last.Manifest, r.place.namespace)
	if bad == nil {
		return nil
	}
	var b strings.Builder
	for i, o := range objects {
		if i == 0 || objects[i-1].text != o.text { // those of a list have one
			fmt.Fprintf(&b, "---\n%s\n", o.text)
		}
	}
	last.Manifest = b.String()
	return helm.Releases.Update(last)
}

// uninstall has Helm run the hooks and remove the objects, and keep the record.
func (r *removal) uninstall(helm *action.Configuration) error {
	r.progress("uninstalling")
	u := action.NewUninstall(helm)
	u.KeepHistory = true
	u.WaitStrategy, u.WaitOptions, u.Timeout = helmkube.StatusWatcherStrategy, r.waitOptions(), r.timeout
	_, err := u.Run(r.place.name)
	if err != nil && r.deletion != nil {
		return fmt.Errorf("%w: %w", err, r.deletion)
	}
	return err
}

// seen looks whether a record is left.
func (r *removal) seen(helm *action.Configuration) error {
	client, err := helm.KubernetesClientSet()
	if err != nil {
		return err
	}
	left, err := recordsOf(r.ctx, client, r.place)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("it is still there: Secret %s/%s holds a record of it that cannot be read\nlook at it, and delete it:\n  kubectl --namespace %s delete secret %s",
			r.place.namespace, left[0].Name, r.place.namespace, left[0].Name)
	}
	return nil
}

// sweep removes the objects that revisions have and the one that was made, if any, has not, and waits until they are gone. Helm compares with
// one revision only, and would leave what others have made.
func (c *call) sweep(helm *action.Configuration, stale []*release.Release, made *release.Release) error {
	if len(stale) == 0 {
		return nil
	}
	var now, gone helmkube.ResourceList
	if made != nil {
		var err error
		if now, err = helm.KubeClient.Build(strings.NewReader(made.Manifest), false); err != nil {
			return err
		}
	}
	for _, rel := range stale {
		if rel.Info.Status == common.StatusSuperseded {
			continue
		}
		list, err := helm.KubeClient.Build(strings.NewReader(rel.Manifest), false)
		if err != nil {
			return err
		}
		for _, info := range withoutData(list).Difference(now) {
			if ours, err := c.owns(info); err != nil {
				return err
			} else if ours && !gone.Contains(info) {
				gone = append(gone, info)
			}
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if _, errs := helm.KubeClient.Delete(gone, metav1.DeletePropagationBackground); len(errs) > 0 {
		return errors.Join(errs...)
	}
	client, ok := helm.KubeClient.(helmkube.InterfaceWaitOptions)
	if !ok {
		return fmt.Errorf("helm's client is a %T, which this version does not know", helm.KubeClient)
	}
	waiter, err := client.GetWaiterWithOptions(helmkube.StatusWatcherStrategy, c.waitOptions()...)
	if err != nil {
		return err
	}
	return waiter.WaitForDelete(gone, c.timeout)
}

// owns reports whether a live object is of this release and may be removed.
func (c *call) owns(info *resource.Info) (bool, error) {
	live, err := fetch(info)
	if err != nil || live == nil {
		return false, err
	}
	marks := live.GetAnnotations()
	return marks["meta.helm.sh/release-name"] == c.place.name && marks["meta.helm.sh/release-namespace"] == c.place.namespace &&
		marks[helmkube.ResourcePolicyAnno] != helmkube.KeepPolicy, nil
}
