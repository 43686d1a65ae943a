package engine

import (
	"maps"
	"slices"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// removalOrder says what has to happen before what is removed goes, in the kinds that are removed last: the changes of its own
// block, since one of them may take its place, and those of everything that used it. Among removals it is the order of creation,
// reversed: a client goes before its database.
type removalOrder struct {
	model    *Model
	live     map[schema.Addr]providers.Live
	found    []providers.Resource // that are removed last
	byBlock  map[schema.BlockAddr][]schema.Addr
	byKey    map[string][]schema.Addr
	inTheWay map[schema.BlockAddr]bool     // blocks of which something cannot be made before something else of them is gone
	gone     map[schema.Addr][]schema.Addr // by removal, whatever its kind: what it needs by its provider's word
	added    map[schema.Addr][]providers.Edge
}

// removalEdges returns the edges that removals add to the graph.
func removalEdges(m *Model, live map[schema.Addr]providers.Live, found []providers.Resource) map[schema.Addr][]providers.Edge {
	o := &removalOrder{model: m, live: live, byBlock: map[schema.BlockAddr][]schema.Addr{}, byKey: map[string][]schema.Addr{}, inTheWay: map[schema.BlockAddr]bool{}, gone: map[schema.Addr][]schema.Addr{}}
	for _, r := range found {
		for _, e := range r.After {
			o.gone[r.Addr] = append(o.gone[r.Addr], e.To)
		}
		if kind, ok := m.registry.Kind(r.Addr.Type); ok && kind.Type().RemoveLast {
			o.found = append(o.found, r)
			o.byBlock[r.Addr.Block] = append(o.byBlock[r.Addr.Block], r.Addr)
			o.byKey[r.Addr.Key] = append(o.byKey[r.Addr.Key], r.Addr)
		}
	}
	if len(o.found) == 0 {
		return nil
	}
	return o.edges()
}

func (o *removalOrder) edges() map[schema.Addr][]providers.Edge {
	o.added = map[schema.Addr][]providers.Edge{}
	users := slices.Concat(slices.Collect(maps.Values(o.model.Resources)), o.found)
	slices.SortFunc(users, func(a, b providers.Resource) int { return a.Addr.Compare(b.Addr) })
	for _, user := range users {
		if l := o.live[user.Addr]; l.Refuse != nil && l.Deferred && !user.Desired.IsNull() {
			o.inTheWay[user.Addr.Block] = true
			for _, gone := range o.byBlock[user.Addr.Block] {
				o.wait(user.Addr, gone)
			}
		}
	}
	for _, user := range users {
		for _, gone := range o.used(user) {
			o.wait(gone, user.Addr)
		}
		kind, ok := o.model.registry.Kind(user.Addr.Type)
		if !ok || !kind.Type().RemoveLast || user.Desired.IsNull() || o.inTheWay[user.Addr.Block] {
			continue
		}
		for _, gone := range o.byBlock[user.Addr.Block] {
			o.wait(gone, user.Addr)
		}
	}
	return o.added
}

// wait makes one resource wait for another. These edges are for the better: one that would close a circle is left out, such as
// between two removals that remember each other.
func (o *removalOrder) wait(from, to schema.Addr) {
	_, inModel := o.model.Resources[to]
	mayReturn := !inModel || len(o.inTheWay) > 0 // else nothing of the model leads to a removal
	if from == to || mayReturn && o.leads(to, from, map[schema.Addr]bool{}) {
		return
	}
	o.added[from] = append(o.added[from], providers.Edge{To: to, Range: o.model.Blueprint.Cluster.Source.Block})
}

// leads reports whether one resource needs another, over any number of steps.
func (o *removalOrder) leads(from, to schema.Addr, seen map[schema.Addr]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	next := slices.Clone(o.gone[from])
	if _, ok := o.model.Resources[from]; ok {
		next = append(next, o.model.Graph.Needs(from)...)
	}
	for _, e := range o.added[from] {
		next = append(next, e.To)
	}
	return slices.ContainsFunc(next, func(a schema.Addr) bool { return o.leads(a, to, seen) })
}

// used returns what of the removals somebody uses now.
func (o *removalOrder) used(user providers.Resource) []schema.Addr {
	l := o.live[user.Addr]
	var all []schema.Addr
	for _, block := range l.After {
		if block != user.Addr.Block {
			all = append(all, o.byBlock[block]...)
		}
	}
	for _, key := range l.Uses {
		all = append(all, o.byKey[key]...)
	}
	return all
}
