package kube

import (
	"context"
	"errors"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/expertflow/cxha/internal/crash"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// dryRuns is how many run at the same time.
const dryRuns = 16

// observing is a probe's question about objects.
type observing struct {
	bp        *blueprint.Blueprint
	world     *world
	resources []providers.Resource
}

// observer compares objects with what is desired.
type observer struct {
	observing
	conn    *conn
	view    *view
	catalog *catalog
	defined map[kschema.GroupKind]schema.Addr // by the blueprint's own definitions
	made    map[string]bool                   // namespaces that the blueprint makes
}

// mayHaveObjects reports whether there may be objects of cxha's in a cluster whose blueprint has none: the inventory says so, or
// it is lost.
func mayHaveObjects(w *world, bp *blueprint.Blueprint) bool {
	if len(w.hints) > 0 {
		return true
	}
	if w.inventory != nil {
		return false
	}
	for _, n := range w.nodes {
		if n.Labels[ClusterLabel] == bp.Cluster.Name {
			return true
		}
	}
	return false
}

// observeObjects adds the live values of objects, and those with the mark that are not in the blueprint.
func (p *Provider) observeObjects(ctx context.Context, c *conn, what observing, obs *providers.Observation) error {
	c.rememberHints(what.world.hints)
	o := &observer{observing: what, conn: c, defined: map[kschema.GroupKind]schema.Addr{}, made: namespacesOf(what.bp)}
	for _, r := range what.resources {
		if d, err := objectOf(r.Desired); err == nil { // one tells of errors
			if kind, ok := definedKind(d); ok {
				o.defined[kind] = r.Addr
			}
			if d.GroupVersionKind().GroupKind() == namespaces {
				o.made[d.GetName()] = true
			}
		}
	}
	live := make([]providers.Live, len(what.resources))
	var gone []leaving
	var notes []string
	err := p.within(ctx, func(ctx context.Context) (err error) {
		if o.view, err = c.readOf(ctx); err != nil {
			return err
		}
		if o.catalog, err = o.view.kinds(ctx); err != nil {
			return err
		}
		var g errgroup.Group
		g.Go(func() (err error) { gone, notes, err = o.found(ctx); return err })
		g.Go(func() error { return o.all(ctx, live) })
		return g.Wait()
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, r := range what.resources {
		obs.Live[r.Addr] = live[i]
		if err != nil {
			obs.Live[r.Addr] = providers.Live{Unknown: "Kubernetes API: " + brief(err), Deferred: transient(err)}
		}
	}
	if err != nil {
		return nil
	}
	obs.Notes = append(obs.Notes, notes...)
	for _, l := range gone {
		obs.Found = append(obs.Found, l.resource)
		obs.Live[l.resource.Addr] = providers.Live{Value: l.value, After: l.after}
	}
	return nil
}

// all observes the resources at the same time. The first of a kind makes its list.
func (o *observer) all(ctx context.Context, live []providers.Live) error {
	var g errgroup.Group
	g.SetLimit(dryRuns)
	for i, r := range o.resources {
		g.Go(func() error {
			var v providers.Live
			err := crash.Call(func() (err error) {
				v, err = o.one(ctx, r)
				return err
			})
			switch {
			case err == nil:
				live[i] = v
			case transient(err):
				return err
			default:
				live[i] = providers.Live{Unknown: fmt.Sprintf("Kubernetes API: %s", brief(err))}
			}
			return nil
		})
	}
	return g.Wait()
}

func (o *observer) one(ctx context.Context, r providers.Resource) (providers.Live, error) {
	wanted, err := objectOf(r.Desired)
	if err != nil {
		return providers.Live{}, err
	}
	kind, ok := o.catalog.find(wanted.GroupVersionKind())
	if !ok {
		return o.undefined(r, wanted.GroupVersionKind()), nil
	}
	stated := wanted.GetNamespace()
	place(wanted, kind, o.conn.bundleOf(r.Addr.Block))
	all, err := o.view.list(ctx, listing{kind: kind})
	if err != nil {
		return providers.Live{}, err
	}
	live := all[nameOf(wanted)]
	if live == nil {
		return o.creation(ctx, comparison{resource: r, kind: kind, wanted: wanted, stated: stated}, all)
	}
	if live.GetDeletionTimestamp() != nil { // what is on its way out is made anew when it is gone
		return providers.Live{Value: absent(objectKind{})}, nil
	}
	return o.compare(ctx, comparison{resource: r, kind: kind, wanted: wanted, live: live, stated: stated})
}

// place gives an object the namespace that could not be known without the API.
func place(o *unstructured.Unstructured, kind servedKind, b bundle) {
	switch {
	case !kind.namespaced:
		unstructured.RemoveNestedField(o.Object, "metadata", "namespace")
	case o.GetNamespace() == "":
		o.SetNamespace(b.namespace())
	}
}

// undefined is an object whose kind the API does not have.
func (o *observer) undefined(r providers.Resource, gvk kschema.GroupVersionKind) providers.Live {
	if err := o.catalog.broken[gvk.Group]; err != nil {
		return providers.Live{Unknown: fmt.Sprintf("the API has the group %s, and does not answer for it: %s", gvk.Group, brief(err)), Deferred: true}
	}
	_, defined := o.defined[gvk.GroupKind()]
	b := o.conn.bundleOf(r.Addr.Block)
	brought := defined || len(b.After)+len(b.DependsOn) > 0
	text := fmt.Sprintf("the API has no kind %s of %s", gvk.Kind, gvk.GroupVersion())
	if _, other := o.catalog.preferred[gvk.GroupKind()]; other && brought { // it may be there in another version
		return providers.Live{Unknown: text + " yet: known after what brings that version", Deferred: true}
	}
	if brought { // there is no object of a kind that the API does not have
		return providers.Live{Value: absent(objectKind{})}
	}
	return providers.Live{Unknown: text + ", and nothing that the block depends on brings it; if a chart or another block does, name it in depends_on"}
}

// comparison is an object and what is live of it.
type comparison struct {
	resource     providers.Resource
	kind         servedKind
	wanted, live *unstructured.Unstructured
	stated       string // namespace that the blueprint states; empty: none
}

// compare returns what is live and what an apply would make of it. The API server is asked only where fields, or what was applied
// last, differ from the blueprint.
func (o *observer) compare(ctx context.Context, c comparison) (providers.Live, error) {
	full := c.wanted
	secret := hides(c.resource.Desired, full)
	wanted, left := leave(full, c.live)
	c.wanted = wanted
	l := providers.Live{Uses: Uses(c.live), After: marksOf(c.live).comesAfter()}
	for _, f := range left {
		l.Notes = append(l.Notes, leftNote(full, f, secret))
	}
	was := marksOf(c.live)
	ours := was.cluster == o.bp.Cluster.Name
	next := predicted(wanted, c.live)
	holds := equalFields(next.Object, cleaned(c.live))
	if ours && !holds {
		l.Cause = changedBy(wanted, c.live)
	}
	dropsKeep := false
	switch {
	case ours && holds && c.live.GetAnnotations()[appliedAnnotation] == shapeDigest(c.resource.Desired) && statesAll(full.Object, appliedBy(c.live)):
		next = c.live
	case !ours && !holds && full.GroupVersionKind().GroupKind() != namespaces:
		l.Refuse = errors.New(foreign(wanted, c.live, o.bp.Cluster.Name))
	default:
		dry, err := o.dryRun(ctx, c)
		switch {
		case err == nil:
			next, dropsKeep = dry, was.keep && !marksOf(dry).keep
		case transient(err):
			return l, err
		default:
			l.Refuse, l.Deferred = o.refusal(c, err)
		}
	}
	l.Notes = append(l.Notes, jobNote(c.live)...)
	o.values(&l, c, next, dropsKeep)
	return l, nil
}

// values fills in what is live and what will be.
func (o *observer) values(l *providers.Live, c comparison, next *unstructured.Unstructured, dropsKeep bool) {
	before, after := compared(c.wanted, c.live, next)
	if c.stated == "" {
		unstructured.RemoveNestedField(before, "metadata", "namespace") // as the blueprint has it
		unstructured.RemoveNestedField(after, "metadata", "namespace")
	}
	d := c.resource.Desired
	was := marksOf(c.live)
	was.id = attr(d, "id")
	was.keep = was.keep && (keeps(d) || dropsKeep) // who else wants it to be kept may
	if was.cluster != o.bp.Cluster.Name {
		was.cluster = ""
	}
	was.unready = was.unready && !settled(c.live)
	is := facts{id: was.id, cluster: o.bp.Cluster.Name, block: attr(d, "block"), keep: keeps(d), after: texts(d.GetAttr("after"))}
	whole := d.GetAttr("content").HasMark(schema.Sensitive)
	l.Value = was.value(contentValue(before, whole))
	l.Result = is.value(contentValue(after, whole))
}

// predicted is what an apply makes of a live object as far as that can be seen without the API server.
func predicted(wanted, live *unstructured.Unstructured) *unstructured.Unstructured {
	next := &unstructured.Unstructured{Object: cleaned(live)}
	if made, ok := overlay(wanted.Object, next.Object, root(live)).(map[string]any); ok {
		next.Object = made
	}
	return next
}

// appliedBy are the fields that cxha applied to an object last.
func appliedBy(o *unstructured.Unstructured) owned {
	for _, m := range managersOf(o) {
		if m.name == FieldManager && m.applied && m.subresource == "" {
			return m.fields
		}
	}
	return owned{}
}

// cleaned are an object's fields without those that the API server and cxha write for themselves.
func cleaned(o *unstructured.Unstructured) map[string]any {
	o = o.DeepCopy() // others read the list too
	clean(o)
	return o.Object
}

// hides reports whether the fields' values must not be shown.
func hides(desired cty.Value, o *unstructured.Unstructured) bool {
	return desired.GetAttr("content").HasMark(schema.Sensitive) || isSecret(o.Object)
}
