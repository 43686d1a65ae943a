//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expertflow/cxha/sandbox/site"
)

// link is what happens to the packets between two hosts, or between all hosts of two sites: they are lost, or there is a limit to
// how many there can be.
type link struct {
	a, b string // hosts, or the sites a and b
	cut  bool
	rate string // as tc(8) has it; empty: no limit
}

// String tells it in words.
func (k link) String() string {
	if k.cut {
		return fmt.Sprintf("link %s-%s: cut", k.a, k.b)
	}
	return fmt.Sprintf("link %s-%s: %s", k.a, k.b, k.rate)
}

// joins reports whether the link is between these two, in either order.
func (k link) joins(a, b string) bool { return k.a == a && k.b == b || k.a == b && k.b == a }

var ratePattern = regexp.MustCompile(`^[1-9][0-9]*[kmg]?(bit|bps)$`)

// setLink makes the link what it is to be from now on.
func (l *Lab) setLink(ctx context.Context, k link) error {
	if !k.cut && !ratePattern.MatchString(k.rate) {
		return fmt.Errorf("%q is no rate, such as 10mbit", k.rate)
	}
	return l.changeLinks(ctx, k.a, k.b, func(others []link) []link { return append(others, k) })
}

// mendLink makes the link what it was.
func (l *Lab) mendLink(ctx context.Context, a, b string) error {
	return l.changeLinks(ctx, a, b, func(others []link) []link { return others })
}

func (l *Lab) changeLinks(ctx context.Context, a, b string, change func(others []link) []link) error {
	one, err := l.members(a)
	if err != nil {
		return err
	}
	two, err := l.members(b)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(one, func(h *host) bool { return slices.Contains(two, h) }) {
		return fmt.Errorf("%s and %s: a host has no link to itself", a, b)
	}
	if err := l.storeLinks(ctx, a, b, change); err != nil {
		return err
	}
	for _, h := range l.hosts { // all: links have new numbers, and with them new classes
		h.mu.Lock()
		if h.ns != nil {
			err = errors.Join(err, l.shape(ctx, h))
		}
		h.mu.Unlock()
	}
	return err
}

// storeLinks takes a link out, adds what change adds, and has the router act on them.
func (l *Lab) storeLinks(ctx context.Context, a, b string, change func(others []link) []link) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.links = change(slices.DeleteFunc(slices.Clone(l.links), func(k link) bool { return k.joins(a, b) }))
	_, err := l.router.run(ctx, l.filter(), "nft", "-f", "-")
	return err
}

// members are the hosts that a name stands for: itself, or those of a site.
func (l *Lab) members(name string) ([]*host, error) {
	var members []*host
	for _, h := range l.hosts {
		if h.Name == name || h.Site == name {
			members = append(members, h)
		}
	}
	if len(members) == 0 {
		return nil, site.UnknownHost(name, l.layout)
	}
	return members, nil
}

// class is the class of a slow link in tc's notation, in which the numbers are hexadecimal.
func class(n int) string { return fmt.Sprintf("1:%x", 0x10+n) }

// filter is the router's whole table of rules: one chain for what passes within a segment, one for what goes from one to another. It
// drops the packets of cut links and puts those of slow ones into their classes.
func (l *Lab) filter() string {
	var within, between strings.Builder
	for n, k := range l.links {
		do := "drop"
		if !k.cut {
			do = "meta priority set " + class(n)
		}
		a, errA := l.members(k.a)
		b, errB := l.members(k.b)
		if errA != nil || errB != nil {
			continue // names are checked before they become links
		}
		for _, d := range [][2][]*host{{a, b}, {b, a}} {
			fmt.Fprintf(&within, "    iifname %s oifname %s %s\n", braces(ports(d[0])), braces(ports(d[1])), do)
			fmt.Fprintf(&between, "    ip saddr %s ip daddr %s %s\n", braces(addresses(d[0])), braces(addresses(d[1])), do)
		}
	}
	chain := "  chain forward {\n    type filter hook forward priority 0; policy accept;\n%s  }\n"
	return fmt.Sprintf("table bridge lab\ndelete table bridge lab\ntable ip lab\ndelete table ip lab\n"+
		"table bridge lab {\n"+chain+"}\ntable ip lab {\n"+chain+"}\n", within.String(), between.String())
}

func ports(hosts []*host) []string {
	var names []string
	for _, h := range hosts {
		for n := range h.addresses() {
			names = append(names, `"`+port(h.Name, n)+`"`)
		}
	}
	return names
}

func addresses(hosts []*host) []string {
	var all []string
	for _, h := range hosts {
		for _, addr := range h.addresses() {
			all = append(all, addr.String())
		}
	}
	return all
}

// shape gives the lines of a host a class for each slow link: what comes to the host waits there. The caller holds the host's lock.
func (l *Lab) shape(ctx context.Context, h *host) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	slow := slices.ContainsFunc(l.links, func(k link) bool { return !k.cut })
	if !slow && !h.shaped {
		return nil
	}
	h.shaped = slow
	var lines []string
	for line := range h.addresses() {
		dev := port(h.Name, line)
		lines = append(lines, "qdisc replace dev "+dev+" root handle 2: pfifo") // the classes of before are gone with it
		if slow {
			lines = append(lines, "qdisc replace dev "+dev+" root handle 1: htb")
		}
		for n, k := range l.links {
			if !k.cut {
				lines = append(lines, fmt.Sprintf("class add dev %s parent 1: classid %s htb rate %s burst 64k", dev, class(n), k.rate))
			}
		}
	}
	_, err := l.router.run(ctx, strings.Join(lines, "\n")+"\n", "tc", "-batch", "-")
	return err
}
