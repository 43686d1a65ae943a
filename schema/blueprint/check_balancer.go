package blueprint

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/schema"
)

func (l *loader) checkBalancer(b *builtBalancer) {
	l.checkAnnouncements(b)
	var before []placedRange
	for _, p := range b.pools {
		if len(p.ranges) == 0 && p.sec.usable("addresses") {
			b.wrong = true
			l.report(p.sec.mistake("addresses", "Pool without addresses", "The pool %q has no addresses, so no Service can get one of it, and MetalLB refuses it. Write at least one, or take the pool out.", p.name))
		}
		for _, r := range p.ranges {
			if l.checkPoolRange(b, p, r) {
				before = l.checkOverlap(before, p, r)
			} else {
				b.wrong = true
			}
		}
	}
	if len(b.BGP) > 0 && len(b.sec.sections("peer")) == 0 && l.readable(b) {
		l.report(warning(b.sec.sections("bgp")[0].scope.header, "No router to announce to", "%s announces by BGP and has no peer, so nobody hears it. Add a block peer %q { address = ..., asn = ..., my_asn = ... }.", b.Addr, "router"))
	}
}

// checkPoolRange reports the first reason why a range cannot work, for the others mostly follow from it, and whether there is none.
func (l *loader) checkPoolRange(b *builtBalancer, p *builtPool, r writtenRange) (ok bool) {
	ok = true
	wrong := func(summary, detail string, args ...any) {
		ok = false
		l.report(p.sec.valueMistake("addresses", r.text, summary, detail, args...))
	}
	var holds []string
	for _, n := range l.nodes {
		if n.Address.IsValid() && r.Contains(n.Address) {
			holds = append(holds, fmt.Sprintf("%s of %s", n.Address, n.Addr))
		}
	}
	pod, service := l.bp.Cluster.PodCIDR, l.bp.Cluster.ServiceCIDR
	subnets, sure := l.workerSubnets()
	switch {
	case len(holds) > 0:
		if more := len(holds) - 3; more > 0 {
			holds = append(holds[:3], fmt.Sprintf("%d more", more))
		}
		wrong("Pool holds a node's address", "The addresses %s of pool %q hold %s. MetalLB would announce a node's address for a Service, and the node could not be reached any more. Leave the nodes' addresses out.", r.text, p.name, strings.Join(holds, ", "))
	case pod.IsValid() && r.Overlaps(schema.PrefixRange(pod)):
		wrong("Pool inside the cluster's ranges", "The addresses %s of pool %q lie in the pods' range %s, which means nothing outside of the cluster. Use addresses of the nodes' network.", r.text, p.name, pod)
	case service.IsValid() && r.Overlaps(schema.PrefixRange(service)):
		wrong("Pool inside the cluster's ranges", "The addresses %s of pool %q lie in the services' range %s, which means nothing outside of the cluster. Use addresses of the nodes' network.", r.text, p.name, service)
	case sure && !b.routed(p.name) && !slices.ContainsFunc(subnets, func(s netip.Prefix) bool { return s.Contains(r.First) && s.Contains(r.Last) }):
		wrong("Pool outside of the workers' networks", "The addresses %s of pool %q do not all lie in one network of the workers' sites (%s). A worker answers for an address only in its own network, so nobody would find it. Use addresses of one of these networks, or announce the pool by BGP.", r.text, p.name, join(subnets))
	}
	return ok
}

// workerSubnets returns the networks of the workers' sites. It is not sure of them where the site of a worker, or its networks, are not
// known, or where they cannot be right.
func (l *loader) workerSubnets() (subnets []netip.Prefix, sure bool) {
	for _, n := range l.nodes {
		if n.Role != Worker {
			continue
		}
		i := slices.IndexFunc(l.bp.Sites, func(s Site) bool { return n.Site != "" && s.Name == n.Site })
		if i < 0 || !slices.ContainsFunc(l.bp.Sites[i].Subnets, func(s netip.Prefix) bool { return s.Contains(n.Address) }) {
			return nil, false
		}
		for _, s := range l.bp.Sites[i].Subnets {
			if !slices.Contains(subnets, s) {
				subnets = append(subnets, s)
			}
		}
	}
	return subnets, len(subnets) > 0
}

// routed reports whether only BGP announces the pool: its addresses need not lie in the nodes' networks.
func (b *builtBalancer) routed(pool string) bool {
	return announced(b.BGP, pool, func(a BGP) []string { return a.Pools }) && !announced(b.L2, pool, func(a L2) []string { return a.Pools })
}

func announced[A any](by []A, pool string, pools func(A) []string) bool {
	return slices.ContainsFunc(by, func(a A) bool { return len(pools(a)) == 0 || slices.Contains(pools(a), pool) })
}

// placedRange is a range of a pool, and where it was written.
type placedRange struct {
	writtenRange
	pool string
	at   hcl.Range
}

func (l *loader) checkOverlap(before []placedRange, p *builtPool, r writtenRange) []placedRange {
	for _, o := range before {
		if r.Overlaps(o.AddressRange) {
			l.report(p.sec.valueMistake("addresses", r.text, "Overlapping pools", "The addresses %s of pool %q overlap %s of pool %q at %s. MetalLB refuses pools that share an address. Leave it in one of them.", r.text, p.name, o.text, o.pool, at(o.at)))
			break
		}
	}
	where := p.sec.fields["addresses"].at
	if literal := p.sec.valueMistake("addresses", r.text, "", ""); literal.Subject != nil {
		where = *literal.Subject
	}
	return append(before, placedRange{writtenRange: r, pool: p.name, at: where})
}

// readable reports whether all nested blocks of a load balancer were seen.
func (l *loader) readable(b *builtBalancer) bool {
	for _, nested := range b.unit.block.Body.Blocks {
		if _, ok := b.unit.shape.Block(nested.Type); !ok {
			return false
		}
	}
	return !b.unit.src.damaged(hcl.RangeBetween(b.unit.header(), b.unit.block.Body.SrcRange))
}

// checkAnnouncements compares the names that announcements use with those of pools and peers, and looks for pools that nobody announces.
func (l *loader) checkAnnouncements(b *builtBalancer) {
	if !l.readable(b) {
		return
	}
	var pools, peers []string
	for _, p := range b.pools {
		pools = append(pools, p.name)
	}
	for _, p := range b.sec.sections("peer") {
		peers = append(peers, p.name)
	}
	sure := true
	for _, a := range append(b.sec.sections("l2"), b.sec.sections("bgp")...) {
		known := l.checkNamesIn(a, "pools", "pool", pools)
		sure = sure && known && !a.failed("pools")
		l.checkNamesIn(a, "peers", "peer", peers)
	}
	for _, p := range b.pools {
		if sure && !announced(b.L2, p.name, func(a L2) []string { return a.Pools }) && !announced(b.BGP, p.name, func(a BGP) []string { return a.Pools }) {
			l.report(warning(p.sec.scope.header, "Pool that nobody announces", "No l2 and no bgp block of %s announces the pool %q: Services get addresses of it, and nobody can reach them. Add a block l2 %q { pools = [%q] }.", b.Addr, p.name, p.name, p.name))
		}
	}
}

// checkNamesIn reports whether all names in an attribute are declared.
func (l *loader) checkNamesIn(a *section, attr, what string, declared []string) bool {
	known := true
	for _, name := range a.strs(attr) {
		if !slices.Contains(declared, name) {
			known = false
			l.report(a.valueMistake(attr, name, "Unknown "+what, "There is no %s %q in this load balancer.%s", what, name, didYouMeanOf(name, declared)))
		}
	}
	return known
}
