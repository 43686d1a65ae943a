package view

import (
	"path/filepath"

	"github.com/expertflow/cxha/providers/helm"
)

// Lock is what became of a lock file.
type Lock struct {
	File    string // absolute path
	Differs bool   // its text is not what it should be
	Written bool   // it was written anew
	Changes []helm.LockChange
	Notes   []helm.ValuesNote
}

type noteLine struct {
	Type  string `json:"type"`
	Block string `json:"block"`
	Text  string `json:"text"`
}

type lockLine struct {
	Type      string `json:"type"`
	Chart     string `json:"chart,omitempty"`
	RKE2      bool   `json:"rke2,omitempty"`
	Old       string `json:"old,omitempty"`
	New       string `json:"new,omitempty"`
	OldDigest string `json:"old_digest,omitempty"`
	NewDigest string `json:"new_digest,omitempty"`
}

type lockedLine struct {
	Type    string `json:"type"`
	File    string `json:"file"`
	Differs bool   `json:"differs"`
	Written bool   `json:"written"`
}

// Resolving tells that a chart is being looked up.
func (p *Printer) Resolving(chart string) {
	if !p.o.JSON {
		p.notef("looking up %s\n", chart)
	}
}

// Lock prints what changed in a lock file.
func (p *Printer) Lock(l Lock) error {
	if p.o.JSON {
		for _, c := range l.Changes {
			p.json(lockLine{Type: "lock_change", Chart: c.Chart, RKE2: c.Chart == "", Old: c.Old, New: c.New, OldDigest: c.OldDigest, NewDigest: c.NewDigest})
		}
		for _, n := range l.Notes {
			p.json(noteLine{Type: "lock_note", Block: n.Block.String(), Text: n.Text})
		}
		p.json(lockedLine{Type: "lock", File: l.File, Differs: l.Differs, Written: l.Written})
		return p.writes
	}
	for _, c := range l.Changes {
		p.printf("%s\n", c)
	}
	for _, n := range l.Notes {
		p.printf("%s %s: %s\n", p.out.yellow("note:"), n.Block, n.Text)
	}
	name := filepath.Base(l.File)
	switch {
	case l.Written:
		p.printf("%s written.\n", name)
	case l.Differs:
		p.printf("%s would change.\n", name)
	default:
		p.printf("%s is up to date.\n", name)
	}
	return p.writes
}
