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

// dialect is how a language writes the parts of a drawing. The verbs of box are number and title, of node indent, number and
// label, of edge the two numbers.
type dialect struct {
	head, box, endBox, node, edge, foot string

	quote func(string) string
}

// DOT returns the graph in Graphviz' language. Arrows point to what is needed.
func (g *Graph[K]) DOT(o DrawOptions[K]) string {
	return g.draw(o, dialect{
		head:  "digraph {\n  rankdir = BT\n  node [shape = box]\n",
		box:   "  subgraph cluster_%d {\n    label = %s\n",
		node:  "%sn%d [label = %s]\n",
		edge:  "  n%d -> n%d\n",
		foot:  "}\n",
		quote: dotQuote, endBox: "  }\n",
	})
}

// Mermaid returns the graph in Mermaid's language. Arrows point to what is needed.
func (g *Graph[K]) Mermaid(o DrawOptions[K]) string {
	return g.draw(o, dialect{
		head:  "flowchart BT\n",
		box:   "  subgraph g%d[%s]\n",
		node:  "%sn%d[%s]\n",
		edge:  "  n%d --> n%d\n",
		quote: mermaidQuote, endBox: "  end\n",
	})
}

func (g *Graph[K]) draw(o DrawOptions[K], d dialect) string {
	var b strings.Builder
	b.WriteString(d.head)
	for i, box := range g.boxes(o) {
		indent := "  "
		if box.title != "" {
			fmt.Fprintf(&b, d.box, i, d.quote(box.title))
			indent = "    "
		}
		for _, id := range box.ids {
			fmt.Fprintf(&b, d.node, indent, id, d.quote(g.label(o, id)))
		}
		if box.title != "" {
			b.WriteString(d.endBox)
		}
	}
	for _, e := range g.drawn(o) {
		fmt.Fprintf(&b, d.edge, e.from, e.to)
	}
	b.WriteString(d.foot)
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
