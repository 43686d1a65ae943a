package kube

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Drift compares a manifest, such as a release's, with what is live: of each object the fields that the manifest states. The keys
// are the fields that differ, as in "Deployment.apps/cx/web spec.replicas", the values what is live and what the manifest has:
// "5, released 2"; an object that is not there has "Deployment.apps/cx/web" and "missing". Values of Secrets are never told. Objects
// of namespaced kinds that name no namespace are in the given one.
//
// A kind's objects are listed once per probe, however many manifests are compared. Safe for concurrent use, also beside Probe,
// whose begin it waits for. [NotStarted] and [Passing] tell what an error means.
func (p *Provider) Drift(ctx context.Context, s providers.Session, manifest, namespace string) (map[string]string, error) {
	c, err := p.await(ctx, s)
	if err != nil {
		return nil, err
	}
	objects, errs := readObjects(manifest, false)
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	v, err := c.readOf(ctx)
	if err != nil {
		return nil, err
	}
	kinds, err := v.kinds(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]map[string]string, len(objects))
	var g errgroup.Group
	g.SetLimit(dryRuns)
	for i, o := range objects {
		g.Go(func() (err error) {
			found[i], err = v.drift(ctx, kinds, o, namespace)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, fields := range found {
		for path, text := range fields {
			all[path] = text
		}
	}
	return all, nil
}

// drift compares one object.
func (v *view) drift(ctx context.Context, kinds *catalog, wanted *unstructured.Unstructured, namespace string) (map[string]string, error) {
	if err := check(wanted); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	clean(wanted)
	if err := canonical(wanted); err != nil {
		return nil, fmt.Errorf("manifest: %s does not fit its kind: %s", title(wanted), unlessSecret(isSecret(wanted.Object), err))
	}
	kind, ok := kinds.find(wanted.GroupVersionKind())
	if !ok {
		return map[string]string{identityOf(wanted).String(): "missing"}, nil
	}
	place(wanted, kind, bundle{Common: blueprint.Common{Namespace: namespace}})
	all, err := v.list(ctx, listing{kind: kind})
	if err != nil {
		return nil, err
	}
	id := identityOf(wanted).String()
	live := all[nameOf(wanted)]
	if live == nil || live.GetDeletionTimestamp() != nil {
		return map[string]string{id: "missing"}, nil
	}
	fields := map[string]string{}
	for _, d := range differences("", wanted.Object, live.Object) {
		switch {
		case isSecret(wanted.Object) && d.live != (any)(missing{}):
			fields[id+" "+d.path] = "differs"
		case d.live == (any)(missing{}):
			fields[id+" "+d.path] = "missing"
		default:
			fields[id+" "+d.path] = fmt.Sprintf("%s, released %s", shown(d.live), shown(d.wanted))
		}
	}
	return fields, nil
}
