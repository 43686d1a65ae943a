package helm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"
	release "helm.sh/helm/v4/pkg/release/v1"

	"github.com/expertflow/cxha/internal/crash"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Probe reads all releases by one call, and compares the objects of those that are deployed. The chart of a release that will
// change is fetched, so that an apply cannot fail for want of it, and the values are checked against its schema.
func (p *Provider) Probe(ctx context.Context, s providers.Session, bp *blueprint.Blueprint, rs []providers.Resource) (providers.Observation, error) {
	byAddr := map[schema.Addr]blueprint.Release{}
	for _, r := range releases(bp) {
		byAddr[releaseAddr(r)] = r
	}
	for _, r := range rs {
		rel, ok := byAddr[r.Addr]
		if !ok {
			return providers.Observation{}, fmt.Errorf("resource %s: is not of the helm provider; this is a bug in cxha", r.Addr)
		}
		p.remember(r.Addr, known{release: rel, cluster: bp.Cluster.Name, digest: attr(r.Desired, "digest"), after: blocksBefore(r)})
	}
	found, err := p.records(ctx, s)
	switch {
	case ctx.Err() != nil:
		return providers.Observation{}, context.Cause(ctx)
	case kube.NotStarted(err):
		found = &records{}
	case err != nil:
		unseen := providers.Live{Unknown: "Kubernetes API: " + kube.Brief(err), Deferred: kube.Passing(err)}
		obs := providers.Observation{Live: map[schema.Addr]providers.Live{}}
		for _, r := range rs {
			obs.Live[r.Addr] = unseen
		}
		return obs, nil
	}
	view := &view{provider: p, session: s, bp: bp, records: found, resources: rs}
	if err == nil {
		config, err := p.cluster.RESTConfig(ctx, s)
		if err != nil {
			return providers.Observation{}, err
		}
		view.cluster = newSurroundings(config)
	}
	return view.observe(ctx)
}

func (p *Provider) records(ctx context.Context, s providers.Session) (*records, error) {
	limit := fmt.Errorf("no answer for %s", p.options.ProbeTimeout)
	config, err := p.cluster.RESTConfig(ctx, s)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, p.options.ProbeTimeout, limit)
	defer cancel()
	found, err := listRecords(ctx, config)
	if err != nil && errors.Is(context.Cause(ctx), limit) {
		return nil, errors.Join(limit, context.DeadlineExceeded) // which passes
	}
	return found, err
}

// view is one look at the releases of a cluster.
type view struct {
	provider  *Provider
	session   providers.Session
	bp        *blueprint.Blueprint
	records   *records
	resources []providers.Resource
	cluster   *surroundings // nil: it has never been started

	obs providers.Observation
}

func (v *view) observe(ctx context.Context) (providers.Observation, error) {
	v.obs.Live = map[schema.Addr]providers.Live{}
	taken := v.assign()
	all := make([]*prospect, len(v.resources))
	if err := v.each(func(i int) { all[i] = v.look(ctx, v.resources[i], taken[v.resources[i].Addr]) }); err != nil {
		return v.obs, err
	}
	together := v.outlook(all)
	if err := v.each(func(i int) { all[i].judge(ctx, together) }); err != nil {
		return v.obs, err
	}
	if ctx.Err() != nil {
		return v.obs, context.Cause(ctx)
	}
	for _, p := range all {
		v.obs.Live[p.resource.Addr] = p.live
	}
	return v.obs, v.leftover(taken)
}

// each does something for every resource, several at the same time. A panic is the error.
func (v *view) each(do func(i int)) error {
	var g errgroup.Group
	g.SetLimit(fetches)
	for i := range v.resources {
		g.Go(func() error {
			return crash.Call(func() error {
				do(i)
				return nil
			})
		})
	}
	return g.Wait()
}

// assign finds the record of each resource: that of its name and namespace; else one that its block made under another name,
// which is to be moved.
func (v *view) assign() map[schema.Addr]*release.Release {
	taken := map[schema.Addr]*release.Release{}
	used := map[place]bool{}
	for _, r := range v.resources {
		at := placeOf(r.Desired)
		used[at] = true
		if rel := v.records.newest[at]; rel != nil {
			taken[r.Addr] = rel
		}
	}
	for _, r := range v.resources {
		if taken[r.Addr] != nil || v.records.unreadable[placeOf(r.Desired)] {
			continue
		}
		for _, at := range v.places() {
			rel := v.records.newest[at]
			if !used[at] && v.ours(rel) && !kept(rel) && blockOf(rel) == r.Addr.Block {
				taken[r.Addr], used[at] = rel, true
				break
			}
		}
	}
	return taken
}

