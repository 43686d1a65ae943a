package players

import (
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// addressPool is an IPAddressPool (domain.md §4.2).
type addressPool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Addresses     []string `json:"addresses"`
		AutoAssign    *bool    `json:"autoAssign"`
		AvoidBuggyIPs bool     `json:"avoidBuggyIPs"`
		Allocation    *struct {
			Priority         int                    `json:"priority"`
			Namespaces       []string               `json:"namespaces"`
			ServiceSelectors []metav1.LabelSelector `json:"serviceSelectors"`
		} `json:"serviceAllocation"`
	} `json:"spec"`
	Status map[string]any `json:"status"`

	ranges []addressRange
}

// l2Advertisement is an L2Advertisement (domain.md §4.2).
type l2Advertisement struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Pools            []string               `json:"ipAddressPools"`
		PoolSelectors    []metav1.LabelSelector `json:"ipAddressPoolSelectors"`
		NodeSelectors    []metav1.LabelSelector `json:"nodeSelectors"`
		ServiceSelectors []metav1.LabelSelector `json:"serviceSelectors"`
		Interfaces       []string               `json:"interfaces"`
	} `json:"spec"`
}

// addressRange is the addresses from first to last, both included.
type addressRange struct{ first, last netip.Addr }

// parseRange reads "10.0.0.0/28" or "10.0.0.1-10.0.0.9".
func parseRange(text string) (addressRange, error) {
	text = strings.TrimSpace(text)
	if from, to, isRange := strings.Cut(text, "-"); isRange {
		first, err := netip.ParseAddr(strings.TrimSpace(from))
		if err != nil {
			return addressRange{}, fmt.Errorf("invalid IP range %q: invalid start IP %q", text, strings.TrimSpace(from))
		}
		last, err := netip.ParseAddr(strings.TrimSpace(to))
		if err != nil {
			return addressRange{}, fmt.Errorf("invalid IP range %q: invalid end IP %q", text, strings.TrimSpace(to))
		}
		if first.BitLen() != last.BitLen() {
			return addressRange{}, fmt.Errorf("invalid IP range %q: not the same IP family", text)
		}
		if last.Less(first) {
			return addressRange{}, fmt.Errorf("invalid IP range %q: start IP %q is after the end IP %q", text, first, last)
		}
		return addressRange{first, last}, nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return addressRange{}, fmt.Errorf("invalid CIDR %q", text)
	}
	first := prefix.Masked().Addr()
	bytes := first.AsSlice()
	for bit := prefix.Bits(); bit < first.BitLen(); bit++ {
		bytes[bit/8] |= 1 << (7 - bit%8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return addressRange{first, last}, nil
}

func (r addressRange) contains(a netip.Addr) bool {
	return a.BitLen() == r.first.BitLen() && !a.Less(r.first) && !r.last.Less(a)
}

func (r addressRange) overlaps(o addressRange) bool {
	return r.first.BitLen() == o.first.BitLen() && !r.last.Less(o.first) && !o.last.Less(r.first)
}

// size is the number of addresses, at most what fits.
func (r addressRange) size() int64 {
	first, last := new(big.Int).SetBytes(r.first.AsSlice()), new(big.Int).SetBytes(r.last.AsSlice())
	n := last.Sub(last, first)
	if n.Add(n, big.NewInt(1)); !n.IsInt64() {
		return 1<<63 - 1
	}
	return n.Int64()
}

// parse reads the pool's addresses.
func (p *addressPool) parse() error {
	p.ranges = nil
	if len(p.Spec.Addresses) == 0 {
		return fmt.Errorf("pool %q: no prefixes defined", p.Name)
	}
	for _, text := range p.Spec.Addresses {
		r, err := parseRange(text)
		if err != nil {
			return fmt.Errorf("parsing address pool %s: %w in pool %q", p.Name, err, p.Name)
		}
		for n, other := range p.ranges {
			if r.overlaps(other) {
				return fmt.Errorf("CIDR %q in pool %q overlaps with already defined CIDR %q", text, p.Name, p.Spec.Addresses[n])
			}
		}
		p.ranges = append(p.ranges, r)
	}
	return nil
}

// clash finds an address that two pools have.
func (p *addressPool) clash(other *addressPool) error {
	for n, r := range p.ranges {
		for m, o := range other.ranges {
			if r.overlaps(o) {
				return fmt.Errorf("CIDR %q in pool %q overlaps with already defined CIDR %q", p.Spec.Addresses[n], p.Name, other.Spec.Addresses[m])
			}
		}
	}
	return nil
}

// contains tells whether the pool may give the address away.
func (p *addressPool) contains(a netip.Addr) bool {
	if p.Spec.AvoidBuggyIPs && a.Is4() && (a.As4()[3] == 0 || a.As4()[3] == 255) {
		return false
	}
	return slices.ContainsFunc(p.ranges, func(r addressRange) bool { return r.contains(a) })
}

// serves tells whether the pool is for the service, and with which priority; the lowest number above 0 comes first.
func (p *addressPool) serves(s *corev1.Service) (priority int, ok bool) {
	allocation := p.Spec.Allocation
	if allocation == nil {
		return 1 << 30, true
	}
	priority = allocation.Priority
	if priority == 0 {
		priority = 1 << 30
	}
	if len(allocation.Namespaces) == 0 && len(allocation.ServiceSelectors) == 0 {
		return priority, true
	}
	return priority, slices.Contains(allocation.Namespaces, s.Namespace) || selects(allocation.ServiceSelectors, s.Labels)
}

// selects tells whether one of the selectors does.
func selects(selectors []metav1.LabelSelector, set map[string]string) bool {
	return slices.ContainsFunc(selectors, func(s metav1.LabelSelector) bool {
		selector, err := metav1.LabelSelectorAsSelector(&s)
		return err == nil && selector.Matches(labels.Set(set))
	})
}

func checkSelectors(selectors ...[]metav1.LabelSelector) error {
	var errs []error
	for _, list := range selectors {
		for _, s := range list {
			_, err := metav1.LabelSelectorAsSelector(&s)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
