package graphtest

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/expertflow/cxha/engine/graph"
)

// Sizes are the numbers of nodes that benchmarks run at.
func Sizes() []int { return []int{100, 1000, 10000} }

// Layers is how many layers a layered graph has.
const Layers = 20

// Layered returns for n nodes in layers of equal size what each needs: three nodes of the layer before. The same n gives the same graph.
func Layered(n int) [][]int {
	width := max(3, n/Layers)
	needs := make([][]int, n)
	for i := width; i < n; i++ {
		first := (i/width - 1) * width
		// Three steps with different factors, made distinct by going on to the next node.
		a := (i * 7) % width
		b := (i*31 + 11) % width
		for b == a {
			b = (b + 1) % width
		}
		c := (i*101 + 29) % width
		for c == a || c == b {
			c = (c + 1) % width
		}
		needs[i] = []int{first + a, first + b, first + c}
	}
	return needs
}

// Node is a node of Build's graph.
type Node int

// String returns a name whose order is that of the numbers.
func (n Node) String() string { return fmt.Sprintf("n%06d", int(n)) }

// Compare orders nodes by number.
func (n Node) Compare(o Node) int { return int(n - o) }

// Build returns the layered graph of n nodes.
func Build(n int) (*graph.Graph[Node], error) {
	b := graph.NewBuilder(Node.Compare)
	for from, needs := range Layered(n) {
		b.AddNode(Node(from))
		for _, to := range needs {
			b.AddEdge(Node(from), Node(to), hcl.Range{})
		}
	}
	return b.Build()
}
