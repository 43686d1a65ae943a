package helm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	release "helm.sh/helm/v4/pkg/release/v1"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
)

// prospect is what a probe finds out about one release: what is live, and if that is to be changed, what will come of it.
type prospect struct {
	view     *view
	resource providers.Resource
	known    known
	record   *release.Release  // the newest; nil: there is none
	drift    []kube.Difference // of its objects
	vanished map[string]bool   // by id: objects that went by themselves, which the next revision makes again
	delta    plans.Delta
	forecast *forecast // nil: nothing is to be changed, or it cannot be told
	exact    bool      // the masks hold all that the chart computes from secrets
	live     providers.Live
}

// forecast is what a chart makes of a release, beside what there is of it now.
type forecast struct {
	objects []object
	fates   fates
	defines []object // the definitions of its crds directories
	asks    bool     // the templates look at the cluster, so that other changes may make them give something else
}

// look finds out what is live, and renders the chart of what will change. It asks nothing about the objects of the new revision yet.
func (v *view) look(ctx context.Context, r providers.Resource, rel *release.Release) *prospect {
	k, _ := v.provider.recall(r.Addr)
	k.masks = newMasks(append(secrets(k.release.Values), recordSecrets(rel)...)...)
	p := &prospect{view: v, resource: r, known: k, record: rel}
	if err := p.look(ctx); err != nil {
		p.live = providers.Live{Unknown: p.known.masks.text(err.Error()), Deferred: kube.Passing(err)}
	}
	v.provider.remember(r.Addr, p.known)
	return p
}

func (p *prospect) look(ctx context.Context) error {
	if at := placeOf(p.resource.Desired); p.view.records.unreadable[at] {
		return fmt.Errorf("the record of release %s cannot be read: it may be of a newer version of Helm", at)
	}
	if err := p.compareLive(ctx); err != nil {
		return err
	}
	if err := p.see(); err != nil || !p.delta.Action.Changes() {
		return err
	}
	ch, err := p.load(ctx)
	if err != nil || p.live.Refuse != nil || p.view.cluster == nil || p.onlyLabels() || p.foreign() {
		return err
	}
	p.forecast, err = p.view.cluster.forecast(ctx, p.known, ch, p.deployed(), p.revision())
	if template := (*templateError)(nil); errors.As(err, &template) {
		p.live.Refuse, p.live.Deferred = p.known.masks.error(err), asksCluster(ch)
		return nil
	}
	if err != nil {
		return fmt.Errorf("chart %s: %w", p.known.release.Chart.Name, err)
	}
	p.known.uses = usesOfAll(p.forecast.objects)
	if len(p.drift) > 0 { // its texts may be computed from secrets
		if err := p.maskComputed(ctx); err != nil {
			return err
		}
		return p.see()
	}
	return nil
}

// see makes the live value of what was found.
func (p *prospect) see() (err error) {
	p.live.Value = cty.NullVal(releaseObject)
	if p.record != nil {
		p.live.After, p.live.Uses = recordedOrder(p.record)
		if p.live.Value, err = live(p.record, p.resource.Desired, p.known.masks.drift(p.shownDrift())); err != nil {
			return err
		}
	}
	p.delta, err = plans.Diff(p.resource.Desired, p.live.Value, plans.DiffOptions{})
	return err
}

// shownDrift is the drift, of which no value is shown where a secret may be in any of them.
func (p *prospect) shownDrift() []kube.Difference {
	if p.exact || len(secrets(p.known.release.Values))+len(recordSecrets(p.record)) == 0 {
		return p.drift
	}
	hidden := slices.Clone(p.drift)
	for i := range hidden {
		hidden[i].Sensitive = true
	}
	return hidden
}

// deployed is the revision that Helm compares with; nil: none was ever deployed where the release shall be.
func (p *prospect) deployed() *release.Release {
	return p.view.records.deployed[placeOf(p.resource.Desired)]
}

// revision is the number that the next revision will have.
func (p *prospect) revision() int {
	at := placeOf(p.resource.Desired)
	for _, rel := range []*release.Release{p.view.records.newest[at], p.view.records.ended[at]} {
		if rel != nil {
			return rel.Version + 1
		}
	}
	return 1
}

func (p *prospect) foreign() bool { return p.record != nil && !p.view.ours(p.record) }

func (p *prospect) onlyLabels() bool { return onlyLabels(p.delta.Attrs) }

// onlyLabels reports whether a change is about what the record's labels say and nothing else.
func onlyLabels(attrs []plans.AttrChange) bool {
	return len(attrs) > 0 && !slices.ContainsFunc(attrs, func(a plans.AttrChange) bool { return a.Root != "keep" })
}

