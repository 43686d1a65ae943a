package blueprint

import (
	"slices"
	"time"

	"github.com/expertflow/cxha/schema"
)

// builtRelease is a helm_release with the section that it was made of, for the checks; the types below are alike.
type builtRelease struct {
	Release
	sec *section
}

// buildWorkloads makes the blocks that put objects into the cluster.
func (l *loader) buildWorkloads() {
	for _, typ := range schema.WorkloadTypes() {
		for _, u := range l.each(typ) {
			for _, inst := range u.insts {
				l.buildWorkload(u, inst)
			}
		}
	}
	slices.SortFunc(l.bp.Releases, func(a, b Release) int { return a.Addr.Compare(b.Addr) })
	slices.SortFunc(l.bp.Manifests, func(a, b Manifest) int { return a.Addr.Compare(b.Addr) })
	slices.SortFunc(l.bp.Kustomizations, func(a, b Kustomization) int { return a.Addr.Compare(b.Addr) })
	slices.SortFunc(l.bp.LoadBalancers, func(a, b LoadBalancer) int { return a.Addr.Compare(b.Addr) })
	slices.SortFunc(l.bp.Ingresses, func(a, b Ingress) int { return a.Addr.Compare(b.Addr) })
	slices.SortFunc(l.bp.Storages, func(a, b Storage) int { return a.Addr.Compare(b.Addr) })
}

func (l *loader) buildWorkload(u *unit, inst *instance) {
	s, common := inst.sec, l.common(u, inst)
	switch u.root {
	case "helm_release":
		r := Release{Common: common, Name: s.str("name"), Chart: l.chart(s, schema.DefaultChartOf{}), Values: l.chartValues(s), Apply: s.str("apply")}
		l.bp.Releases = append(l.bp.Releases, r)
		l.releases = append(l.releases, &builtRelease{Release: r, sec: s})
	case "manifest":
		l.bp.Manifests = append(l.bp.Manifests, Manifest{Common: common, Texts: l.texts(s)})
	case "kustomization":
		l.bp.Kustomizations = append(l.bp.Kustomizations, Kustomization{Common: common, Path: l.kustomizationPath(s)})
	}
	if u.shape.Label.Rule == nil || u.shape.Label.Rule.Check(u.name) != "" {
		return
	}
	switch u.root {
	case "load_balancer":
		l.buildBalancer(u, s, common)
	case "ingress":
		l.buildIngress(u.name, s, common)
	case "storage":
		l.buildStorage(u.name, s, common)
	}
}

// common reads what all of these blocks have. Attributes that a type of block lacks are zero.
func (l *loader) common(u *unit, inst *instance) Common {
	s := inst.sec
	c := Common{Addr: u.addr(inst.key), Source: s.source(), Namespace: s.str("namespace"), Keep: s.boolean("keep"), DependsOn: l.dependsOn(s.fields["depends_on"].refs)}
	if limit := s.str("timeout"); limit != "" {
		c.Timeout, _ = time.ParseDuration(limit) // its rule has passed it
	}
	return c
}
