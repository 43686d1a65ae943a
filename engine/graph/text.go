package graph

import (
	"fmt"
	"strconv"
	"strings"
)

// Text returns the graph for reading: every node in order, and below it, indented, what it needs.
func (g *Graph[K]) Text() string {
	var b strings.Builder
	for id, k := range g.keys {
		fmt.Fprintf(&b, "%s\n", k)
		for _, e := range g.needs[id] {
			fmt.Fprintf(&b, "  %s\n", g.keys[e.to])
		}
	}
	return b.String()
}

// DrawOptions says how DOT and Mermaid draw a graph. The zero value draws every edge between nodes without groups.
type DrawOptions[K Key] struct {
	Reduce bool           // leave out edges that follow from others
	Group  func(K) string // draws the nodes of a group inside one box with that title; empty: no box. May be nil.
	Label  func(K) string // text of a node; nil: its String
}

// DOT returns the graph in Graphviz' language. Arrows point to what is needed.
func (g *Graph[K]) DOT(o DrawOptions[K]) string {
	var b strings.Builder
	b.WriteString("digraph {\n  rankdir = BT\n  node [shape = box]\n")
	for i, box := range g.boxes(o) {
		indent := "  "
		if box.title != "" {
			fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label = %s\n", i, dotQuote(box.title))
			indent = "    "
		}
		for _, id := range box.ids {
			fmt.Fprintf(&b, "%sn%d [label = %s]\n", indent, id, dotQuote(g.label(o, id)))
		}
		if box.title != "" {
			b.WriteString("  }\n")
		}
	}
	for _, e := range g.drawn(o) {
		fmt.Fprintf(&b, "  n%d -> n%d\n", e.from, e.to)
	}
	b.WriteString("}\n")
	return b.String()
}

// Mermaid returns the graph in Mermaid's language. Arrows point to what is needed.
func (g *Graph[K]) Mermaid(o DrawOptions[K]) string {
	var b strings.Builder
	b.WriteString("flowchart BT\n")
	for i, box := range g.boxes(o) {
		indent := "  "
		if box.title != "" {
			fmt.Fprintf(&b, "  subgraph g%d[%s]\n", i, mermaidQuote(box.title))
			indent = "    "
		}
		for _, id := range box.ids {
			fmt.Fprintf(&b, "%sn%d[%s]\n", indent, id, mermaidQuote(g.label(o, id)))
		}
		if box.title != "" {
			b.WriteString("  end\n")
		}
	}
	for _, e := range g.drawn(o) {
		fmt.Fprintf(&b, "  n%d --> n%d\n", e.from, e.to)
	}
	return b.String()
}

type box struct {
	title string
	ids   []int
}

// boxes returns the groups in the order of their first nodes.
func (g *Graph[K]) boxes(o DrawOptions[K]) []box {
	var out []box
	at := map[string]int{}
	for id, k := range g.keys {
		title := ""
		if o.Group != nil {
			title = o.Group(k)
		}
		i, ok := at[title]
		if !ok {
			i = len(out)
			at[title] = i
			out = append(out, box{title: title})
		}
		out[i].ids = append(out[i].ids, id)
	}
	return out
}

func (g *Graph[K]) label(o DrawOptions[K], id int) string {
	if o.Label == nil {
		return g.keys[id].String()
	}
	return o.Label(g.keys[id])
}

func (g *Graph[K]) drawn(o DrawOptions[K]) []edge {
	if o.Reduce {
		g = g.Reduced()
	}
	var out []edge
	for _, es := range g.needs {
		out = append(out, es...)
	}
	return out
}

func dotQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// mermaidQuote writes what Mermaid could take for syntax as entity codes.
func mermaidQuote(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\"#&<>`\n", r) {
			b.WriteString("#" + strconv.Itoa(int(r)) + ";")
		} else {
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
