package machine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// cmdJournalctl knows -u, -n, -o cat and short, -r, -b and --no-pager.
func cmdJournalctl(_ context.Context, p *Process) int {
	f := p.flags()
	units := f.StringArrayP("unit", "u", nil, "")
	lines := f.StringP("lines", "n", "all", "")
	output := f.StringP("output", "o", "short", "")
	reverse := f.BoolP("reverse", "r", false, "")
	invocation := f.String("invocation", "", "")
	f.Bool("no-pager", false, "")
	f.BoolP("quiet", "q", false, "")
	f.BoolP("boot", "b", false, "")
	f.BoolP("catalog", "x", false, "")
	f.BoolP("pager-end", "e", false, "")
	f.Bool("no-hostname", false, "")
	args, ok := p.parse(f)
	if !ok {
		return 1
	}
	for _, a := range args { // a match such as _SYSTEMD_INVOCATION_ID=...
		if id, ok := strings.CutPrefix(a, "_SYSTEMD_INVOCATION_ID="); ok {
			*invocation = id
		}
	}
	var entries []entry
	for _, u := range *units {
		list, err := p.Machine.journal.read(unitName(u))
		if err != nil {
			return p.fail("%v", err)
		}
		entries = append(entries, list...)
	}
	if *invocation != "" {
		entries = slices.DeleteFunc(entries, func(e entry) bool { return e.run != *invocation })
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return a.at.Compare(b.at) })
	if n, err := parseCount(*lines); err == nil && n < len(entries) {
		entries = entries[len(entries)-n:]
	}
	if *reverse {
		slices.Reverse(entries)
	}
	if len(entries) == 0 && *output != "cat" {
		p.printf("-- No entries --\n")
	}
	for _, e := range entries {
		if *output == "cat" {
			p.printf("%s\n", e.text)
		} else {
			p.printf("%s\n", p.Machine.shortEntry(e, p.zone()))
		}
	}
	return 0
}

func parseCount(s string) (int, error) {
	if s == "all" {
		return 0, errors.New("all")
	}
	n := 0
	_, err := fmt.Sscanf(s, "%d", &n)
	return n, err
}

func (m *Machine) shortEntry(e entry, zone *time.Location) string {
	return fmt.Sprintf("%s %s %s: %s", e.at.In(zone).Format(time.Stamp), m.hostname(), e.ident, e.text)
}
