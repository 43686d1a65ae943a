package schema

import (
	"fmt"
	"net/netip"
	"strings"
)

// AddressRange is an unbroken range of IP addresses of one family.
type AddressRange struct {
	Text        string // normalised: 10.10.1.48/28 or 10.10.1.50-10.10.1.59
	First, Last netip.Addr
}

// Overlaps reports whether some address lies in both.
func (r AddressRange) Overlaps(o AddressRange) bool {
	return r.First.BitLen() == o.First.BitLen() && r.First.Compare(o.Last) <= 0 && o.First.Compare(r.Last) <= 0
}

// Contains reports whether the address lies in the range.
func (r AddressRange) Contains(a netip.Addr) bool {
	return r.First.BitLen() == a.BitLen() && r.First.Compare(a) <= 0 && a.Compare(r.Last) <= 0
}

// PrefixRange returns the addresses of a network.
func PrefixRange(p netip.Prefix) AddressRange {
	last := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	end, _ := netip.AddrFromSlice(last)
	return AddressRange{Text: p.Masked().String(), First: p.Masked().Addr(), Last: end}
}

// ParseRange reads a range: a network, FIRST-LAST, or a single address. Otherwise it returns what is wrong, in full sentences.
func ParseRange(s string) (r AddressRange, problem string) {
	switch {
	case strings.Contains(s, "/"):
		r, problem = parseNetwork(s)
	case strings.Contains(s, "-"):
		r, problem = parseFirstLast(s)
	default:
		a, err := netip.ParseAddr(s)
		if err != nil {
			return AddressRange{}, fmt.Sprintf("%q is neither an address nor a range of addresses. Write 10.10.1.50, 10.10.1.48/28 or 10.10.1.50-10.10.1.59.", s)
		}
		r = single(a)
	}
	if problem != "" {
		return AddressRange{}, problem
	}
	for _, a := range []netip.Addr{r.First, r.Last} {
		if a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() || a.IsLinkLocalUnicast() || a.Zone() != "" || a.Is4In6() {
			return AddressRange{}, fmt.Sprintf("%q holds %s, which no client in another network could reach. Use addresses of a network that the clients can reach.", s, a)
		}
	}
	return r, ""
}

func single(a netip.Addr) AddressRange {
	return AddressRange{Text: netip.PrefixFrom(a, a.BitLen()).String(), First: a, Last: a}
}

func parseNetwork(s string) (AddressRange, string) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return AddressRange{}, fmt.Sprintf("%q is no network. A network is written as its first address, a slash and the prefix length: 10.10.1.48/28.", s)
	}
	if m := p.Masked(); m != p {
		return AddressRange{}, fmt.Sprintf("%q is not the first address of its network. Write %q for all of it, or %q for the one address.", s, m, netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))
	}
	return PrefixRange(p), ""
}

func parseFirstLast(s string) (AddressRange, string) {
	before, after, _ := strings.Cut(s, "-")
	first, err := netip.ParseAddr(strings.TrimSpace(before))
	last, lastErr := netip.ParseAddr(strings.TrimSpace(after))
	switch {
	case err != nil || lastErr != nil:
		return AddressRange{}, fmt.Sprintf("%q is no range of addresses. Write the first and the last one with - between them, both in full: 10.10.1.50-10.10.1.59.", s)
	case first.BitLen() != last.BitLen():
		return AddressRange{}, fmt.Sprintf("%q begins with an address of one family and ends with one of the other. Write one range for IPv4 and one for IPv6.", s)
	case last.Less(first):
		return AddressRange{}, fmt.Sprintf("%q ends before it begins. Write the lower address first: %q.", s, fmt.Sprintf("%s-%s", last, first))
	case first == last:
		return single(first), ""
	}
	return AddressRange{Text: fmt.Sprintf("%s-%s", first, last), First: first, Last: last}, ""
}

// PoolRange is the rule for addresses of pools.
var PoolRange = Rule{Summary: "Invalid addresses", Doc: "an address, a network, or FIRST-LAST", Check: func(s string) string {
	_, problem := ParseRange(s)
	return problem
}}

// SingleAddress is the rule for one address that is no node's: a router's, or one of a pool.
var SingleAddress = Rule{Summary: "Invalid address", Doc: "an IP address", Check: func(s string) string {
	r, problem := ParseRange(s)
	switch _, err := netip.ParseAddr(s); {
	case problem != "" && err == nil:
		return problem
	case problem != "":
		return fmt.Sprintf("%q is no IP address.", s)
	case err != nil:
		return fmt.Sprintf("%q is a range, and one address is needed: write %q.", s, r.First)
	}
	return ""
}}
