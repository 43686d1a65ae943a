package blueprint

import (
	"maps"
	"slices"
	"strings"

	"github.com/expertflow/cxha/schema"
)

// checkReleases reports releases that are one and the same for Helm.
func (l *loader) checkReleases() {
	first := map[[2]string]*builtRelease{}
	for _, r := range l.releases {
		id := [2]string{r.Namespace, r.Name}
		if r.Namespace == "" || r.Name == "" {
			continue
		}
		if prev, dup := first[id]; dup {
			l.report(r.sec.mistake("name", "Two releases of one name", "%s and %s are both the release %q in the namespace %q, so each run would replace the one by the other. Give one of them another name or namespace.", prev.Addr, r.Addr, r.Name, r.Namespace))
			continue
		}
		first[id] = r
	}
}

func (l *loader) checkIngresses() {
	for i, in := range l.ingresses {
		l.checkIngressAddress(in)
		for _, o := range l.ingresses[:i] {
			l.checkTwoIngresses(o, in)
		}
	}
}

// checkIngressAddress looks for the address in the load balancer's pools.
func (l *loader) checkIngressAddress(in *builtIngress) {
	if !in.Address.IsValid() {
		return
	}
	if len(l.each("load_balancer")) == 0 {
		if l.complete() && !l.mentioned("load_balancer") && len(l.hidden["load_balancer"]) == 0 {
			l.report(in.sec.mistake("address", "Address without a load balancer", "%s wants the address %s, and the blueprint has no load balancer that could announce it. Add a block load_balancer %q with a pool that has the address, or leave address out.", in.Addr, in.Address, "metallb"))
		}
		return
	}
	var pools []string
	for _, b := range l.balancers {
		if b.wrong || !l.readable(b) || slices.ContainsFunc(b.pools, func(p *builtPool) bool { return p.sec.failed("addresses") }) {
			return
		}
		for _, p := range b.pools {
			if slices.ContainsFunc(p.ranges, func(r writtenRange) bool { return r.Contains(in.Address) }) {
				return
			}
			for _, r := range p.ranges {
				pools = append(pools, r.text+" of "+p.name)
			}
		}
	}
	if len(l.balancers) == 0 {
		return // its label is wrong
	}
	has := "It has no pools"
	if len(pools) > 0 {
		has = "Its pools have " + strings.Join(pools, ", ")
	}
	l.report(in.sec.mistake("address", "Address outside of the pools", "%s wants the address %s, which no pool of the load balancer has. %s. Add the address to a pool, or use one that is there.", in.Addr, in.Address, has))
}

// checkTwoIngresses compares two ingress blocks that stand in one blueprint.
func (l *loader) checkTwoIngresses(a, b *builtIngress) {
	if a.Default && b.Default {
		l.report(b.sec.mistake("default", "Two default ingress classes", "%s and %s are both the default, so an Ingress without a class would be refused by the API. default is true unless you say otherwise: set default = false in one of them.", a.Addr, b.Addr))
	}
	if a.Class == b.Class && a.Class != "" {
		l.report(b.sec.mistake("class", "Two ingress classes of one name", "%s and %s both have the class %q, and a class has one controller. Give one of them another class.", a.Addr, b.Addr, a.Class))
	}
	if a.Address == b.Address && a.Address.IsValid() {
		l.report(b.sec.mistake("address", "One address for two controllers", "%s and %s both want the address %s, and both want its ports 80 and 443. Give one of them another address.", a.Addr, b.Addr, a.Address))
	}
	for _, pair := range [][2]*builtIngress{{a, b}, {b, a}} {
		if t, o := pair[0], pair[1]; t.NginxClass && o.Class == schema.NginxIngress && !t.sec.failed("nginx_class") {
			l.report(t.sec.mistake("nginx_class", "Two controllers for class nginx", "%s serves class nginx as well, and it is the class of %s: both would answer for the same Ingress objects. Set nginx_class = false in %s, or take %s out.", t.Addr, o.Addr, t.Addr, o.Addr))
		}
	}
}

func (l *loader) checkStorages() {
	var def *builtStorage
	classes := map[string]*builtStorage{}
	for _, st := range l.storages {
		if prev, dup := classes[st.Class]; dup && st.Class != "" {
			l.report(st.sec.mistake("class", "Two storage classes of one name", "%s and %s both have the class %q. Give one of them another class.", prev.Addr, st.Addr, st.Class))
		}
		classes[st.Class] = st
		if st.Default && def != nil {
			l.report(st.sec.mistake("default", "Two default storage classes", "%s and %s are both the default. Which of them a claim without a class gets would depend on which was made last. Leave default = true in one of them.", def.Addr, st.Addr))
		}
		if st.Default {
			def = st
		}
		l.checkStorage(st)
	}
}

// checkVSphereValues looks for values that are meant for neither of RKE2's two charts.
func (l *loader) checkVSphereValues(st *builtStorage) {
	if st.Values.IsNull() {
		return
	}
	s := st.sec
	plain, _ := st.Values.Unmark()
	parts := []string{"cpi", "csi"}
	for _, name := range slices.Sorted(maps.Keys(plain.AsValueMap())) {
		if !slices.Contains(parts, name) {
			l.report(s.elementMistake("values", name, "Unknown attribute", "values of %s has %q, and for vsphere it takes cpi and csi, each with the values of RKE2's chart of that name: { cpi = { ... }, csi = { ... } }.%s", s.scope.where, name, didYouMean(name, parts, "")))
		}
	}
}

func (l *loader) checkStorage(st *builtStorage) {
	s := st.sec
	switch st.Kind {
	case schema.NFSStorage, schema.NFSSubdirStorage:
		if slices.Contains(st.MountOptions, "soft") {
			l.report(warning(s.fields["mount_options"].at, "Soft mount", "With the option soft, a write fails while the NFS server is away, and programs that do not expect that lose data: databases first. Use hard, with which they wait."))
		}
	case schema.LonghornStorage:
		if workers := len(l.bp.Workers); st.Replicas > workers && workers > 0 && l.complete() {
			l.report(warning(s.fields["replicas"].at, "More replicas than workers", "Each of the %d replicas of a volume needs a node of its own, and there are fewer workers (%d): volumes would stay degraded.", st.Replicas, workers))
		}
	case schema.VSphereStorage:
		l.checkVSphereValues(st)
	case schema.ClassStorage:
		for _, name := range []string{"parameters", "reclaim_policy"} {
			if st.Provisioner == "" && !s.failed("provisioner") && s.usable(name) {
				l.report(s.mistake(name, "Class that is there already", "%s names no provisioner, so its class is there already, and what it was made with cannot be changed. Take %s out, or name the provisioner for a class that cxha is to make.", st.Addr, name))
			}
		}
	}
}
