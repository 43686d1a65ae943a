package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema/blueprint"
)

// Difference is a field that a manifest states and that is otherwise in the cluster.
type Difference struct {
	Object       string    // Deployment.apps/cx/web
	Path         string    // as plans show it: spec.template.spec.containers["name=web"].image; empty: the object is not there
	Live, Wanted cty.Value // null: not there. Secrets' data are marked sensitive.
	Sensitive    bool      // the values must not be shown
	Owner        string    // field manager that has the field now; empty: nobody is known to
	Left         bool      // the owner is a program in the cluster, with which cxha does not fight
}

// Differences compares a manifest, such as a release's, with what is live: of each object the fields that the manifest states. They
// are in the order of objects and paths. Objects of namespaced kinds that name no namespace are in the given one.
//
// A kind's objects are listed once per probe, however many manifests are compared. Safe for concurrent use, also beside Probe,
// whose begin it waits for. [NotStarted] and [Passing] tell what an error means.
func (p *Provider) Differences(ctx context.Context, s providers.Session, manifest, namespace string) ([]Difference, error) {
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
	found := make([][]Difference, len(objects))
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
	all := slices.Concat(found...)
	slices.SortStableFunc(all, func(a, b Difference) int {
		return cmp.Or(strings.Compare(a.Object, b.Object), strings.Compare(a.Path, b.Path))
	})
	return all, nil
}

// drift compares one object.
func (v *view) drift(ctx context.Context, kinds *catalog, wanted *unstructured.Unstructured, namespace string) ([]Difference, error) {
	if err := check(wanted); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	clean(wanted)
	if err := canonical(wanted); err != nil {
		return nil, fmt.Errorf("manifest: %s does not fit its kind: %s", title(wanted), unlessSecret(isSecret(wanted.Object), err))
	}
	id := identityOf(wanted).String()
	kind, ok := kinds.find(wanted.GroupVersionKind())
	if !ok {
		return []Difference{{Object: id}}, nil
	}
	place(wanted, kind, bundle{Common: blueprint.Common{Namespace: namespace}})
	all, err := v.list(ctx, listing{kind: kind})
	if err != nil {
		return nil, err
	}
	id = identityOf(wanted).String()
	live := all[nameOf(wanted)]
	if live == nil || live.GetDeletionTimestamp() != nil {
		return []Difference{{Object: id}}, nil
	}
	return differences(id, wanted, live), nil
}

// differences are the fields of an object that are otherwise than stated, and those that are left to their owners.
func differences(id string, full, live *unstructured.Unstructured) []Difference {
	wanted, left := leave(full, live)
	var found []Difference
	for _, f := range left {
		found = append(found, Difference{Object: id, Path: f.path, Live: valueOf(f.live), Wanted: valueOf(f.wanted), Sensitive: isSecret(full.Object), Owner: f.owner.name, Left: true})
	}
	live = released(live)
	b, a := compared(wanted, live, predicted(wanted, live))
	for _, d := range plans.Attrs(contentValue(b, false), contentValue(a, false)) {
		found = append(found, Difference{Object: id, Path: d.Path, Live: d.Before, Wanted: d.After, Sensitive: d.Sensitive || isSecret(full.Object)})
	}
	return found
}

// releases is the field manager of releases: Helm's own name, whoever sends them.
const releases = "helm"

// released returns a live object of a release whose fields count as the comparison's own: what Helm has applied is what the manifest stands
// for. What Helm's older way has set holds the server's defaults as well, so it tells the form of fields only.
func released(live *unstructured.Unstructured) *unstructured.Unstructured {
	entries := slices.Clone(live.GetManagedFields())
	for i, e := range entries {
		switch {
		case e.Manager != releases || e.Subresource != "":
		case e.Operation == metav1.ManagedFieldsOperationApply:
			entries[i].Manager = FieldManager
		default:
			entries[i].Manager = nobody
		}
	}
	own := live.DeepCopy()
	own.SetManagedFields(entries)
	return own
}

// Drift tells the differences of a manifest as texts: "5, released 2" by object and field, "missing" where there is none.
func (p *Provider) Drift(ctx context.Context, s providers.Session, manifest, namespace string) (map[string]string, error) {
	found, err := p.Differences(ctx, s, manifest, namespace)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, d := range found {
		switch {
		case d.Left:
		case d.Path == "":
			all[d.Object] = "missing"
		case d.Live.IsNull():
			all[d.Object+" "+d.Path] = "missing"
		case d.Sensitive:
			all[d.Object+" "+d.Path] = "differs"
		default:
			all[d.Object+" "+d.Path] = fmt.Sprintf("%s, released %s", shown(plainOf(d.Live)), shown(plainOf(d.Wanted)))
		}
	}
	return all, nil
}
