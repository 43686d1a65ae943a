package schema

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// dualStack is what to say to an address or a network of each family.
const dualStack = "Clusters of cxha have one family of addresses: dual stack (IPv4 and IPv6 at once) is not supported. Give one."

// several reports whether a text lists more than one address or network.
func several(s string) bool {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == ';' })
	for _, p := range parts {
		if _, err := netip.ParseAddr(p); err == nil {
			continue
		}
		if _, err := netip.ParsePrefix(p); err != nil {
			return false
		}
	}
	return len(parts) > 1
}

// Address is the rule for IP addresses of hosts.
var Address = Rule{Summary: "Invalid address", Doc: "an IP address", Several: dualStack, Check: func(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		if several(s) {
			return fmt.Sprintf("%q is more than one address. %s", s, dualStack)
		}
		if p, err := netip.ParsePrefix(s); err == nil {
			return fmt.Sprintf("%q is an address with a prefix length. A node has one address: write %q.", s, p.Addr())
		}
		return fmt.Sprintf("%q is no IP address. RKE2 and the other nodes use it as the node's address, so a name does not do.", s)
	}
	switch {
	case a.IsUnspecified(), a.IsLoopback(), a.IsMulticast(), a.IsLinkLocalUnicast(), a.Zone() != "":
		return fmt.Sprintf("%q cannot be reached from other nodes. Use the address of the host in the network that the nodes share.", s)
	}
	return ""
}}

// Network is the rule for networks in CIDR form.
var Network = Rule{Summary: "Invalid network", Doc: "a network such as 10.42.0.0/16", Several: dualStack, Check: func(s string) string {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if several(s) {
			return fmt.Sprintf("%q is more than one network. %s", s, dualStack)
		}
		return fmt.Sprintf("%q is no network. A network is written as its first address, a slash and the prefix length: 10.42.0.0/16.", s)
	}
	if m := p.Masked(); m != p {
		return fmt.Sprintf("%q is not the first address of its network. Write %q, or another prefix length.", s, m)
	}
	return ""
}}

var dnsName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

var onlyDigitsAndDots = regexp.MustCompile(`^[0-9.]+$`)

// HostName is the rule for names or addresses of hosts. Names are RFC 1123 subdomains.
var HostName = Rule{Summary: "Invalid host name", Doc: "a host name or an IP address", Check: func(s string) string {
	if _, err := netip.ParseAddr(s); err == nil {
		return ""
	}
	switch {
	case strings.Contains(s, "://"), strings.Contains(s, ":"), strings.Contains(s, "/"):
		return fmt.Sprintf("%q is more than a host name. Write the name alone, without scheme, port or path.", s)
	case onlyDigitsAndDots.MatchString(s):
		return fmt.Sprintf("%q looks like an IP address and is none.", s)
	case s == "localhost":
		return "Every host calls itself localhost, so the name would mean another machine on each node."
	case len(s) > 253 || !dnsName.MatchString(s):
		return fmt.Sprintf("%q is no host name. Host names are made of lower case letters, digits, - and dots, and each part begins and ends with a letter or digit (RFC 1123).", s)
	}
	return ""
}}

// WebAddress is the rule for addresses that hosts download from.
var WebAddress = Rule{Summary: "Invalid web address", Doc: "an address that begins with https:// or http://", Hides: withLogin, Check: func(s string) string {
	if withLogin(s) {
		return "The address holds a user name or password, which would be visible in plans and process lists. Use a mirror without login."
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return fmt.Sprintf("%q is no address that a host can download from. Write a full address such as https://mirror.cx.internal/rke2.", s)
	}
	return ""
}}

func withLogin(s string) bool { return strings.Contains(s, "@") }

// InterfaceName is the rule for names of network interfaces: what Linux accepts.
var InterfaceName = matching("Invalid interface name", "a network interface's name", `^[^/:\s]{1,15}$`,
	"is no name of a network interface: at most 15 characters, without spaces, slashes and colons.")
