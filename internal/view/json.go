package view

import (
	"encoding/json"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

// changeLine is one change in JSON. Fields may be added, never changed.
type changeLine struct {
	Type     string          `json:"type"`
	Addr     string          `json:"address"`
	Host     string          `json:"host,omitempty"`
	Action   string          `json:"action"`
	Code     string          `json:"reason_code,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Before   json.RawMessage `json:"before,omitempty"`
	After    json.RawMessage `json:"after,omitempty"`
	Observed string          `json:"observed,omitempty"`
	Requires []string        `json:"requires,omitempty"`
	Commands string          `json:"commands,omitempty"`
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

func (p *Printer) planJSON(plan *plans.Plan, commands map[string]string) {
	for _, c := range plan.Changes {
		if c.Action == plans.NoOp {
			continue
		}
		l := changeJSON(c)
		l.Commands = commands[c.Addr.String()]
		p.json(l)
	}
	p.json(summaryJSON(plan))
}

func summaryJSON(plan *plans.Plan) summaryLine {
	s := plan.Summary()
	return summaryLine{Type: "summary", Cluster: plan.Cluster, Create: s.Create, Update: s.Update, Replace: s.Replace, Delete: s.Delete,
		Unknown: s.Unknown, Unchanged: s.Unchanged, Approval: plans.ApprovalDigest(plan)}
}

func changeJSON(c plans.Change) changeLine {
	l := changeLine{Type: "change", Addr: c.Addr.String(), Host: c.Host, Action: c.Action.String(), Code: string(c.Reason.Code),
		Reason: c.Reason.Text, Observed: c.Observed, Before: valueJSON(c.Before), After: valueJSON(c.After)}
	for _, r := range c.Requires {
		l.Requires = append(l.Requires, r.String())
	}
	return l
}

// valueJSON writes a value with secrets hidden and unknown parts named.
func valueJSON(v cty.Value) json.RawMessage {
	if v == cty.NilVal {
		return nil
	}
	shown, err := schema.HideSensitive(v, "")
	if err != nil {
		return nil
	}
	shown, err = cty.Transform(shown, func(_ cty.Path, e cty.Value) (cty.Value, error) {
		if !e.IsKnown() {
			return cty.StringVal("(known after apply)"), nil
		}
		return e, nil
	})
	if err != nil || shown.IsNull() {
		return nil
	}
	b, err := ctyjson.Marshal(shown, shown.Type())
	if err != nil {
		return nil
	}
	return b
}
