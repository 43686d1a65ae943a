package helm

import (
	"context"

	"helm.sh/helm/v4/pkg/action"
	helmkube "helm.sh/helm/v4/pkg/kube"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
)

// remove uninstalls the release that c.Before is, and waits until its objects are gone. Its namespace stays, and so do the
// definitions of its chart's crds directory and what carries Helm's own annotation to be kept.
func (k releaseKind) remove(ctx context.Context, s providers.Session, c plans.Change) error {
	call, cancel := k.begin(ctx, s, c, k.options.RemovalTimeout)
	defer cancel()
	return call.retry(func() error {
		helm, err := call.open()
		if err != nil {
			return err
		}
		return call.uninstall(helm)
	})
}

func (c *call) uninstall(helm *action.Configuration) error {
	c.progress("uninstalling")
	u := action.NewUninstall(helm)
	u.IgnoreNotFound = true
	u.WaitStrategy, u.WaitOptions, u.Timeout = helmkube.StatusWatcherStrategy, c.waitOptions(), c.timeout
	_, err := u.Run(c.place.name)
	return err
}
