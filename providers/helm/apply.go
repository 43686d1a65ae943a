package helm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	helmkube "helm.sh/helm/v4/pkg/kube"
	helmrelease "helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
)

// history is how many revisions of a release are kept: Helm's own default.
const history = 10

// defaultTimeout is how long a release may take whose block says nothing.
const defaultTimeout = 10 * time.Minute

// Apply installs, upgrades, moves or removes a release, and waits until its objects are ready, or gone.
func (k releaseKind) Apply(ctx context.Context, s providers.Session, c plans.Change) (cty.Value, error) {
	value, err := k.apply(ctx, s, c)
	if err != nil {
		at := placeOf(c.After)
		if c.After.IsNull() {
			at = placeOf(c.Before)
		}
		known, _ := k.recall(c.Addr)
		return cty.NilVal, &changeError{place: at, err: err, secrets: secrets(known.release.Values)}
	}
	return value, nil
}

func (k releaseKind) apply(ctx context.Context, s providers.Session, c plans.Change) (cty.Value, error) {
	if c.After.IsNull() {
		return c.After, k.remove(ctx, s, c)
	}
	known, ok := k.recall(c.Addr)
	if !ok {
		return cty.NilVal, errNotProbed
	}
	if !c.Before.IsNull() && placeOf(c.Before) != placeOf(c.After) {
		if err := k.remove(ctx, s, c); err != nil {
			return cty.NilVal, err
		}
	}
	timeout := known.release.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	call, cancel := k.begin(ctx, s, c, timeout)
	defer cancel()
	call.place = placeOf(c.After)
	rel, err := (&upgrade{call: call, known: known, change: c}).run()
	if err != nil {
		return cty.NilVal, err
	}
	return live(rel, c.After, nil)
}

func (p *Provider) begin(ctx context.Context, s providers.Session, c plans.Change, timeout time.Duration) (*call, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, &limitError{timeout})
	k, _ := p.recall(c.Addr)
	return &call{Provider: p, ctx: ctx, session: s, addr: c.Addr, place: placeOf(c.Before), timeout: timeout, secrets: secrets(k.release.Values)}, cancel
}

// upgrade brings a release to what the blueprint says, from wherever it stands.
type upgrade struct {
	*call
	known  known
	change plans.Change
}

func (u *upgrade) run() (rel *release.Release, err error) {
	values, err := helmValues(u.known.release.Values)
	if err != nil {
		return nil, err
	}
	err = u.retry(func() error {
		helm, err := u.open()
		if err != nil {
			return err
		}
		if u.onlyLabels() {
			rel, err = u.relabel(helm)
			return err
		}
		ch, err := u.chart() // a new one each time: Helm changes it
		if err != nil {
			return err
		}
		if len(ch.CRDObjects()) > 0 {
			if err := u.define(helm, ch); err != nil {
				return err
			}
			if helm, err = u.open(); err != nil { // to know the kinds that are new
				return err
			}
		}
		rel, err = u.release(helm, ch, values)
		return err
	})
	return rel, err
}

// chart returns the chart with the marks that its release's record shall have.
func (u *upgrade) chart() (*chart.Chart, error) {
	ch, err := u.options.Charts.Load(u.ctx, u.known.release.Chart, u.known.digest)
	if err != nil {
		return nil, err
	}
	if ch.Metadata.Annotations == nil {
		ch.Metadata.Annotations = map[string]string{}
	}
	ch.Metadata.Annotations[blockAnnotation] = u.known.release.Addr.String()
	ch.Metadata.Annotations[sensitiveAnnotation] = strings.Join(pointers(desiredValues(u.known.release.Values)), "\n")
	return ch, nil
}

// onlyLabels reports whether the change is about what the record's labels say and nothing else.
func (u *upgrade) onlyLabels() bool {
	if u.change.Before.IsNull() {
		return false
	}
	attrs := plans.Attrs(u.change.Before, u.change.After)
	for _, a := range attrs {
		if a.Root != "keep" {
			return false
		}
	}
	return len(attrs) > 0
}

func (u *upgrade) relabel(helm *action.Configuration) (*release.Release, error) {
	last, err := lastOf(helm, u.place.name)
	if err != nil {
		return nil, err
	}
	if last == nil {
		return nil, errors.New("it is not there any more")
	}
	for key, value := range u.known.labels() {
		if last.Labels[key] = value; value == noLabel {
			delete(last.Labels, key)
		}
	}
	return last, helm.Releases.Update(last)
}

