package helm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"
	release "helm.sh/helm/v4/pkg/release/v1"

	"github.com/expertflow/cxha/plans"
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
		p.remember(r.Addr, known{release: rel, cluster: bp.Cluster.Name, digest: attr(r.Desired, "digest")})
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

	mu  sync.Mutex // guards obs
	obs providers.Observation
}

func (v *view) observe(ctx context.Context) (providers.Observation, error) {
	v.obs.Live = map[schema.Addr]providers.Live{}
	taken := v.assign()
	var g errgroup.Group
	g.SetLimit(fetches)
	for _, r := range v.resources {
		g.Go(func() error {
			l := v.look(ctx, r, taken[r.Addr])
			v.mu.Lock()
			defer v.mu.Unlock()
			v.obs.Live[r.Addr] = l
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return v.obs, err
	}
	if ctx.Err() != nil {
		return v.obs, context.Cause(ctx)
	}
	return v.obs, v.leftover(taken)
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

// look returns the live value of a resource, and makes ready for its change.
func (v *view) look(ctx context.Context, r providers.Resource, rel *release.Release) providers.Live {
	if v.records.unreadable[placeOf(r.Desired)] {
		return providers.Live{Unknown: fmt.Sprintf("the record of release %s cannot be read: it may be of a newer version of Helm", placeOf(r.Desired))}
	}
	value := cty.NullVal(releaseObject)
	if rel != nil {
		var err error
		if value, err = v.value(ctx, r, rel); err != nil {
			return providers.Live{Unknown: err.Error()}
		}
	}
	delta, err := plans.Diff(r.Desired, value, plans.DiffOptions{})
	if err != nil {
		return providers.Live{Unknown: err.Error()}
	}
	if delta.Action.Changes() {
		if err := v.prepare(ctx, r.Addr); err != nil {
			return providers.Live{Unknown: err.Error()}
		}
	}
	return providers.Live{Value: value}
}

func (v *view) value(ctx context.Context, r providers.Resource, rel *release.Release) (cty.Value, error) {
	var drift map[string]string
	if rel.Info.Status.String() == statusDeployed && v.ours(rel) {
		var err error
		if drift, err = v.provider.cluster.Drift(ctx, v.session, rel.Manifest, rel.Namespace); err != nil {
			return cty.NilVal, fmt.Errorf("objects of release %s: %s", place{rel.Namespace, rel.Name}, kube.Brief(err))
		}
	}
	return live(rel, r.Desired, drift)
}

// prepare fetches the chart of a release that will change. That it cannot be had is an error; that it has other bytes than agreed
// on, or does not take the values, is a refusal, which the plan reports.
func (v *view) prepare(ctx context.Context, addr schema.Addr) error {
	k, _ := v.provider.recall(addr)
	ctx, cancel := context.WithTimeoutCause(ctx, v.provider.options.FetchTimeout, fmt.Errorf("it did not come within %s", v.provider.options.FetchTimeout))
	defer cancel()
	ch, err := v.provider.options.Charts.Load(ctx, k.release.Chart, k.digest)
	var other *DigestError
	switch {
	case errors.As(err, &other):
		k.refuse = err
	case err != nil:
		return err
	default:
		k.refuse = checkValues(ch, k.release)
	}
	v.provider.remember(addr, k)
	return nil
}

// leftover adds the releases with the cluster's mark that the blueprint no longer has.
func (v *view) leftover(taken map[schema.Addr]*release.Release) error {
	wanted, addrs := map[place]bool{}, map[schema.Addr]bool{}
	for _, r := range v.resources {
		wanted[placeOf(r.Desired)] = true
		addrs[r.Addr] = true
	}
	for _, rel := range taken {
		wanted[place{rel.Namespace, rel.Name}] = true
	}
	for _, at := range v.places() {
		rel := v.records.newest[at]
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
		v.obs.Found = append(v.obs.Found, providers.Resource{Addr: addr, Desired: cty.NullVal(releaseObject), Range: hcl.Range{}})
		v.obs.Live[addr] = providers.Live{Value: value}
	}
	return nil
}
