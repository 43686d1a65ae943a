package engine

import (
	"fmt"

	"github.com/expertflow/cxha/engine/graph"
	"github.com/expertflow/cxha/schema"
)

// Draw returns the model's graph in one of the formats dot, mermaid and text. Edges that follow from others are left out.
func (m *Model) Draw(format string) (string, error) {
	o := graph.DrawOptions[schema.Addr]{
		Reduce: true,
		Group:  func(a schema.Addr) string { return a.Block.String() },
		Label: func(a schema.Addr) string {
			return schema.Addr{Type: a.Type, Key: a.Key}.String()[len("./"):]
		},
	}
	switch format {
	case "dot":
		return m.Graph.DOT(o), nil
	case "mermaid":
		return m.Graph.Mermaid(o), nil
	case "text":
		return m.Graph.Text(), nil
	default:
		return "", fmt.Errorf("format %q: want dot, mermaid or text", format)
	}
}
