package helm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/expertflow/cxha/schema/blueprint"
)

// fetches is how many charts are fetched at the same time.
const fetches = 8

// Resolve returns the lock of a blueprint: the version of RKE2, and the digest of every chart as it is now where it comes from.
// The archives are kept in the cache. report is told what is being looked up; it may be nil. All charts are tried; the error
// joins what failed.
func (c *Charts) Resolve(ctx context.Context, bp *blueprint.Blueprint, report func(string)) (blueprint.Lock, error) {
	dir, err := filepath.Abs(bp.Dir)
	if err != nil {
		return blueprint.Lock{}, fmt.Errorf("blueprint %s: %w", bp.Dir, err)
	}
	refs := chartsOf(bp)
	lock := blueprint.Lock{Path: filepath.Join(dir, blueprint.LockFile), RKE2: bp.Cluster.Version, Charts: make([]blueprint.LockedChart, len(refs))}
	errs := make([]error, len(refs))
	var mu sync.Mutex // guards report
	var g errgroup.Group
	g.SetLimit(fetches)
	for i, ref := range refs {
		g.Go(func() error {
			if report != nil {
				mu.Lock()
				report(describe(ref))
				mu.Unlock()
			}
			lock.Charts[i].Chart = ref
			lock.Charts[i].Digest, errs[i] = c.resolve(ctx, ref)
			return nil // the others are resolved all the same
		})
	}
	return lock, errors.Join(g.Wait(), errors.Join(errs...))
}

// resolve returns the digest that a chart has now.
func (c *Charts) resolve(ctx context.Context, ref blueprint.Chart) (string, error) {
	if isLocal(ref) {
		files, digest, err := readLocal(ref)
		if err == nil {
			_, err = assemble(ref, files)
		}
		return digest, err
	}
	text, err := c.download(ctx, ref)
	if err != nil {
		return "", err
	}
	files, err := unpack(ref, text)
	if err == nil {
		_, err = assemble(ref, files)
	}
	if err != nil {
		return "", err
	}
	return digestOf(text), c.keep(text)
}

// chartsOf returns the blueprint's charts, each once, in order.
func chartsOf(bp *blueprint.Blueprint) []blueprint.Chart {
	var refs []blueprint.Chart
	for _, r := range releases(bp) {
		if !slices.ContainsFunc(refs, func(c blueprint.Chart) bool { return sameChart(c, r.Chart) }) {
			refs = append(refs, r.Chart)
		}
	}
	slices.SortFunc(refs, func(a, b blueprint.Chart) int {
		return strings.Compare(a.Name+"\n"+a.Repository+"\n"+a.Version, b.Name+"\n"+b.Repository+"\n"+b.Version)
	})
	return refs
}

// sameSource reports whether two charts come from the same place, in whatever version.
func sameSource(a, b blueprint.Chart) bool {
	return a.Name == b.Name && strings.TrimSuffix(a.Repository, "/") == strings.TrimSuffix(b.Repository, "/")
}

// sameChart reports whether two charts are the same version of the same chart. A chart beside the blueprint has none to tell.
func sameChart(a, b blueprint.Chart) bool {
	return sameSource(a, b) && (a.Version == b.Version || isLocal(a))
}

// LockChange is one difference between two locks.
type LockChange struct {
	Chart string // as the blueprint names it; empty: the version of RKE2
	Old   string // version, or for a chart beside the blueprint its digest; empty: it was not there
	New   string // likewise; empty: it is not there any more

	OldDigest, NewDigest string // sha256:HEX; empty for RKE2

	// Rewritten is set where the same version has another digest than before: somebody changed it.
	Rewritten bool
}

// String is the change in words.
func (c LockChange) String() string {
	what := "rke2"
	if c.Chart != "" {
		what = "chart " + c.Chart
	}
	switch {
	case c.Old == "":
		return what + " " + c.New + " (new)"
	case c.New == "":
		return what + " " + c.Old + " (no longer in the blueprint)"
	case c.Rewritten:
		return fmt.Sprintf("%s %s: another digest under the same version", what, c.New)
	}
	return fmt.Sprintf("%s %s -> %s", what, c.Old, c.New)
}

// LockChanges compares locks. old may be nil: there was none.
func LockChanges(old *blueprint.Lock, now blueprint.Lock) []LockChange {
	if old == nil {
		old = &blueprint.Lock{}
	}
	var changes []LockChange
	if old.RKE2 != now.RKE2 {
		changes = append(changes, LockChange{Old: old.RKE2, New: now.RKE2})
	}
	dir := filepath.Dir(now.Path)
	for _, c := range now.Charts {
		was, ok := lockedBefore(*old, now, c.Chart)
		change := LockChange{Chart: shownName(dir, c.Chart), New: shownVersion(c), NewDigest: c.Digest}
		switch {
		case ok && was.Digest == c.Digest && sameChart(was.Chart, c.Chart):
			continue
		case ok:
			change.Old, change.OldDigest = shownVersion(was), was.Digest
			change.Rewritten = sameChart(was.Chart, c.Chart) && !isLocal(c.Chart)
		}
		changes = append(changes, change)
	}
	for _, was := range old.Charts {
		if !slices.ContainsFunc(now.Charts, func(c blueprint.LockedChart) bool { return sameSource(c.Chart, was.Chart) }) {
			changes = append(changes, LockChange{Chart: shownName(dir, was.Chart), Old: shownVersion(was), OldDigest: was.Digest})
		}
	}
	return changes
}

// lockedBefore finds what a chart was in the old lock: the same version, else another version that is not wanted any more.
func lockedBefore(old, now blueprint.Lock, ref blueprint.Chart) (blueprint.LockedChart, bool) {
	for _, c := range old.Charts {
		if sameChart(c.Chart, ref) {
			return c, true
		}
	}
	for _, c := range old.Charts {
		kept := slices.ContainsFunc(now.Charts, func(n blueprint.LockedChart) bool { return sameChart(n.Chart, c.Chart) })
		if sameSource(c.Chart, ref) && !kept {
			return c, true
		}
	}
	return blueprint.LockedChart{}, false
}

func shownVersion(c blueprint.LockedChart) string {
	if isLocal(c.Chart) {
		return "sha256:" + digits(c.Digest)[:min(12, len(digits(c.Digest)))]
	}
	return c.Version
}

// shownName is a chart's name as plans show it: that of a chart beside the blueprint is relative to it, so that a plan is the same
// on every machine.
func shownName(dir string, ref blueprint.Chart) string {
	if !isLocal(ref) {
		return ref.Name
	}
	rel, err := filepath.Rel(dir, ref.Name)
	if err != nil {
		return filepath.Base(ref.Name)
	}
	rel = filepath.ToSlash(rel)
	if !strings.HasPrefix(rel, "../") {
		rel = "./" + rel
	}
	return rel
}