func (v *view) places() []place {
	var all []place
	for at := range v.records.newest {
		all = append(all, at)
	}
	slices.SortFunc(all, func(a, b place) int { return strings.Compare(a.String(), b.String()) })
	return all
}

func (v *view) ours(rel *release.Release) bool {
	return rel.Labels[kube.ClusterLabel] == v.bp.Cluster.Name
}

func placeOf(value cty.Value) place {
	return place{namespace: attr(value, "namespace"), name: attr(value, "name")}
}

// leftover adds the releases with the cluster's mark that the blueprint no longer has, and those whose removal was cut off before their record
// was gone.
func (v *view) leftover(taken map[schema.Addr]*release.Release) error {
	wanted, addrs := map[place]bool{}, map[schema.Addr]bool{}
	for _, r := range v.resources {
		wanted[placeOf(r.Desired)] = true
		addrs[r.Addr] = true
	}
	for _, rel := range taken {
		wanted[place{rel.Namespace, rel.Name}] = true
	}
	for _, rel := range v.all() {
		at := place{rel.Namespace, rel.Name}
		if wanted[at] || !v.ours(rel) || kept(rel) {
			continue
		}
		addr := schema.Addr{Block: blockOf(rel), Type: typeRelease}
		if addrs[addr] { // its block makes another release now
			addr.Key = at.String()
		}
		addrs[addr] = true
		value, err := live(rel, cty.NullVal(releaseObject), nil)
		if err != nil {
			return err
		}
		v.obs.Found = append(v.obs.Found, providers.Resource{Addr: addr, Desired: cty.NullVal(releaseObject), After: afterAPI(v.bp, hcl.Range{})})
		l := providers.Live{Value: value, Notes: staying(rel)}
		l.After, l.Uses = recordedOrder(rel)
		v.obs.Live[addr] = l
		v.provider.remember(addr, known{masks: newMasks(recordSecrets(rel)...)})
	}
	return nil
}

// all are the releases in the order of their places.
func (v *view) all() []*release.Release {
	all := slices.Concat(slices.Collect(maps.Values(v.records.newest)), slices.Collect(maps.Values(v.records.ended)))
	slices.SortFunc(all, func(a, b *release.Release) int {
		return strings.Compare(place{a.Namespace, a.Name}.String(), place{b.Namespace, b.Name}.String())
	})
	return all
}

// staying tells which data of a release stays when it is removed.
func staying(rel *release.Release) []string {
	objects, _ := readManifest(rel.Manifest, rel.Namespace) // what is no object was never made
	var notes []string
	for _, o := range objects {
		if stays(o.groupKind()) {
			in := ""
			if o.namespace != "" {
				in = " --namespace " + o.namespace
			}
			notes = append(notes, fmt.Sprintf("%s stays when release %s/%s is removed, with the data behind it; to remove it as well: kubectl delete%s %s %s",
				o.title(), rel.Namespace, rel.Name, in, strings.ToLower(o.GetKind()), o.GetName()))
		}
	}
	return notes
}

// recordedOrder is what a release came after when it was made, and what it cannot work without.
func recordedOrder(rel *release.Release) (after []schema.BlockAddr, uses []string) {
	for line := range strings.Lines(annotation(rel, afterAnnotation)) {
		if b, err := schema.ParseBlockAddr(strings.TrimSpace(line)); err == nil {
			after = append(after, b)
		}
	}
	uses = []string{"Namespace/" + rel.Namespace}
	text := annotation(rel, usesAnnotation)
	if text == "" {
		objects, _ := readManifest(rel.Manifest, rel.Namespace) // what is no object uses nothing
		return after, append(uses, usesOfAll(objects)...)
	}
	return after, append(uses, strings.Split(text, "\n")...)
}

// blocksBefore are the blocks that a resource comes after.
func blocksBefore(r providers.Resource) []string {
	var blocks []string
	for _, e := range r.After {
		if text := e.To.Block.String(); e.To.Block != r.Addr.Block && !slices.Contains(blocks, text) {
			blocks = append(blocks, text)
		}
	}
	return blocks
}
