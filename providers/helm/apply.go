package helm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/zclconf/go-cty/cty"
	"helm.sh/helm/v4/pkg/action"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	helmkube "helm.sh/helm/v4/pkg/kube"
	helmrelease "helm.sh/helm/v4/pkg/release"
	release "helm.sh/helm/v4/pkg/release/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
)

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
		return cty.NilVal, &changeError{place: at, err: err, masks: known.masks}
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
	return (&upgrade{call: call, known: known, change: c}).run()
}

func (p *Provider) begin(ctx context.Context, s providers.Session, c plans.Change, timeout time.Duration) (*call, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, &limitError{timeout})
	k, _ := p.recall(c.Addr)
	return &call{Provider: p, ctx: ctx, session: s, addr: c.Addr, place: placeOf(c.Before), timeout: timeout, masks: k.masks}, cancel
}

// upgrade brings a release to what the blueprint says, from wherever it stands.
type upgrade struct {
	*call
	known  known
	change plans.Change

	before int                // the newest revision before the change; 0: none
	failed []*release.Release // revisions of this change that failed for a passing reason, and whose records are gone again
}

func (u *upgrade) run() (value cty.Value, err error) {
	if onlyLabels(plans.Attrs(u.change.Before, u.change.After)) && !u.change.Before.IsNull() {
		err := u.retry(u.relabel)
		return u.change.After, err
	}
	values, err := helmValues(u.known.release.Values)
	if err != nil {
		return cty.NilVal, err
	}
	var rel *release.Release
	again := false
	err = u.retry(func() error {
		helm, err := u.open()
		if err != nil {
			return err
		}
		if err := u.forget(helm, again); err != nil {
			return err
		}
		again = true
		if helm, err = u.define(helm); err != nil {
			return err
		}
		ch, err := u.chart(helm) // a new one each time: Helm changes it
		if err != nil {
			return err
		}
		rel, err = u.release(helm, ch, values)
		return err
	})
	if err != nil {
		return cty.NilVal, err
	}
	return live(rel, u.change.After, nil)
}

// relabel changes the labels of the newest record, which is no new revision.
func (u *upgrade) relabel() error {
	config, err := u.cluster.RESTConfig(u.ctx, u.session)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	found, err := recordsOf(u.ctx, client, u.place)
	if err != nil {
		return err
	}
	newest, number := "", -1
	for _, s := range found {
		if n, err := strconv.Atoi(s.Labels["version"]); err == nil && n > number {
			newest, number = s.Name, n
		}
	}
	if newest == "" {
		return errors.New("it is not there any more")
	}
	labels := map[string]any{}
	for key, value := range u.known.labels() {
		if labels[key] = value; value == noLabel {
			labels[key] = nil
		}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels}})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Secrets(u.place.namespace).Patch(u.ctx, newest, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: kube.FieldManager})
	return err
}

// define applies the definitions in the crds directories of the chart and of the charts in it that are switched on, which Helm does at the
// first installation only. It returns a configuration that knows the new kinds.
func (u *upgrade) define(helm *action.Configuration) (*action.Configuration, error) {
	ch, err := u.load()
	if err != nil || len(ch.CRDObjects()) == 0 {
		return helm, err
	}
	if err := settleDependencies(ch, u.known.release.Values); err != nil {
		return nil, err
	}
	if len(ch.CRDObjects()) == 0 {
		return helm, nil
	}
	u.progress("applying the chart's definitions")
	client, ok := helm.KubeClient.(*client)
	if !ok {
		return nil, fmt.Errorf("helm's client is a %T, which this version does not know", helm.KubeClient)
	}
	var all helmkube.ResourceList
	for _, crd := range ch.CRDObjects() {
		list, err := client.Build(bytes.NewReader(crd.File.Data), false)
		if err != nil {
			return nil, fmt.Errorf("definitions in %s: %w", crd.Filename, err)
		}
		if len(list) == 0 {
			continue
		}
		if err := takeOver(list); err != nil {
			return nil, fmt.Errorf("definitions in %s: %w", crd.Filename, err)
		}
		if _, err := client.Client.Create(list, helmkube.ClientCreateOptionServerSideApply(true, true)); err != nil {
			return nil, fmt.Errorf("definitions in %s: %w", crd.Filename, err)
		}
		all = append(all, list...)
	}
	waiter, err := client.GetWaiterWithOptions(helmkube.StatusWatcherStrategy, u.waitOptions()...)
	if err != nil {
		return nil, err
	}
	if err := waiter.Wait(all, u.timeout); err != nil {
		return nil, err
	}
	return u.open()
}

// release installs or upgrades. A release that was never deployed is installed over what is there of it, so that the hooks of an
// installation run and no data is lost by removing it first; one that was deployed once is upgraded.
func (u *upgrade) release(helm *action.Configuration, ch *chart.Chart, values map[string]any) (*release.Release, error) {
	stale, err := u.settle(helm)
	if err != nil {
		return nil, err
	}
	deployed, err := deployedOf(helm, u.place.name)
	if err != nil {
		return nil, err
	}
	var rel helmrelease.Releaser
	switch deployed {
	case nil:
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
		return nil, errors.Join(err, u.maskRecord(helm, err))
	}
	made, ok := rel.(*release.Release)
	if !ok {
		return nil, fmt.Errorf("helm made a %T, which this version does not know", rel)
	}
	return made, u.sweep(helm, append(stale, u.failed...), made)
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
	i.ServerSideApply = u.method != schema.ApplyClient
	i.ForceConflicts = i.ServerSideApply
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
	server := u.method != schema.ApplyClient
	a.ServerSideApply, a.ForceConflicts = strconv.FormatBool(server), server
	a.WaitStrategy, a.WaitOptions, a.Timeout = helmkube.StatusWatcherStrategy, u.waitOptions(), u.timeout
	a.MaxHistory = history
	a.Labels = u.known.labels()
	return a
}