// load gets the chart of a release that will change, its dependencies settled by the values. That it cannot be had is an error; that it has other
// bytes than agreed on, or does not take the values, is a refusal, which the plan reports.
func (p *prospect) load(ctx context.Context) (*chart.Chart, error) {
	limit := p.view.provider.options.FetchTimeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not come within %s", limit))
	defer cancel()
	ch, err := p.view.provider.options.Charts.Load(ctx, p.known.release.Chart, p.known.digest)
	var other *DigestError
	switch {
	case errors.As(err, &other):
		p.live.Refuse = err
		return nil, nil
	case err != nil:
		return nil, err
	}
	for _, at := range localSchemas(ch) {
		p.live.Notes = append(p.live.Notes, fmt.Sprintf("the schema of the chart %s refers to %s, which is not asked for: what it says of the values is not checked", ch.Name(), at))
	}
	p.live.Refuse = checkValues(ch, p.known.release, p.known.masks)
	return ch, nil
}

// forecast renders a chart, whose dependencies are settled, and compares what it gives with the deployed revision.
func (s *surroundings) forecast(ctx context.Context, k known, ch *chart.Chart, deployed *release.Release, revision int) (*forecast, error) {
	after, err := s.objects(ctx, k, ch, deployed != nil, revision)
	if err != nil {
		return nil, err
	}
	var before []object
	if deployed != nil {
		before, _ = readManifest(deployed.Manifest, deployed.Namespace) // what is no object was never made
	}
	f := &forecast{objects: after, fates: compareObjects(before, after), asks: asksCluster(ch)}
	for _, crd := range ch.CRDObjects() {
		objects, err := readManifest(string(crd.File.Data), "")
		if err != nil {
			return nil, &templateError{fmt.Errorf("definitions in %s: %w", crd.Filename, err)}
		}
		f.defines = append(f.defines, objects...)
	}
	return f, nil
}

// defined adds the kinds whose definitions an apply makes or changes.
func (f *forecast) defined(kinds map[groupKind]bool) {
	for _, o := range slices.Concat(f.defines, f.fates.made, f.fates.changed) {
		if kind, ok := o.definedKind(); ok {
			kinds[kind] = true
		}
	}
}

func (s *surroundings) objects(ctx context.Context, k known, ch *chart.Chart, upgrade bool, revision int) ([]object, error) {
	values, err := helmValues(k.release.Values)
	if err != nil {
		return nil, err
	}
	manifest, err := s.render(ctx, ch, values, common.ReleaseOptions{
		Name: k.release.Name, Namespace: k.release.Namespace, Revision: revision, IsInstall: !upgrade, IsUpgrade: upgrade,
	})
	if err != nil {
		return nil, err
	}
	objects, err := readManifest(manifest, k.release.Namespace)
	if err != nil {
		return nil, &templateError{err}
	}
	return objects, nil
}

// maskComputed adds to the masks what the chart computes from secrets: the texts that it gives otherwise when the secrets are others.
func (p *prospect) maskComputed(ctx context.Context) error {
	values := secrets(p.known.release.Values)
	if len(values) == 0 {
		return nil
	}
	other := p.known
	var err error
	if other.release.Values, err = otherSecrets(p.known.release.Values); err != nil {
		return err
	}
	ch, err := p.view.provider.options.Charts.Load(ctx, p.known.release.Chart, p.known.digest)
	if err != nil {
		return err
	}
	if settleDependencies(ch, other.release.Values) != nil {
		return nil // the chart does not take other secrets, so it is not known what it computes from them
	}
	objects, err := p.view.cluster.objects(ctx, other, ch, p.deployed() != nil, p.revision())
	if template := (*templateError)(nil); errors.As(err, &template) {
		return nil // likewise
	}
	if err != nil {
		return err
	}
	p.exact = true
	p.known.masks = newMasks(append(values, append(recordSecrets(p.record), computed(p.forecast.objects, objects)...)...)...)
	return nil
}

// outlook is what the plan makes of the workloads of all releases.
type outlook struct {
	workloads  []object // as they will be
	restarting map[string]bool
	defined    map[groupKind]bool // kinds whose definitions change
}

