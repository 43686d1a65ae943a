package helm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
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

// forget takes away the records of revisions of this change that failed for a passing reason, such as a webhook that is down: however often
// it was tried, the history has one revision of it.
func (u *upgrade) forget(helm *action.Configuration, again bool) error {
	all, err := revisions(helm, u.place.name)
	if err != nil {
		return err
	}
	for _, rel := range all {
		switch {
		case !again:
			u.before = rel.Version
		case rel.Version > u.before && (rel.Info.Status == common.StatusFailed || rel.Info.Status.IsPending()):
			if _, err := helm.Releases.Delete(rel.Name, rel.Version); err != nil {
				return err
			}
			u.failed = append(u.failed, rel)
		}
	}
	return nil
}

// chart returns the chart with the marks that its release's record shall have, and settles how its objects are sent.
func (u *upgrade) chart(helm *action.Configuration) (*chart.Chart, error) {
	ch, err := u.load()
	if err != nil {
		return nil, err
	}
	states, err := u.settled(helm)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(states)
	if err != nil {
		return nil, err
	}
	if ch.Metadata.Annotations == nil {
		ch.Metadata.Annotations = map[string]string{}
	}
	ch.Metadata.Annotations[blockAnnotation] = u.known.release.Addr.String()
	ch.Metadata.Annotations[sensitiveAnnotation] = strings.Join(pointers(desiredValues(u.known.release.Values)), "\n")
	ch.Metadata.Annotations[usesAnnotation] = strings.Join(u.known.uses, "\n")
	ch.Metadata.Annotations[afterAnnotation] = strings.Join(u.known.after, "\n")
	ch.Metadata.Annotations[objectsAnnotation] = string(text)
	return ch, nil
}

func (u *upgrade) load() (*chart.Chart, error) {
	ch, err := u.options.Charts.Load(u.ctx, u.known.release.Chart, u.known.digest)
	if err == nil {
		localSchemas(ch)
	}
	return ch, err
}

// settled returns the states that the objects will have, and sets the way to apply: as planned, or where the plan could not know it, as it is
// found out now.
func (u *upgrade) settled(helm *action.Configuration) (map[string]string, error) {
	deployed, err := deployedOf(helm, u.place.name)
	if err != nil {
		return nil, err
	}
	u.takeOver = deployed != nil && annotation(deployed, objectsAnnotation) == ""
	if planned := u.change.After.GetAttr("objects"); planned.IsWhollyKnown() && u.change.After.GetAttr("apply").IsKnown() {
		u.method = attr(u.change.After, "apply")
		return textsOf(planned), nil
	}
	return u.foresee(helm, deployed)
}

// foresee does at the time of the change what a plan does where the API server is up.
func (u *upgrade) foresee(helm *action.Configuration, deployed *release.Release) (map[string]string, error) {
	config, err := helm.RESTClientGetter.ToRESTConfig()
	if err != nil {
		return nil, err
	}
	last, err := lastOf(helm, u.place.name)
	if err != nil {
		return nil, err
	}
	revision := 1
	if last != nil {
		revision = last.Version + 1
	}
	ch, err := u.load()
	if err != nil {
		return nil, err
	}
	if err := settleDependencies(ch, u.known.release.Values); err != nil {
		return nil, err
	}
	around := newSurroundings(config)
	f, err := around.forecast(u.ctx, u.known, ch, deployed, revision)
	if err != nil {
		return nil, err
	}
	v, err := around.judge(u.ctx, u.known, f, deployed, nil) // its definitions are there
	if err != nil {
		return nil, err
	}
	if v.note != "" {
		u.progress("%s", v.note)
	}
	u.known.uses = usesOfAll(f.objects)
	u.method = v.method
	return f.fates.texts(objectStates(deployed), revision), v.err
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
			return nil, (&removal{call: u.call}).run()
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

func lastOf(helm *action.Configuration, name string) (*release.Release, error) {
	all, err := revisions(helm, name)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[len(all)-1], nil
}

// deployedOf returns the deployed revision of a release; nil: there is none.
func deployedOf(helm *action.Configuration, name string) (*release.Release, error) {
	found, err := helm.Releases.Deployed(name)
	switch {
	case errors.Is(err, driver.ErrNoDeployedReleases), errors.Is(err, driver.ErrReleaseNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	rel, ok := found.(*release.Release)
	if !ok {
		return nil, fmt.Errorf("a release is of the type %T, which this version does not know", found)
	}
	return rel, nil
}

// maskRecord takes secrets out of what the record of a failed revision says of the failure. An error of Helm's client holds none; one of a
// template may.
func (u *upgrade) maskRecord(helm *action.Configuration, failure error) error {
	if !u.masks.in(failure.Error()) {
		return nil
	}
	last, err := lastOf(helm, u.place.name)
	if err != nil || last == nil || !u.masks.in(last.Info.Description) {
		return err
	}
	last.Info.Description = u.masks.text(last.Info.Description)
	return helm.Releases.Update(last)
}

// textsOf are the elements of a map of strings.
func textsOf(v cty.Value) map[string]string {
	texts := map[string]string{}
	v, _ = v.Unmark()
	if v.IsNull() {
		return texts
	}
	for it := v.ElementIterator(); it.Next(); {
		key, text := it.Element()
		texts[key.AsString()] = text.AsString()
	}
	return texts
}
