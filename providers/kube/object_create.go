package kube

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/addons"
	"github.com/expertflow/cxha/schema/blueprint"
)

// namespacesOf are the namespaces that the blueprint's releases make.
func namespacesOf(bp *blueprint.Blueprint) map[string]bool {
	made := map[string]bool{}
	for _, r := range slices.Concat(bp.Releases, addons.Releases(bp)) {
		made[r.Namespace] = true
	}
	return made
}

// creation tries an object that is not there: what the API server would refuse is an error of the plan.
func (o *observer) creation(ctx context.Context, c comparison, others objects) (providers.Live, error) {
	if ran(o.world.ran, c.wanted) {
		return finished(c.resource), nil
	}
	l := providers.Live{Value: absent(objectKind{})}
	err := o.try(ctx, c)
	if missing := c.wanted.GetNamespace(); apierrors.IsNotFound(err) && missing != "" {
		if !o.made[missing] {
			l.Refuse = fmt.Errorf("%s: nobody makes the namespace %s: there is none of that name, and neither a manifest nor a release of the blueprint brings it. Add "+
				"a Namespace to a manifest, or correct the name", title(c.wanted), missing)
			// What a block comes after may bring it, as an operator does.
			b := o.conn.bundleOf(c.resource.Addr.Block)
			l.Deferred = len(b.After)+len(b.DependsOn) > 0
			return l, nil
		}
		err = o.tryElsewhere(ctx, c, others)
	}
	switch {
	case err == nil, apierrors.IsNotFound(err), apierrors.HasStatusCause(err, "NamespaceTerminating"):
	case transient(err):
		return l, err
	default:
		l.Refuse, l.Deferred = o.refusal(c, err)
	}
	return l, nil
}

// try asks the API server to apply an object that is not there, without doing it.
func (o *observer) try(ctx context.Context, c comparison) error {
	api, err := resourceOf(o.view.config, c.kind, c.wanted)
	if err != nil {
		return err
	}
	_, err = applyTo(ctx, api, application{body: body(c.resource.Desired, c.wanted, false), dryRun: []string{metav1.DryRunAll}})
	return err
}

// tryElsewhere tries an object whose namespace is not there yet in another one, where only what is wrong with the object itself counts.
func (o *observer) tryElsewhere(ctx context.Context, c comparison, others objects) error {
	if others[types.NamespacedName{Namespace: "default", Name: c.wanted.GetName()}] != nil {
		return nil // it would be merged with the one that is there
	}
	c.wanted = c.wanted.DeepCopy()
	c.wanted.SetNamespace("default")
	err := o.try(ctx, c)
	if err != nil && (wrong(err) && !decided(err) || transient(err)) {
		return err
	}
	return nil
}
