package schema

import (
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// The syntax of names, label keys and label values is that of Kubernetes ("Labels and Selectors" and "Object Names and IDs" in
// its documentation); RKE2 hands them over unchecked, and a node with a bad one never registers.
var (
	labelName = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	dnsLabel  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	rke2Build = regexp.MustCompile(`^\+rke2r[0-9]+$`)
)

// Version is the rule for RKE2's versions: vX.Y.Z+rke2rN, perhaps with a pre-release such as -rc1.
var Version = Rule{Summary: "Invalid RKE2 version", Doc: "vX.Y.Z+rke2rN", Check: func(s string) string {
	const form = "RKE2's versions are written vX.Y.Z+rke2rN, for example v1.35.7+rke2r1"
	switch {
	case strings.Contains(s, "+k3s"):
		return fmt.Sprintf("%q is a version of K3s. %s.", s, form)
	case !strings.HasPrefix(s, "v") && semver.IsValid("v"+s):
		return fmt.Sprintf("%q lacks the leading v. %s.", s, form)
	case !semver.IsValid(s) || semver.Canonical(s)+semver.Build(s) != s:
		return fmt.Sprintf("%q is no RKE2 version. %s; channels such as \"stable\" are refused because they mean another version tomorrow.", s, form)
	case !rke2Build.MatchString(semver.Build(s)):
		return fmt.Sprintf("%q lacks the release of RKE2. %s: the same Kubernetes version can have several releases.", s, form)
	}
	return ""
}}

// DNSLabel is the rule for names that become a part of host names.
var DNSLabel = Rule{Summary: "Invalid name", Doc: "lower case letters, digits and -, at most 63", Check: func(s string) string {
	if len(s) > 63 || !dnsLabel.MatchString(s) {
		return fmt.Sprintf("%q cannot be part of a host name. Use at most 63 lower case letters, digits and -, with a letter or digit at both ends (RFC 1123).", s)
	}
	return ""
}}

// NodeName is the rule for names of nodes: RFC 1123 subdomains.
var NodeName = Rule{Summary: "Invalid node name", Doc: "a lower case host name", Check: func(s string) string {
	switch {
	case s == "localhost" || strings.HasPrefix(s, "localhost."):
		return "A node cannot be called localhost: every host calls itself so, and RKE2 refuses two nodes of one name."
	case len(s) > 253 || !dnsName.MatchString(s):
		return fmt.Sprintf("%q cannot be a node's name. Node names are host names in lower case: letters, digits, - and dots, and each part begins and "+
			"ends with a letter or digit (RFC 1123). If the block's label has to stay, set name.", s)
	}
	return ""
}}

// LabelKey is the rule for keys of labels and taints.
var LabelKey = Rule{Summary: "Invalid key", Doc: "name or prefix/name", Check: func(s string) string {
	prefix, name, has := strings.Cut(s, "/")
	if !has {
		prefix, name = "", s
	}
	switch {
	case len(name) > 63 || !labelName.MatchString(name):
		return fmt.Sprintf("%q is no key that Kubernetes accepts. The name has at most 63 letters, digits, -, _ and dots, with a letter or digit at both ends; "+
			"it can follow a prefix and a slash: cx.example/tier.", s)
	case has && (len(prefix) > 253 || !dnsName.MatchString(prefix)):
		return fmt.Sprintf("%q is no key that Kubernetes accepts. Its prefix %q must be a host name in lower case.", s, prefix)
	}
	return ""
}}

// LabelValue is the rule for values of labels and taints.
var LabelValue = Rule{Summary: "Invalid label value", Doc: "at most 63 letters, digits, -, _ and dots", Check: func(s string) string {
	if s != "" && (len(s) > 63 || !labelName.MatchString(s)) {
		return fmt.Sprintf("%q is no value that Kubernetes accepts. Values have at most 63 letters, digits, -, _ and dots, with a letter or digit at both ends.", s)
	}
	return ""
}}

// Token is the rule for tokens that the blueprint gives: domain.md §2.8.
var Token = Rule{Summary: "Invalid token", Doc: "a password of at least 16 printable characters", Check: func(s string) string {
	switch {
	case strings.HasPrefix(s, "K10"):
		return "The token is in RKE2's long form (K10...::server:...). A first server must be given the short form: the part behind the last colon."
	case strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "The token has a space, a line break or a character beyond ASCII. It is kept as one line of a file, and RKE2 would read another token."
	case len(s) < 16:
		return "The token is shorter than 16 characters. It admits nodes to the cluster and encrypts the CA keys in snapshots, so it must not be guessed. Leave it out and cxha makes one."
	}
	return ""
}}
