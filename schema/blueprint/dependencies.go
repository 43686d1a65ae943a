package blueprint

import "github.com/expertflow/cxha/schema"

// Dependencies returns what each block's depends_on names.
func (b *Blueprint) Dependencies() map[schema.BlockAddr][]Ref {
	deps := map[schema.BlockAddr][]Ref{}
	add := func(addr schema.BlockAddr, refs []Ref) {
		if len(refs) > 0 {
			deps[addr] = refs
		}
	}
	for _, n := range b.Nodes() {
		add(n.Addr, n.DependsOn)
	}
	for _, c := range b.commons() {
		add(c.Addr, c.DependsOn)
	}
	return deps
}

// commons returns the common part of all blocks that put objects into the cluster.
func (b *Blueprint) commons() []Common {
	var cs []Common
	for _, x := range b.LoadBalancers {
		cs = append(cs, x.Common)
	}
	for _, x := range b.Ingresses {
		cs = append(cs, x.Common)
	}
	for _, x := range b.Storages {
		cs = append(cs, x.Common)
	}
	for _, x := range b.Releases {
		cs = append(cs, x.Common)
	}
	for _, x := range b.Kustomizations {
		cs = append(cs, x.Common)
	}
	for _, x := range b.Manifests {
		cs = append(cs, x.Common)
	}
	return cs
}
