package view

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expertflow/cxha/engine"
	"github.com/expertflow/cxha/plans"
)

// A bastion that is down, or a key that no host takes, is one cause for many hosts, and an API that does not answer for all that is in
// it. Each cause is told once, with what it is about.

// cause takes an error of a host apart: "host w1 (10.10.1.11): no route" is about "w1 (10.10.1.11)". about is empty where the text is of
// no host.
func cause(text string) (about, why string) {
	rest, ok := strings.CutPrefix(text, "host ")
	if !ok {
		return "", text
	}
	about, why, ok = strings.Cut(rest, "): ")
	if !ok || !strings.Contains(about, " (") {
		return "", text
	}
	return about + ")", why
}

// ofHosts is a cause with all whom it is about.
func ofHosts(hosts []string, why string) string {
	switch len(hosts) {
	case 0:
		return why
	case 1:
		return fmt.Sprintf("host %s: %s", hosts[0], why)
	default:
		return fmt.Sprintf("hosts %s: %s", list(hosts), why)
	}
}

func list(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// silent are the hosts of one cause.
type silent struct {
	why   string // in one line
	hint  string
	hosts []string
}

// probed collects what hosts did not answer.
func (p *Printer) probed(e engine.HostProbed) {
	line, hint, _ := strings.Cut(e.Err.Error(), "\n")
	about, why := cause(line)
	for _, s := range p.silent {
		if about != "" && s.why == why {
			s.hosts = append(s.hosts, about)
			return
		}
	}
	s := &silent{why: why, hint: hint}
	if about != "" {
		s.hosts = []string{about}
	}
	p.silent = append(p.silent, s)
}

// warnSilent prints a warning for each cause.
func (p *Printer) warnSilent() {
	if len(p.silent) == 0 {
		return
	}
	p.clear()
	for _, s := range p.silent {
		slices.Sort(s.hosts)
		p.notef("%s %s\n", p.err.yellow("warning:"), ofHosts(s.hosts, s.why))
		if s.hint != "" {
			p.notef("%s\n", s.hint)
		}
	}
	p.silent = nil
}

// unseen is what cannot be known for one cause, block by block.
type unseen struct {
	why    string
	hosts  []string
	blocks []hiddenBlock
	number int  // tells causes apart that hide something in several blocks; 0: it is in one only
	once   bool // it was told in full
}

type hiddenBlock struct {
	title   string
	changes []plans.FileChange
}

// unseens puts unknown changes together by their causes, in the order of the plan.
func unseens(changes []plans.FileChange) []*unseen {
	var all []*unseen
	byWhy := map[string]*unseen{}
	for _, c := range changes {
		if c.Action != plans.Unknown {
			continue
		}
		about, why := cause(reasonLine(c))
		u := byWhy[why]
		if u == nil {
			u = &unseen{why: why}
			byWhy[why] = u
			all = append(all, u)
		}
		if about != "" && !slices.Contains(u.hosts, about) {
			u.hosts = append(u.hosts, about)
		}
		u.add(c)
	}
	number := 0
	for _, u := range all {
		if len(u.blocks) > 1 {
			number++
			u.number = number
		}
	}
	return all
}

func (u *unseen) add(c plans.FileChange) {
	title := c.Addr.Block.String()
	i := slices.IndexFunc(u.blocks, func(b hiddenBlock) bool { return b.title == title })
	if i < 0 {
		i = len(u.blocks)
		u.blocks = append(u.blocks, hiddenBlock{title: title})
	}
	u.blocks[i].changes = append(u.blocks[i].changes, c)
}

// in are the changes of a block.
func (u *unseen) in(title string) []plans.FileChange {
	i := slices.IndexFunc(u.blocks, func(b hiddenBlock) bool { return b.title == title })
	return u.blocks[i].changes
}

func (u *unseen) text() string { return ofHosts(u.hosts, u.why) }

// told is the cause in full at the first place, and its number at the others.
func (u *unseen) told() string {
	switch {
	case u.number == 0:
		return u.text()
	case u.once:
		return fmt.Sprintf("cause %d, see above", u.number)
	default:
		u.once = true
		return fmt.Sprintf("%s (cause %d)", u.text(), u.number)
	}
}

// names are the resources of changes of one block.
func names(changes []plans.FileChange) string {
	var ns []string
	for _, c := range changes {
		ns = append(ns, resourceName(c))
	}
	return strings.Join(ns, ", ")
}

// failure are changes that failed with the same words.
type failure struct {
	text      string
	addresses []string
}

// failures puts the failed changes of a run together by what they say.
func failures(l *engine.Ledger) []*failure {
	var all []*failure
	byText := map[string]*failure{}
	for _, e := range l.Entries {
		if e.State != engine.Failed {
			continue
		}
		text := e.Err.Error()
		if command := (*engine.CommandError)(nil); !errors.As(e.Err, &command) {
			text = strings.ReplaceAll(text, e.Change.Addr.String(), "")
		}
		f := byText[text]
		if f == nil {
			f = &failure{text: failureText(e.Err)}
			byText[text] = f
			all = append(all, f)
		}
		f.addresses = append(f.addresses, e.Change.Addr.String())
	}
	return all
}