// outlook looks at all releases together: a ConfigMap of one is used by the workloads of another.
func (v *view) outlook(all []*prospect) outlook {
	o := outlook{restarting: map[string]bool{}, defined: map[groupKind]bool{}}
	seen := map[place]bool{}
	needed := false
	for _, p := range all {
		if p.forecast == nil {
			continue
		}
		seen[placeOf(p.resource.Desired)] = true
		needed = needed || len(p.forecast.fates.changed) > 0
		o.add(p.forecast.objects)
		p.forecast.defined(o.defined)
		for id, restarts := range p.forecast.fates.restarts {
			o.restarting[id] = o.restarting[id] || restarts
		}
		for _, made := range p.forecast.fates.made {
			o.restarting[made.id()] = true // it starts
		}
	}
	if !needed {
		return o
	}
	for at, rel := range v.records.deployed {
		if !seen[at] {
			objects, _ := readManifest(rel.Manifest, at.namespace)
			o.add(objects)
		}
	}
	return o
}

func (o *outlook) add(objects []object) {
	for _, w := range objects {
		if slices.Contains(workloads, w.groupKind().String()) {
			o.workloads = append(o.workloads, w)
		}
	}
}

// judge asks the API server about the objects of a change, and says what will be.
func (p *prospect) judge(ctx context.Context, together outlook) {
	if p.live.Unknown != "" || !p.delta.Action.Changes() {
		return
	}
	p.live.Result = p.delta.After
	if p.forecast == nil || p.live.Refuse != nil {
		return
	}
	v, err := p.view.cluster.judge(ctx, p.known, p.forecast, p.deployed(), together.defined)
	if err != nil { // such as a webhook that is down: the apply will see
		p.live.Notes = append(p.live.Notes, p.known.masks.text(fmt.Sprintf("whether the API server takes the objects of release %s is not known: %s", placeOf(p.resource.Desired), kube.Brief(err))))
		v.method = ""
	}
	if v.err != nil {
		p.live.Refuse, p.live.Deferred = p.known.masks.error(v.err), p.forecast.asks
		return
	}
	if v.note != "" {
		p.live.Notes = append(p.live.Notes, p.known.masks.text(v.note))
	}
	p.live.Notes = append(p.live.Notes, p.forecast.fates.staleUsers(together.workloads, together.restarting)...)
	attrs := p.delta.After.AsValueMap()
	attrs["objects"] = mapOf(p.states())
	if v.method != "" {
		attrs["apply"] = cty.StringVal(v.method)
	}
	p.live.Result = cty.ObjectVal(attrs)
}

// judge finds out how the objects of a forecast are to be applied.
func (s *surroundings) judge(ctx context.Context, k known, f *forecast, deployed *release.Release, defined map[groupKind]bool) (verdict, error) {
	at, made := place{k.release.Namespace, k.release.Name}, ""
	if deployed != nil {
		made = methodOf(deployed)
	}
	t, err := s.newTrial(ctx, at, f.fates.before, defined)
	if err != nil {
		return verdict{}, err
	}
	return t.choose(ctx, k.release.Apply, made, slices.Concat(f.fates.made, f.fates.changed))
}

// states are the states of the objects after the change.
func (p *prospect) states() map[string]string {
	was := map[string]string{}
	if d := p.deployed(); d != nil {
		was = objectStates(d)
	}
	revision := p.revision()
	texts := p.forecast.fates.texts(was, revision)
	changed := map[string]bool{}
	for _, o := range slices.Concat(p.forecast.fates.made, p.forecast.fates.changed) {
		changed[o.id()] = true
	}
	for id := range p.vanished {
		if _, of := texts[id]; of && !changed[id] {
			texts[id] = fmt.Sprintf("made again by revision %d: it had gone by itself, and Helm makes what is not there", revision)
		}
	}
	for _, d := range p.drift {
		if _, of := texts[d.Object]; !of || changed[d.Object] {
			continue
		}
		switch {
		case d.Path == "":
			texts[d.Object] = fmt.Sprintf("made again by revision %d", revision)
		case strings.HasPrefix(d.Path, "spec.template."):
			texts[d.Object] = fmt.Sprintf("put back by revision %d, its pods restart", revision)
			changed[d.Object] = true
		default:
			texts[d.Object] = fmt.Sprintf("put back by revision %d", revision)
		}
	}
	return texts
}

// recordSecrets are the sensitive texts in a record's values.
func recordSecrets(rel *release.Release) []string {
	if rel == nil {
		return nil
	}
	at, _ := sensitivePlaces(rel)
	values, err := liveValues(rel.Config)
	if err != nil || len(at) == 0 {
		return nil
	}
	places := map[string]bool{}
	for _, p := range at {
		places[p] = true
	}
	return secrets(hideAt("", values, places))
}
