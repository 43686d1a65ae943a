package graph

import (
	"errors"

	gonum "gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"
)

// sortNodes returns the nodes 0 to n-1 so that each comes after what it needs; where that leaves a choice, the smaller
// number decides. Sets of nodes that need each other in a circle are returned as cyclic, and there is no order then.
func sortNodes(n int, edges []edge) (order []int, cyclic [][]int) {
	g := simple.NewDirectedGraph()
	for i := range n {
		g.AddNode(simple.Node(i))
	}
	for _, e := range edges {
		if e.from == e.to { // gonum's simple graphs have no loops
			cyclic = append(cyclic, []int{e.from})
			continue
		}
		g.SetEdge(simple.Edge{F: simple.Node(e.to), T: simple.Node(e.from)})
	}
	sorted, err := topo.SortStabilized(g, nil)
	var components topo.Unorderable
	if errors.As(err, &components) {
		for _, c := range components {
			cyclic = append(cyclic, ids(c))
		}
	}
	if len(cyclic) > 0 {
		return nil, cyclic
	}
	return ids(sorted), nil
}

func ids(nodes []gonum.Node) []int {
	out := make([]int, len(nodes))
	for i, n := range nodes {
		out[i] = int(n.ID())
	}
	return out
}
