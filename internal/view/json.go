package view

import (
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/expertflow/cxha/plans"
)

// changeLine is one change in JSON. Fields may be added, never changed. Before and After hold the attributes that differ, by path.
type changeLine struct {
	Type     string                             `json:"type"`
	Addr     string                             `json:"address"`
	Host     string                             `json:"host,omitempty"`
	Action   string                             `json:"action"`
	Code     string                             `json:"reason_code,omitempty"`
	Reason   string                             `json:"reason,omitempty"`
	Before   map[string]ctyjson.SimpleJSONValue `json:"before,omitempty"`
	After    map[string]ctyjson.SimpleJSONValue `json:"after,omitempty"`
	Observed string                             `json:"observed,omitempty"`
	Requires []string                           `json:"requires,omitempty"`
	Commands string                             `json:"commands,omitempty"`
}

type summaryLine struct {
	Type      string `json:"type"`
	Cluster   string `json:"cluster"`
	Create    int    `json:"create"`
	Update    int    `json:"update"`
	Replace   int    `json:"replace"`
	Delete    int    `json:"delete"`
	Unknown   int    `json:"unknown"`
	Unchanged int    `json:"unchanged"`
	Approval  string `json:"approve_destroy,omitempty"`
}

func (p *Printer) planJSON(f *plans.File, commands map[string]string) {
	for _, c := range f.Changes {
		l := changeLine{Type: "change", Addr: c.Addr.String(), Host: c.Host, Action: c.Action.String(), Code: string(c.Reason.Code),
			Reason: c.Reason.Text, Observed: c.Observed, Before: attrsJSON(c.Before), After: attrsJSON(c.After), Commands: commands[c.Addr.String()]}
		for _, r := range c.Requires {
			l.Requires = append(l.Requires, r.String())
		}
		p.json(l)
	}
	s := f.Summary
	p.json(summaryLine{Type: "summary", Cluster: f.Cluster, Create: s.Create, Update: s.Update, Replace: s.Replace, Delete: s.Delete,
		Unknown: s.Unknown, Unchanged: s.Unchanged, Approval: f.ApprovalDigest()})
}

func attrsJSON(attrs []plans.FileAttr) map[string]ctyjson.SimpleJSONValue {
	if len(attrs) == 0 {
		return nil
	}
	m := map[string]ctyjson.SimpleJSONValue{}
	for _, a := range attrs {
		v := a.Value
		if v == cty.NilVal {
			v = cty.NullVal(cty.DynamicPseudoType)
		}
		m[a.Path] = ctyjson.SimpleJSONValue{Value: named(v)}
	}
	return m
}
