package helm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	release "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/expertflow/cxha/providers/kube"
)

// compareLive compares the objects of a deployed release with what is live.
func (p *prospect) compareLive(ctx context.Context) error {
	rel := p.record
	if rel == nil || rel.Info.Status.String() != statusDeployed || !p.view.ours(rel) {
		return nil
	}
	drift, err := p.view.drift(ctx, rel.Manifest, rel.Namespace)
	if err != nil && !badManifest(err) {
		return fmt.Errorf("objects of release %s: %s", place{rel.Namespace, rel.Name}, kube.Brief(err))
	}
	if err != nil {
		if drift, err = p.compareEach(ctx); err != nil {
			return err
		}
	}
	p.vanished = vanished(drift, rel)
	for _, d := range drift {
		if p.vanished[d.Object] {
			continue
		}
		if !d.Left {
			p.drift = append(p.drift, d)
			continue
		}
		p.live.Notes = append(p.live.Notes, fmt.Sprintf("%s of %s belongs to %s, which has set it otherwise than release %s: it is left so until the next change of the release",
			p.known.masks.text(d.Path), d.Object, d.Owner, place{rel.Namespace, rel.Name}))
	}
	return nil
}

func (v *view) drift(ctx context.Context, manifest, namespace string) ([]kube.Difference, error) {
	return v.provider.cluster.Differences(ctx, v.session, manifest, namespace)
}

// badManifest reports whether a comparison failed for what a record holds, not for want of an answer: the next revision mends that, so it must
// not stand in its way.
func badManifest(err error) bool {
	var status apierrors.APIStatus
	return !kube.Passing(err) && !errors.As(err, &status) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// compareEach compares the objects of a manifest that cannot be compared as a whole, one after the other, and notes which cannot be.
func (p *prospect) compareEach(ctx context.Context) ([]kube.Difference, error) {
	at := place{p.record.Namespace, p.record.Name}
	objects, bad := readManifest(p.record.Manifest, at.namespace)
	var unlike []string
	if bad != nil {
		unlike = append(unlike, strings.ReplaceAll(bad.Error(), "\n", "; "))
	}
	var all []kube.Difference
	for _, o := range objects {
		text, err := o.MarshalJSON()
		if err != nil {
			return nil, err
		}
		drift, err := p.view.drift(ctx, string(text), at.namespace)
		switch {
		case err == nil:
			all = append(all, drift...)
		case badManifest(err):
			unlike = append(unlike, o.title()+": "+kube.Brief(err))
		default:
			return nil, fmt.Errorf("objects of release %s: %s", at, kube.Brief(err))
		}
	}
	if len(unlike) > 0 {
		p.live.Notes = append(p.live.Notes, p.known.masks.text(fmt.Sprintf("the record of release %s holds what cannot be compared with the cluster, and what was changed by hand there is not seen: %s", at, strings.Join(unlike, "; "))))
	}
	return all, nil
}

// vanished are the objects of a record that are gone as they are meant to go by themselves: Jobs with a time to live after their end.
func vanished(drift []kube.Difference, rel *release.Release) map[string]bool {
	gone := func(d kube.Difference) bool { return d.Path == "" && strings.HasPrefix(d.Object, "Job.batch/") }
	ids := map[string]bool{}
	if !slices.ContainsFunc(drift, gone) {
		return ids
	}
	brief := map[string]bool{}
	objects, _ := readManifest(rel.Manifest, rel.Namespace) // what is no object is not missing
	for _, o := range objects {
		_, brief[o.id()], _ = unstructured.NestedFieldNoCopy(o.Object, "spec", "ttlSecondsAfterFinished")
	}
	for _, d := range drift {
		if gone(d) && brief[d.Object] {
			ids[d.Object] = true
		}
	}
	return ids
}
