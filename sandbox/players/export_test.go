package players

import "net/netip"

// ParseRange is parseRange with its result in parts.
func ParseRange(text string) (first, last netip.Addr, size int64, err error) {
	r, err := parseRange(text)
	if err != nil {
		return first, last, 0, err
	}
	return r.first, r.last, r.size(), nil
}

// Inner parts for their tests.
var (
	ValidateL2        = validateL2
	ValidateBGP       = validateBGP
	ValidatePeer      = validatePeer
	ValidateCommunity = validateCommunity
)

// Expose is expose.
func (n *PodNetwork) Expose(pod netip.AddrPort, real string) (withdraw func()) {
	return n.expose(pod, real)
}
