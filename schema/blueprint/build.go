package blueprint

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// built is a node of the blueprint with the section that it was made of, for the checks.
type built struct {
	Node
	sec *section
}

// build makes the blueprint of the computed units.
func (l *loader) build() {
	l.buildCluster()
	for _, u := range l.each("site") {
		for _, inst := range u.insts {
			l.bp.Sites = append(l.bp.Sites, Site{Addr: u.addr(inst.key), Source: inst.sec.source(), Name: inst.sec.str("name"), Subnets: prefixes(inst.sec.strs("subnets"))})
		}
	}
	for _, u := range slices.Concat(l.each(string(ControlPlane)), l.each(string(Worker)), l.each(string(Standby))) {
		for _, inst := range u.insts {
			l.buildNode(u, inst)
		}
	}
	byAddr := func(a, b Node) int { return a.Addr.Compare(b.Addr) }
	slices.SortFunc(l.bp.Workers, byAddr)
	slices.SortFunc(l.bp.Standbys, byAddr)
	slices.SortFunc(l.bp.Sites, func(a, b Site) int { return a.Addr.Compare(b.Addr) })
	l.buildWorkloads()
	l.buildOutputs()
	l.buildChecks()
}

// each returns the units of a root that count, in source order.
func (l *loader) each(root string) []*unit {
	return slices.DeleteFunc(slices.Clone(l.units), func(u *unit) bool { return u.root != root || u.extra })
}

func (l *loader) buildNode(u *unit, inst *instance) {
	n := l.node(u, inst)
	l.nodes = append(l.nodes, &built{Node: n, sec: inst.sec})
	switch n.Role {
	case ControlPlane:
		if l.bp.ControlPlane.Role == "" {
			l.bp.ControlPlane = n
		}
	case Worker:
		l.bp.Workers = append(l.bp.Workers, n)
	case Standby:
		l.bp.Standbys = append(l.bp.Standbys, n)
	}
}

func (l *loader) node(u *unit, inst *instance) Node {
	s := inst.sec
	n := Node{
		Addr: u.addr(inst.key), Source: s.source(), Role: Role(u.root), Name: s.str("name"), Address: address(s.str("address")), Site: s.str("site"),
		SSH: l.ssh(l.bp.Cluster.SSH, s), Schedulable: u.root != string(ControlPlane) || s.boolean("schedulable"),
		Labels: s.strMap("labels"), Config: mergeObjects(l.config, ownConfig(s)),
		DropIns: dropIns(s.sections("drop_in")), Manifests: dropIns(s.sections("manifest")),
	}
	for _, t := range s.sections("taint") {
		n.Taints = append(n.Taints, Taint{Key: t.str("key"), Value: t.str("value"), Effect: t.str("effect")})
	}
	for _, f := range s.sections("file") {
		n.Files = append(n.Files, File{Path: f.name, Content: f.get("content"), Owner: f.str("owner"), Mode: mode(f.str("mode")), Source: f.source()})
	}
	for _, d := range s.sections("directory") {
		n.Directories = append(n.Directories, Directory{Path: d.name, Owner: d.str("owner"), Mode: mode(d.str("mode")), Source: d.source()})
	}
	slices.SortFunc(n.Files, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	slices.SortFunc(n.Directories, func(a, b Directory) int { return cmp.Compare(a.Path, b.Path) })
	n.DependsOn = l.dependsOn(s.fields["depends_on"].refs)
	return n
}

// dependsOn resolves references: one to a block with for_each means all of its instances.
func (l *loader) dependsOn(refs []ref) []Ref {
	var out []Ref
	for _, r := range refs {
		u := l.byName[r.root][r.name]
		if u == nil {
			continue
		}
		key, keyed := instanceKey(r)
		found := false
		for _, inst := range u.insts {
			if !keyed || inst.key == key {
				found = true
				out = append(out, Ref{To: u.addr(inst.key), Range: r.at})
			}
		}
		if keyed && !found && !u.failed {
			l.report(mistake(r.at, "Unknown reference", "There is no %s.", u.addr(key)))
		}
	}
	return out
}

func dropIns(secs []*section) []DropIn {
	var out []DropIn
	for _, s := range secs {
		out = append(out, DropIn{Name: s.name, Content: s.str("content"), Source: s.source()})
	}
	slices.SortFunc(out, func(a, b DropIn) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (l *loader) buildOutputs() {
	for _, u := range l.each("output") {
		s := u.insts[0].sec
		v := s.get("value")
		if f := s.fields["value"]; v.ContainsMarked() && !s.boolean("sensitive") && !s.failed("sensitive") {
			l.report(mistake(f.at, "Sensitive output", "The value of the output %q was computed from something sensitive, and outputs are shown. Set sensitive = true to keep it hidden, or use nonsensitive(...) if it is no secret.", u.name))
		}
		if s.boolean("sensitive") {
			v = v.Mark(schema.Sensitive)
		}
		l.bp.Outputs = append(l.bp.Outputs, Output{Name: u.name, Value: v})
	}
	slices.SortFunc(l.bp.Outputs, func(a, b Output) int { return cmp.Compare(a.Name, b.Name) })
}

func (l *loader) buildChecks() {
	for _, u := range l.each("check") {
		s := u.insts[0].sec
		message, failed := s.failedCondition()
		l.bp.Checks = append(l.bp.Checks, Check{Addr: u.addr(""), Source: s.source(), Passed: s.usable("condition") && !failed, Error: s.str("error_message")})
		if failed {
			f := s.fields["condition"]
			l.report(evaluated(mistake(f.at, "Check failed", "%s", message), f.expr, f.ctx))
		}
	}
	slices.SortFunc(l.bp.Checks, func(a, b Check) int { return a.Addr.Compare(b.Addr) })
}

// ownConfig are the options of RKE2 that a block gives, checked ones and others.
func ownConfig(s *section) cty.Value { return mergeObjects(s.get("config"), s.get("unchecked_config")) }

// mergeObjects returns an object with the attributes of both, of which over wins; null if both are.
func mergeObjects(base, over cty.Value) cty.Value {
	switch {
	case !base.IsKnown(), !over.IsKnown():
		return cty.DynamicVal
	case over.IsNull():
		return base
	case base.IsNull():
		return over
	}
	base, baseMarks := base.Unmark()
	over, overMarks := over.Unmark()
	attrs := base.AsValueMap()
	if attrs == nil {
		attrs = map[string]cty.Value{}
	}
	for k, v := range over.AsValueMap() {
		attrs[k] = v
	}
	return cty.ObjectVal(attrs).WithMarks(baseMarks, overMarks)
}

// address reads an IP address that its rule has passed.
func address(s string) netip.Addr {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

func prefixes(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if p := prefix(s); p.IsValid() {
			out = append(out, p)
		}
	}
	return out
}

func prefix(s string) netip.Prefix {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// mode writes permissions with four digits.
func mode(s string) string {
	if len(s) == 3 {
		return "0" + s
	}
	return s
}
