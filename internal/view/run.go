package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/schema"
)

// runView is the state of the progress display.
type runView struct {
	total, finished int
	running         map[schema.Addr]string // what each waits for
	remaining       time.Duration
	spans           map[string]*span // by block
}

// span is the time from a block's first change to its last.
type span struct{ from, to time.Time }

func (r *runView) began(block string, now time.Time) {
	if r.spans[block] == nil {
		r.spans[block] = &span{from: now, to: now}
	}
}

func (r *runView) ended(block string, now time.Time) {
	if s := r.spans[block]; s != nil {
		s.to = now
	}
}

// Probe tells the progress of a probe: it is an engine.Sink for commands that only look.
func (p *Printer) Probe(e engine.Event) {
	switch e := e.(type) {
	case engine.ProbeStarted:
		if p.o.Live && !p.o.JSON {
			p.status(fmt.Sprintf("looking at %d hosts", e.Hosts))
		}
	case engine.HostProbed:
		p.hostProbed(e)
	case engine.ProbeEnded:
		p.warnSilent()
	}
}

func (p *Printer) hostProbed(e engine.HostProbed) {
	if p.o.JSON {
		l := hostLine{Type: "host", Host: e.Host, Seconds: e.Took.Seconds(), Reachable: e.Err == nil}
		if e.Err != nil {
			l.Error = e.Err.Error()
		}
		p.json(l)
		return
	}
	p.clear()
	if e.Err != nil {
		p.probed(e)
	}
}

// Run tells the progress of a run: it is an engine.Sink. Plain lines where stderr is no terminal.
func (p *Printer) Run(e engine.Event) {
	p.clock(e)
	if p.o.JSON {
		p.runJSON(e)
		return
	}
	switch e := e.(type) {
	case engine.RunStarted:
	case engine.ChangeStarted:
		p.run.running[e.Change.Addr] = ""
		if !p.o.Live {
			p.notef("%s %s: %s\n", string(rune(e.Change.Action)), e.Change.Addr, "begun")
		}
	case engine.ChangeProgress:
		p.progress(e)
	case engine.ChangeDone:
		p.finish(e.Change.Addr, e.Remaining)
		p.notef("%s %s: done in %s\n", p.err.green(string(rune(e.Change.Action))), e.Change.Addr, duration(e.Took))
	case engine.ChangeFailed:
		p.finish(e.Change.Addr, p.run.remaining)
		p.notef("%s %s: failed after %s\n", p.err.red("x"), e.Change.Addr, duration(e.Took))
	case engine.RunEnded:
		p.clear()
		p.ledger(e.Ledger)
		p.run = nil
		return
	default:
		p.Probe(e)
		return
	}
	p.drawRun()
}

// clock follows what runs when.
func (p *Printer) clock(e engine.Event) {
	switch e := e.(type) {
	case engine.RunStarted:
		p.run = &runView{total: e.Total, running: map[schema.Addr]string{}, remaining: e.Estimate, spans: map[string]*span{}}
	case engine.ChangeStarted:
		p.run.began(e.Change.Addr.Block.String(), p.o.Now())
	case engine.ChangeDone:
		p.run.ended(e.Change.Addr.Block.String(), p.o.Now())
	case engine.ChangeFailed:
		p.run.ended(e.Change.Addr.Block.String(), p.o.Now())
	}
}

func (p *Printer) progress(e engine.ChangeProgress) {
	if p.run == nil {
		return
	}
	p.run.running[e.Addr] = e.Text
	if !p.o.Live {
		p.notef("  %s: %s\n", e.Addr, e.Text)
	}
}

func (p *Printer) finish(addr schema.Addr, remaining time.Duration) {
	p.clear()
	delete(p.run.running, addr)
	p.run.finished++
	p.run.remaining = remaining
}

// drawRun shows what runs now, what is done and how long the rest may take.
func (p *Printer) drawRun() {
	if !p.o.Live || p.run == nil {
		return
	}
	var now []string
	for addr, waits := range p.run.running {
		text := addr.String()
		if waits != "" {
			text += " (" + waits + ")"
		}
		now = append(now, text)
	}
	slices.Sort(now)
	rest := ""
	if p.run.remaining > 0 {
		rest = ", about " + duration(p.run.remaining.Round(time.Second)) + " left"
	}
	p.status(fmt.Sprintf("%d of %d done%s; now: %s", p.run.finished, p.run.total, rest, strings.Join(now, ", ")))
}

