package engine_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/engine/graph/graphtest"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// layered is a site of n resources that exists in memory only: ten on each worker, ordered by graphtest's layered graph. It is
// the provider of its own kinds, of which there is one for each of several costs.
type layered struct {
	n     int
	work  func(ctx context.Context, kind int) error // what making a resource takes; nil: nothing
	kinds []providers.Kind
}

const (
	resourcesPerWorker = 10
	layeredKinds       = 7
)

func newLayered(n int) *layered {
	l := &layered{n: n}
	for i := range layeredKinds {
		l.kinds = append(l.kinds, layeredKind{site: l, number: i})
	}
	return l
}

var layeredObject = cty.Object(map[string]cty.Type{
	"labels": cty.Map(cty.String), "sans": cty.List(cty.String), "options": cty.DynamicPseudoType,
	"token": cty.String, "mode": cty.String, "id": cty.String,
})

func (l *layered) addr(i int) schema.Addr {
	w := fmt.Sprintf("w%05d", i/resourcesPerWorker)
	return schema.Addr{Block: schema.BlockAddr{Type: "worker", Name: w}, Type: l.kinds[i%layeredKinds].Type().Name, Key: fmt.Sprint(i)}
}

// value is a resource of the usual size: a few labels and options, a secret, and an attribute that cxha does not manage.
func (l *layered) value(i int, version string) cty.Value {
	labels, options := map[string]cty.Value{}, map[string]cty.Value{}
	for k := range 3 {
		labels[fmt.Sprintf("example.org/label-%d", k)] = cty.StringVal(fmt.Sprint(i, k))
		options[fmt.Sprintf("option-%d", k)] = cty.TupleVal([]cty.Value{cty.StringVal("one"), cty.NumberIntVal(int64(i)), cty.True})
	}
	return cty.ObjectVal(map[string]cty.Value{
		"labels": cty.MapVal(labels), "options": cty.ObjectVal(options), "token": schema.Secret("of the cluster"), "mode": cty.StringVal("0600"),
		"sans": cty.ListVal([]cty.Value{cty.StringVal("cp.example.org"), cty.StringVal(version)}), "id": cty.NullVal(cty.String),
	})
}

func (l *layered) blueprint() *blueprint.Blueprint {
	node := func(role blueprint.Role, name string) blueprint.Node {
		return blueprint.Node{Addr: schema.BlockAddr{Type: string(role), Name: name}, Role: role, Name: name, Address: netip.MustParseAddr("192.0.2.1")}
	}
	bp := &blueprint.Blueprint{Dir: "site", Cluster: blueprint.Cluster{Name: "test"}, ControlPlane: node(blueprint.ControlPlane, "cp1")}
	for i := 0; i < l.n; i += resourcesPerWorker {
		bp.Workers = append(bp.Workers, node(blueprint.Worker, l.addr(i).Block.Name))
	}
	return bp
}

func (l *layered) Kinds() []providers.Kind { return l.kinds }

// Compile makes every value anew, as a provider does.
func (l *layered) Compile(*blueprint.Blueprint) ([]providers.Resource, hcl.Diagnostics) {
	var rs []providers.Resource
	for i, needs := range graphtest.Layered(l.n) {
		r := providers.Resource{Addr: l.addr(i), Host: l.addr(i).Block.Name, Desired: l.value(i, "new")}
		for _, to := range needs {
			at := hcl.Range{Filename: "site.cxha.hcl", Start: hcl.Pos{Line: i + 1, Byte: i}}
			r.After = append(r.After, providers.Edge{To: l.addr(to), Range: at})
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// live says what is on the hosts.
type live string

const (
	absent live = "absent" // nothing
	drift  live = "drift"  // one in ten differs
	same   live = "same"   // all as it shall be
)

// snapshot is what a probe of the site would have seen.
func (l *layered) snapshot(what live) *engine.Snapshot {
	s := &engine.Snapshot{Live: map[schema.Addr]providers.Live{}, Hosts: map[string]engine.HostState{}}
	for i := range l.n {
		a := l.addr(i)
		s.Hosts[a.Block.Name] = engine.HostState{Salt: "machine id of " + a.Block.Name}
		version := "new"
		if what == drift && (i*7919)%10 == 0 {
			version = "old"
		}
		v := l.value(i, version)
		if what == absent {
			v = cty.NullVal(layeredObject)
		}
		s.Live[a] = providers.Live{Value: v}
	}
	return s
}

// planned compiles and plans the site.
func (l *layered) planned(tb testing.TB, what live) *engine.Planned {
	tb.Helper()
	p, diags := engine.Plan(l.compiled(tb), l.snapshot(what))
	if diags.HasErrors() {
		tb.Fatal(diags)
	}
	return p
}

func (l *layered) compiled(tb testing.TB) *engine.Model {
	tb.Helper()
	reg, err := providers.NewRegistry(l)
	if err != nil {
		tb.Fatal(err)
	}
	m, diags := engine.Compile(l.blueprint(), reg)
	if diags.HasErrors() {
		tb.Fatal(diags)
	}
	if len(m.Resources) != l.n {
		tb.Fatalf("%d resources, want %d", len(m.Resources), l.n)
	}
	return m
}

// criticalPath returns the kinds on the way through the graph that costs most.
func (l *layered) criticalPath() []int {
	costs, paths := make([]float64, l.n), make([][]int, l.n)
	longest := 0
	for i, needs := range graphtest.Layered(l.n) { // a node comes after all that it needs
		for _, to := range needs {
			if costs[to] > costs[i] {
				costs[i], paths[i] = costs[to], paths[to]
			}
		}
		kind := i % layeredKinds
		costs[i], paths[i] = costs[i]+cost(kind), append(slices.Clip(paths[i]), kind)
		if costs[i] > costs[longest] {
			longest = i
		}
	}
	return paths[longest]
}

// cost is how long making a resource of the kind takes, in seconds, where it takes any time.
func cost(kind int) float64 { return 0.010 + 0.002*float64(kind) }

type layeredKind struct {
	site   *layered
	number int
}

func (k layeredKind) Type() providers.Type {
	return providers.Type{Name: fmt.Sprintf("test.kind%d", k.number), Object: layeredObject, Doc: "A value.", Cost: cost(k.number)}
}

func (k layeredKind) Apply(ctx context.Context, _ providers.Session, c plans.Change) (cty.Value, error) {
	if k.site.work == nil {
		return c.After, nil
	}
	return c.After, k.site.work(ctx, k.number)
}