// define applies the definitions in the chart's crds directory, which Helm does at the first installation only.
func (u *upgrade) define(helm *action.Configuration, ch *chart.Chart) error {
	u.progress("applying the chart's definitions")
	var all helmkube.ResourceList
	for _, crd := range ch.CRDObjects() {
		list, err := helm.KubeClient.Build(bytes.NewReader(crd.File.Data), false)
		if err != nil {
			return fmt.Errorf("definitions in %s: %w", crd.Filename, err)
		}
		if _, err := helm.KubeClient.Create(list, helmkube.ClientCreateOptionServerSideApply(true, true)); err != nil {
			return fmt.Errorf("definitions in %s: %w", crd.Filename, err)
		}
		all = append(all, list...)
	}
	client, ok := helm.KubeClient.(helmkube.InterfaceWaitOptions)
	if !ok {
		return fmt.Errorf("helm's client is a %T, which this version does not know", helm.KubeClient)
	}
	waiter, err := client.GetWaiterWithOptions(helmkube.StatusWatcherStrategy, u.waitOptions()...)
	if err != nil {
		return err
	}
	return waiter.Wait(all, u.timeout)
}

// release installs or upgrades. A release that was never deployed is installed over what is there of it, so that the hooks of an
// installation run and no data is lost by removing it first; one that was deployed once is upgraded.
func (u *upgrade) release(helm *action.Configuration, ch *chart.Chart, values map[string]any) (*release.Release, error) {
	stale, err := u.settle(helm)
	if err != nil {
		return nil, err
	}
	deployed, err := helm.Releases.Deployed(u.place.name)
	var rel helmrelease.Releaser
	switch {
	case err != nil && !errors.Is(err, driver.ErrNoDeployedReleases) && !errors.Is(err, driver.ErrReleaseNotFound):
		return nil, err
	case err != nil || deployed == nil:
		u.progress("installing")
		if err := u.namespace(helm); err != nil {
			return nil, err
		}
		rel, err = u.installer(helm).Run(ch, values)
	default:
		u.progress("upgrading")
		rel, err = u.upgrader(helm).Run(u.place.name, ch, values)
	}
	if err != nil {
		return nil, err
	}
	made, ok := rel.(*release.Release)
	if !ok {
		return nil, fmt.Errorf("helm made a %T, which this version does not know", rel)
	}
	return made, u.sweep(helm, stale, made)
}

// settle ends what a run that was cut off has left: a pending revision becomes a failed one, from which Helm goes on. It returns
// the revisions whose objects may be there though no deployed one knows them.
func (u *upgrade) settle(helm *action.Configuration) (stale []*release.Release, err error) {
	all, err := revisions(helm, u.place.name)
	if err != nil {
		return nil, err
	}
	for _, rel := range all {
		switch status := rel.Info.Status; {
		case status == common.StatusUninstalling:
			if err := u.uninstall(helm); err != nil {
				return nil, err
			}
			return nil, nil
		case status.IsPending():
			rel.SetStatus(common.StatusFailed, "cut off: cxha takes it up again")
			if err := helm.Releases.Update(rel); err != nil {
				return nil, err
			}
			stale = append(stale, rel)
		case status == common.StatusFailed:
			stale = append(stale, rel)
		case status == common.StatusDeployed:
			stale = nil // Helm compares with this one
		}
	}
	return stale, nil
}

// namespace makes the release's namespace. Helm itself would apply it, and so take away what others of cxha's blocks have applied
// to it, which is the same field manager.
func (u *upgrade) namespace(helm *action.Configuration) error {
	client, err := helm.KubernetesClientSet()
	if err != nil {
		return err
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: u.place.namespace}}
	_, err = client.CoreV1().Namespaces().Create(u.ctx, namespace, metav1.CreateOptions{FieldManager: kube.FieldManager})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (u *upgrade) installer(helm *action.Configuration) *action.Install {
	i := action.NewInstall(helm)
	i.ReleaseName, i.Namespace = u.place.name, u.place.namespace
	i.Replace = true // what failed, or was uninstalled with its history kept
	i.SkipCRDs = true
	i.ServerSideApply, i.ForceConflicts = true, true
	i.WaitStrategy, i.WaitOptions, i.Timeout = helmkube.StatusWatcherStrategy, u.waitOptions(), u.timeout
	i.Labels = u.known.labels()
	maps.DeleteFunc(i.Labels, func(_, value string) bool { return value == noLabel }) // there is none to take away
	return i
}

func (u *upgrade) upgrader(helm *action.Configuration) *action.Upgrade {
	a := action.NewUpgrade(helm)
	a.Namespace = u.place.namespace
	a.SkipCRDs = true
	a.ResetValues = true
	a.ServerSideApply, a.ForceConflicts = "true", true
	a.WaitStrategy, a.WaitOptions, a.Timeout = helmkube.StatusWatcherStrategy, u.waitOptions(), u.timeout
	a.MaxHistory = history
	a.Labels = u.known.labels()
	return a
}

// revisions are a release's records, the oldest first.
func revisions(helm *action.Configuration, name string) ([]*release.Release, error) {
	list, err := helm.Releases.History(name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return inOrder(list)
}

func lastOf(helm *action.Configuration, name string) (*release.Release, error) {
	all, err := revisions(helm, name)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[len(all)-1], nil
}

// passing reports whether an error is one that passes: the API server is on its way, or a webhook is.
func passing(err error) bool {
	return kube.Passing(err) || strings.Contains(err.Error(), "failed calling webhook")
}