// status draws the one status line, cut to the terminal's width.
func (p *Printer) status(text string) {
	text = oneLine(printable(text))
	if r := []rune(text); len(r) >= p.o.Width {
		text = string(r[:max(p.o.Width-2, 0)]) + "…"
	}
	p.notef("\r\x1b[K%s", p.err.dim(text))
	p.drawing = true
}

func (p *Printer) clear() {
	if p.drawing {
		p.notef("\r\x1b[K")
		p.drawing = false
	}
}

// duration writes a duration as people say it: 0.4s, 12s, 2m10s.
func duration(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// ledger prints what became of every change, and the failures with all that is known about them.
func (p *Printer) ledger(l *engine.Ledger) {
	p.printf("\n")
	for _, f := range failures(l) {
		for _, a := range f.addresses {
			p.printf("%s %s\n", p.out.red("failed      "), a)
		}
		p.printf("%s", indent(f.text, "               "))
	}
	said := map[string]bool{}
	for _, e := range l.Entries {
		switch e.State {
		case engine.Skipped:
			why := skipReason(e)
			if said[why] {
				why = "for the same reason"
			}
			said[why] = true
			p.printf("%s %s  %s\n", p.out.yellow("skipped     "), e.Change.Addr, p.out.dim(why))
		case engine.NotStarted:
			p.printf("%s %s\n", p.out.yellow("not started "), e.Change.Addr)
		case engine.Done, engine.Failed:
		}
	}
	p.printf("%s\n", p.out.bold(fmt.Sprintf("Apply: %d done, %d failed, %d skipped, %d not started in %s.",
		l.Count(engine.Done), l.Count(engine.Failed), l.Count(engine.Skipped), l.Count(engine.NotStarted), duration(l.Took))))
	p.parts(l)
	p.longest(l)
}

// part is a block of a run, and how long it took.
type part struct {
	Block   string  `json:"block"`
	Seconds float64 `json:"seconds"`
}

// partsOf returns the blocks of a run in the order of its plan.
func (p *Printer) partsOf(l *engine.Ledger) []part {
	ps := []part{}
	if p.run == nil {
		return ps
	}
	said := map[string]bool{}
	for _, e := range l.Entries {
		block := e.Change.Addr.Block.String()
		if s := p.run.spans[block]; s != nil && !said[block] {
			said[block] = true
			ps = append(ps, part{Block: block, Seconds: s.to.Sub(s.from).Seconds()})
		}
	}
	return ps
}

// parts prints how long each block took, from its first change to its last.
func (p *Printer) parts(l *engine.Ledger) {
	ps := p.partsOf(l)
	if l.Took < tellingRun || len(ps) == 0 {
		return
	}
	var texts []string
	for _, s := range ps {
		texts = append(texts, s.Block+" "+duration(time.Duration(s.Seconds*float64(time.Second))))
	}
	p.printf("%s\n", p.out.dim("Each part, from its first change to its last: "+strings.Join(texts, ", ")+"."))
}

// telling is how long a run must be, and which share of it a change must have, to be worth a word about where the time went.
const (
	tellingRun   = 2 * time.Second
	tellingShare = 20
)

// longest prints where the time of a run went: the chain of changes that it could not be shorter than.
func (p *Printer) longest(l *engine.Ledger) {
	if l.Took < tellingRun || len(l.Longest) == 0 {
		return
	}
	var parts []string
	for _, e := range l.Longest {
		if e.Took*tellingShare >= l.Took {
			parts = append(parts, fmt.Sprintf("%s %s", e.Change.Addr, duration(e.Took)))
		}
	}
	more := ""
	if n := len(l.Longest) - len(parts); n > 0 {
		more = fmt.Sprintf(" and %d shorter ones", n)
	}
	p.printf("%s\n", p.out.dim(fmt.Sprintf("The longest chain of dependencies took %s: %s%s.", duration(l.LongestTook()), strings.Join(parts, ", "), more)))
}

func skipReason(e engine.Entry) string {
	if len(e.Because) == 0 {
		return firstLine(printable(e.Change.Reason.Text))
	}
	var names []string
	for _, a := range e.Because {
		names = append(names, a.String())
	}
	return "because of " + strings.Join(names, ", ")
}
