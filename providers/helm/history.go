package helm

import (
	"errors"
	"fmt"
	"slices"

	"helm.sh/helm/v4/pkg/action"
	helmrelease "helm.sh/helm/v4/pkg/release"
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
)

// history is how many revisions of a release are kept: Helm's own default.
const history = 10

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
