package graph_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/engine/graph"
	"github.com/expertflow/cxha/engine/graph/graphtest"
)

type key string

func (k key) String() string { return string(k) }

func compareKeys(a, b key) int { return strings.Compare(string(a), string(b)) }

// build makes a graph of lines such as "a" or "a needs b c"; line n is at test.hcl:n. What is needed becomes a node too.
func build(t testing.TB, lines ...string) (*graph.Graph[key], error) {
	t.Helper()
	b := graph.NewBuilder(compareKeys)
	added := map[key]bool{}
	for i, line := range lines {
		from, needs, _ := strings.Cut(line, " needs ")
		for _, k := range append([]string{from}, strings.Fields(needs)...) {
			if !added[key(k)] {
				added[key(k)] = true
				b.AddNode(key(k))
			}
		}
		for _, k := range strings.Fields(needs) {
			b.AddEdge(key(from), key(k), at(i+1))
		}
	}
	return b.Build()
}

func mustBuild(t testing.TB, lines ...string) *graph.Graph[key] {
	t.Helper()
	g, err := build(t, lines...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func at(line int) hcl.Range {
	return hcl.Range{Filename: "test.hcl", Start: hcl.Pos{Line: line, Column: 1, Byte: line * 100}, End: hcl.Pos{Line: line, Column: 5, Byte: line*100 + 4}}
}

func TestText(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lines []string
		want  string
	}{
		"empty":          {want: ""},
		"no edges":       {lines: []string{"b", "c", "a"}, want: "a\nb\nc\n"},
		"a chain":        {lines: []string{"a needs b", "b needs c"}, want: "c\nb\n  c\na\n  b\n"},
		"repeated edges": {lines: []string{"a needs b b", "a needs b"}, want: "b\na\n  b\n"},
		"a diamond": {
			lines: []string{"top needs left right", "left needs bottom", "right needs bottom"},
			want:  "bottom\nleft\n  bottom\nright\n  bottom\ntop\n  left\n  right\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, mustBuild(t, tt.lines...).Text()); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBuildReportsEveryFault(t *testing.T) {
	t.Parallel()
	b := graph.NewBuilder(compareKeys)
	for _, k := range []key{"a", "b", "b", "c", "c", "c"} {
		b.AddNode(k)
	}
	b.AddEdge("a", "ghost", hcl.Range{})
	b.AddEdge("phantom", "a", hcl.Range{})
	_, err := b.Build()
	want := "node b: added 2 times\nnode c: added 3 times\nedge from a to ghost: no node ghost\nedge from phantom to a: no node phantom"
	if err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}

func TestCycles(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lines []string
		want  string
	}{
		"itself": {lines: []string{"a needs a"}, want: "dependency cycle: a needs a (test.hcl:1,1-5)"},
		"two":    {lines: []string{"a needs b", "b needs a"}, want: "dependency cycle: a needs b (test.hcl:1,1-5), b needs a (test.hcl:2,1-5)"},
		"begins at the smallest": {
			lines: []string{"c needs a", "b needs c", "a needs b", "x needs a"},
			want:  "dependency cycle: a needs b (test.hcl:3,1-5), b needs c (test.hcl:2,1-5), c needs a (test.hcl:1,1-5)",
		},
		"the shortest of several": {
			lines: []string{"a needs b", "b needs c", "c needs a d", "d needs c"},
			want:  "dependency cycle: c needs d (test.hcl:3,1-5), d needs c (test.hcl:4,1-5)",
		},
		"one for each set": {
			lines: []string{"m needs n", "n needs m", "a needs b m", "b needs a", "z needs z"},
			want: "dependency cycle: a needs b (test.hcl:3,1-5), b needs a (test.hcl:4,1-5); " +
				"dependency cycle: m needs n (test.hcl:1,1-5), n needs m (test.hcl:2,1-5); dependency cycle: z needs z (test.hcl:5,1-5)",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := build(t, tt.lines...)
			var cycle *graph.CycleError[key]
			if !errors.As(err, &cycle) {
				t.Fatalf("error is %v, want a cycle", err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCycleDiagnostics(t *testing.T) {
	t.Parallel()
	b := graph.NewBuilder(compareKeys)
	b.AddNode("a")
	b.AddNode("b")
	b.AddEdge("a", "b", hcl.Range{})
	b.AddEdge("b", "a", at(7))
	_, err := b.Build()
	var cycle *graph.CycleError[key]
	if !errors.As(err, &cycle) {
		t.Fatalf("error is %v, want a cycle", err)
	}
	want := hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Dependency cycle",
		Detail: "These need each other in a circle, so none of them can be the first:\n" +
			"  a needs b\n  b needs a (test.hcl:7,1-5)\nRemove one of these dependencies.",
		Subject: at(7).Ptr(),
	}}
	if diff := cmp.Diff(want, cycle.Diagnostics()); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
}

// shuffled builds the layered graph from nodes and edges in random order, and some edges twice.
func shuffled(t *testing.T, n int, rng *rand.Rand) *graph.Graph[graphtest.Node] {
	t.Helper()
	needs := graphtest.Layered(n)
	b := graph.NewBuilder(graphtest.Node.Compare)
	for _, from := range rng.Perm(n) {
		for _, i := range rng.Perm(len(needs[from])) {
			b.AddEdge(graphtest.Node(from), graphtest.Node(needs[from][i]), at(2))
			if rng.IntN(2) == 0 {
				b.AddEdge(graphtest.Node(from), graphtest.Node(needs[from][i]), at(1+rng.IntN(3)))
			}
		}
	}
	for _, k := range rng.Perm(n) {
		b.AddNode(graphtest.Node(k))
	}
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestOrderDoesNotDependOnInsertion(t *testing.T) {
	t.Parallel()
	g, err := graphtest.Build(300)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		other := shuffled(t, 300, rand.New(rand.NewPCG(seed, 1)))
		if diff := cmp.Diff(g.Text(), other.Text()); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

func TestOrderRespectsEdges(t *testing.T) {
	t.Parallel()
	g := shuffled(t, 500, rand.New(rand.NewPCG(1, 2)))
	place := map[graphtest.Node]int{}
	for i, k := range g.Order() {
		place[k] = i
	}
	if len(place) != 500 {
		t.Errorf("%d nodes in the order, want 500", len(place))
	}
	for _, e := range g.Edges() {
		if place[e.From] <= place[e.To] {
			t.Errorf("%s comes before %s, which it needs", e.From, e.To)
		}
	}
}

func TestNeighbours(t *testing.T) {
	t.Parallel()
	g := mustBuild(t, "a needs b c", "b needs d", "c needs d", "d needs e", "f")
	for name, tt := range map[string]struct{ got, want []key }{
		"needs":          {g.Needs("a"), []key{"b", "c"}},
		"needed by":      {g.NeededBy("d"), []key{"b", "c"}},
		"all needs":      {g.AllNeeds("a"), []key{"e", "d", "b", "c"}},
		"all needed by":  {g.AllNeededBy("e"), []key{"d", "b", "c", "a"}},
		"alone":          {g.AllNeeds("f"), nil},
		"not there":      {g.Needs("x"), nil},
		"all, not there": {g.AllNeededBy("x"), nil},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if !g.Has("a") || g.Has("x") || g.Len() != 6 {
		t.Errorf("has a %v, has x %v, %d nodes", g.Has("a"), g.Has("x"), g.Len())
	}
}

func TestRange(t *testing.T) {
	t.Parallel()
	g := mustBuild(t, "a needs b", "c needs b", "a needs b")
	if r, ok := g.Range("a", "b"); !ok || r != at(1) {
		t.Errorf("range of a needs b is %s (%v), want the first", r, ok)
	}
	for _, pair := range [][2]key{{"b", "a"}, {"a", "c"}, {"a", "x"}, {"x", "a"}} {
		if r, ok := g.Range(pair[0], pair[1]); ok {
			t.Errorf("range of %s needs %s is %s, want none", pair[0], pair[1], r)
		}
	}
}

func TestReduced(t *testing.T) {
	t.Parallel()
	g := mustBuild(t, "a needs b c d", "b needs c d", "c needs d", "e needs d b")
	want := "d\nc\n  d\nb\n  c\na\n  b\ne\n  b\n"
	r := g.Reduced()
	if diff := cmp.Diff(want, r.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]key{"a", "e"}, r.NeededBy("b")); diff != "" {
		t.Errorf("needed by b (-want +got):\n%s", diff)
	}
}

func TestReducedKeepsReachability(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	b := graph.NewBuilder(graphtest.Node.Compare)
	for i := range 60 {
		b.AddNode(graphtest.Node(i))
		for j := range i {
			if rng.IntN(5) == 0 {
				b.AddEdge(graphtest.Node(i), graphtest.Node(j), hcl.Range{})
			}
		}
	}
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	r := g.Reduced()
	if len(r.Edges()) >= len(g.Edges()) {
		t.Errorf("%d edges of %d are left", len(r.Edges()), len(g.Edges()))
	}
	for _, k := range g.Order() {
		if diff := cmp.Diff(g.AllNeeds(k), r.AllNeeds(k)); diff != "" {
			t.Errorf("all that %s needs (-want +got):\n%s", k, diff)
		}
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	g := mustBuild(t, "a needs b c f", "b needs d", "c needs d e", "d needs f", "e")
	k, err := g.Keep(func(k key) bool { return strings.ContainsRune("aef", rune(k[0])) })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("e\nf\na\n  e\n  f\n", k.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if r, _ := k.Range("a", "f"); r != at(1) {
		t.Errorf("range of a needs f is %s, want that of the way's first edge", r)
	}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	b := graph.NewBuilder(compareKeys)
	for _, k := range []key{`w/f["x"]`, "w/g", "c"} {
		b.AddNode(k)
	}
	b.AddEdge("w/g", `w/f["x"]`, hcl.Range{})
	b.AddEdge(`w/f["x"]`, "c", hcl.Range{})
	b.AddEdge("w/g", "c", hcl.Range{})
	g, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	o := graph.DrawOptions[key]{
		Reduce: true,
		Group: func(k key) string {
			block, _, ok := strings.Cut(string(k), "/")
			if !ok {
				return ""
			}
			return block
		},
		Label: func(k key) string { return strings.TrimPrefix(string(k), "w/") },
	}
	wantDOT := `digraph {
  rankdir = BT
  node [shape = box]
  n0 [label = "c"]
  subgraph cluster_1 {
    label = "w"
    n1 [label = "f[\"x\"]"]
    n2 [label = "g"]
  }
  n1 -> n0
  n2 -> n1
}
`
	if diff := cmp.Diff(wantDOT, g.DOT(o)); diff != "" {
		t.Errorf("DOT (-want +got):\n%s", diff)
	}
	wantMermaid := `flowchart BT
  n0["c"]
  subgraph g1["w"]
    n1["f[#34;x#34;]"]
    n2["g"]
  end
  n1 --> n0
  n2 --> n1
`
	if diff := cmp.Diff(wantMermaid, g.Mermaid(o)); diff != "" {
		t.Errorf("Mermaid (-want +got):\n%s", diff)
	}
	if all := strings.Count(g.DOT(graph.DrawOptions[key]{}), "->"); all != 3 {
		t.Errorf("%d arrows without reduction, want 3", all)
	}
}
