package blueprint

import (
	"cmp"
	"slices"

	"github.com/expertflow/cxha/schema"
)

type builtBalancer struct {
	LoadBalancer
	unit  *unit
	sec   *section
	pools []*builtPool
	wrong bool // a pool has addresses that cannot work
}

type builtPool struct {
	name   string
	sec    *section
	ranges []writtenRange
}

// writtenRange is a range of addresses with the text by which the blueprint names it.
type writtenRange struct {
	schema.AddressRange
	text string
}

func (l *loader) buildBalancer(u *unit, s *section, common Common) {
	b := &builtBalancer{unit: u, sec: s}
	b.LoadBalancer = LoadBalancer{Common: common, Kind: u.name, Chart: l.chart(s, schema.DefaultChart(u.root, u.name)), Values: l.chartValues(s)}
	for _, p := range s.sections("pool") {
		built := &builtPool{name: p.name, sec: p}
		pool := Pool{Name: p.name, Source: p.source(), AutoAssign: p.boolean("auto_assign")}
		for _, text := range p.strs("addresses") {
			r, problem := schema.ParseRange(text)
			if problem != "" {
				continue // its rule has reported it
			}
			built.ranges = append(built.ranges, writtenRange{AddressRange: r, text: text})
			pool.Addresses = append(pool.Addresses, AddressRange{Text: r.Text, First: r.First, Last: r.Last})
		}
		b.pools, b.Pools = append(b.pools, built), append(b.Pools, pool)
	}
	for _, a := range s.sections("l2") {
		b.L2 = append(b.L2, L2{Name: a.name, Source: a.source(), Pools: a.strs("pools"), Nodes: l.nodeNames(a), Interfaces: a.strs("interfaces")})
	}
	for _, a := range s.sections("bgp") {
		b.BGP = append(b.BGP, BGP{Name: a.name, Source: a.source(), Pools: a.strs("pools"), Nodes: l.nodeNames(a), Peers: a.strs("peers"),
			Communities: a.strs("communities"), AggregationLength: a.integer("aggregation_length"), LocalPref: a.integer("local_pref")})
	}
	for _, p := range s.sections("peer") {
		b.Peers = append(b.Peers, Peer{Name: p.name, Source: p.source(), Address: address(p.str("address")), ASN: p.integer("asn"), MyASN: p.integer("my_asn"),
			Port: p.integer("port"), Nodes: l.nodeNames(p), HoldTime: p.str("hold_time"), Password: p.get("password")})
	}
	slices.SortFunc(b.Pools, func(x, y Pool) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortFunc(b.L2, func(x, y L2) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortFunc(b.BGP, func(x, y BGP) int { return cmp.Compare(x.Name, y.Name) })
	slices.SortFunc(b.Peers, func(x, y Peer) int { return cmp.Compare(x.Name, y.Name) })
	l.bp.LoadBalancers = append(l.bp.LoadBalancers, b.LoadBalancer)
	l.balancers = append(l.balancers, b)
}

// nodeNames returns the names of the nodes that the attribute nodes refers to, sorted; a block with for_each means all of its nodes.
func (l *loader) nodeNames(s *section) []string {
	var names []string
	for _, r := range l.dependsOn(s.fields["nodes"].refs) {
		i := slices.IndexFunc(l.nodes, func(n *built) bool { return n.Addr == r.To })
		if i < 0 || l.nodes[i].Name == "" {
			continue
		}
		if n := l.nodes[i]; n.Role == Standby {
			l.report(mistake(r.Range, "Not a node of the cluster", "%s is a standby: it joins no cluster before it becomes its control plane, so it announces nothing. Name workers.", n.Addr))
			continue
		}
		names = append(names, l.nodes[i].Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
