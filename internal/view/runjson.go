package view

import (
	"github.com/expertflow/cxha/engine"
)

// hostLine tells that a host was looked at.
type hostLine struct {
	Type      string  `json:"type"`
	Host      string  `json:"host"`
	Reachable bool    `json:"reachable"`
	Seconds   float64 `json:"seconds"`
	Error     string  `json:"error,omitempty"`
}

// eventLine is an event of a run in JSON. Fields may be added, never changed.
type eventLine struct {
	Type      string   `json:"type"`
	Addr      string   `json:"address,omitempty"`
	Action    string   `json:"action,omitempty"`
	Text      string   `json:"text,omitempty"`
	Error     string   `json:"error,omitempty"`
	Because   []string `json:"because,omitempty"`
	State     string   `json:"state,omitempty"`
	Total     int      `json:"total,omitempty"`
	Seconds   float64  `json:"seconds,omitempty"`
	Remaining float64  `json:"remaining_seconds,omitempty"`
}

// ledgerLine ends a run in JSON.
type ledgerLine struct {
	Type        string      `json:"type"`
	Done        int         `json:"done"`
	Failed      int         `json:"failed"`
	Skipped     int         `json:"skipped"`
	NotStarted  int         `json:"not_started"`
	Interrupted bool        `json:"interrupted"`
	Seconds     float64     `json:"seconds"`
	Entries     []eventLine `json:"entries"`
	Longest     longestPath `json:"longest_chain"`
	Parts       []part      `json:"parts"` // each block, from its first change to its last
}

// longestPath is the chain of changes that took longest together.
type longestPath struct {
	Seconds   float64  `json:"seconds"`
	Addresses []string `json:"addresses"`
}

func (p *Printer) runJSON(e engine.Event) {
	switch e := e.(type) {
	case engine.RunStarted:
		p.json(eventLine{Type: "run_started", Total: e.Total, Remaining: e.Estimate.Seconds()})
	case engine.ChangeStarted:
		p.json(eventLine{Type: "change_started", Addr: e.Change.Addr.String(), Action: e.Change.Action.String()})
	case engine.ChangeProgress:
		p.json(eventLine{Type: "change_progress", Addr: e.Addr.String(), Text: e.Text})
	case engine.ChangeDone:
		p.json(eventLine{Type: "change_done", Addr: e.Change.Addr.String(), Action: e.Change.Action.String(), Seconds: e.Took.Seconds(), Remaining: e.Remaining.Seconds()})
	case engine.ChangeFailed:
		p.json(eventLine{Type: "change_failed", Addr: e.Change.Addr.String(), Action: e.Change.Action.String(), Seconds: e.Took.Seconds(), Error: failureText(e.Err)})
	case engine.RunEnded:
		line := ledgerJSON(e.Ledger)
		line.Parts = p.partsOf(e.Ledger)
		p.json(line)
		p.run = nil
	default:
		p.Probe(e)
	}
}

func ledgerJSON(l *engine.Ledger) ledgerLine {
	line := ledgerLine{Type: "ledger", Done: l.Count(engine.Done), Failed: l.Count(engine.Failed), Skipped: l.Count(engine.Skipped),
		NotStarted: l.Count(engine.NotStarted), Interrupted: l.Interrupted, Seconds: l.Took.Seconds(), Entries: []eventLine{}}
	for _, e := range l.Entries {
		entry := eventLine{Type: "entry", Addr: e.Change.Addr.String(), Action: e.Change.Action.String(), State: string(e.State), Seconds: e.Took.Seconds()}
		if e.Err != nil {
			entry.Error = failureText(e.Err)
		}
		for _, a := range e.Because {
			entry.Because = append(entry.Because, a.String())
		}
		line.Entries = append(line.Entries, entry)
	}
	line.Longest = longestPath{Seconds: l.LongestTook().Seconds(), Addresses: []string{}}
	for _, e := range l.Longest {
		line.Longest.Addresses = append(line.Longest.Addresses, e.Change.Addr.String())
	}
	return line
}
