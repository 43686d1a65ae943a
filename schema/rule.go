package schema

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rule is what a string or a number has to satisfy to be of use in a cluster.
type Rule struct {
	Summary string // of the diagnostic: "Invalid network"
	Doc     string // for the language reference: "a network such as 10.42.0.0/16"; empty: the attributes' texts say it

	// Check returns what is wrong with s, why that matters and what to do, in full sentences; "" if nothing is.
	Check func(s string) string

	// Several says what is wrong with more than one value where one is taken, in full sentences; empty: nothing more than that.
	Several string

	// Hides reports whether s may hold a secret, so that messages must not show the line where it stands. nil: never.
	Hides func(s string) bool
}

// Port is the rule for TCP ports.
var Port = Rule{Summary: "Invalid port", Doc: "1 to 65535", Check: func(s string) string {
	if n, err := strconv.ParseUint(s, 10, 16); err != nil || n == 0 {
		return fmt.Sprintf("%s is no TCP port. Ports are whole numbers from 1 to 65535.", s)
	}
	return ""
}}

// CNI is the rule for pod networks: domain.md §2.5, server options.
var CNI = Rule{Summary: plainCNI.Summary, Check: func(s string) string {
	return plainCNI.Check(strings.TrimPrefix(s, "multus,"))
}}

var plainCNI = oneOf("Unknown pod network", "pod network", "none", "calico", "canal", "cilium", "flannel")

// HostFirewall is the rule for what happens to firewalls that run on hosts.
var HostFirewall = oneOf("Unknown value", "way to treat the firewalls of hosts", FirewallOff, FirewallKeep)

// What happens to firewalls that run on hosts.
const (
	FirewallOff  = "off"
	FirewallKeep = "keep"
)

// TaintEffect is the rule for effects of taints.
var TaintEffect = oneOf("Unknown taint effect", "effect of a taint", "NoSchedule", "PreferNoSchedule", "NoExecute")

func oneOf(summary, what string, values ...string) Rule {
	list := values[0]
	if last := len(values) - 1; last > 0 {
		list = strings.Join(values[:last], ", ") + " or " + values[last]
	}
	return Rule{Summary: summary, Check: func(s string) string {
		if slices.Contains(values, s) {
			return ""
		}
		hint := ""
		if near := Suggest(s, values); near != "" {
			hint = fmt.Sprintf(" Did you mean %q?", near)
		}
		return fmt.Sprintf("%q is no %s. Use %s.%s", s, what, list, hint)
	}}
}

// Timeout is the rule for time limits of changes in the cluster.
var Timeout = Rule{Summary: "Invalid time limit", Doc: "a duration such as 90s, 5m or 1h", Check: func(s string) string {
	switch d, err := time.ParseDuration(s); {
	case err != nil:
		return fmt.Sprintf("%q is no duration. Write a number with its unit: 90s, 5m or 1h.", s)
	case d < time.Second:
		return fmt.Sprintf("%q leaves no time for anything to become ready. Write a second or more.", s)
	case d > maxTimeout:
		return fmt.Sprintf("%q is longer than a day, so a change that can never succeed would hold the run for all of it. Write 24h or less.", s)
	}
	return ""
}}

const maxTimeout = 24 * time.Hour

// HoldTime is the rule for hold times of BGP sessions: RFC 4271 §4.2 has zero or at least three seconds, in two bytes.
var HoldTime = Rule{Summary: "Invalid hold time", Doc: "0s, or 3s to 65535s", Check: func(s string) string {
	d, err := time.ParseDuration(s)
	if err != nil || d%time.Second != 0 || d != 0 && d < 3*time.Second || d > 65535*time.Second {
		return fmt.Sprintf("%q is no hold time of BGP. Write whole seconds: 0s, or 3s to 65535s.", s)
	}
	return ""
}}

// ASN is the rule for numbers of autonomous systems.
var ASN = wholeNumber("Invalid AS number", "number of an autonomous system", 1, math.MaxUint32)

// LocalPref is the rule for BGP's local preference.
var LocalPref = wholeNumber("Invalid preference", "local preference of BGP", 0, math.MaxUint32)

// PrefixLength is the rule for lengths of prefixes that are announced.
var PrefixLength = wholeNumber("Invalid prefix length", "length of an IPv4 prefix", 0, 32)

// Replicas is the rule for numbers of copies of a volume: those that Longhorn takes.
var Replicas = wholeNumber("Invalid number of replicas", "number of copies", 1, 20)

func wholeNumber(summary, what string, low, high uint64) Rule {
	return Rule{Summary: summary, Doc: fmt.Sprintf("%d to %d", low, high), Check: func(s string) string {
		if n, err := strconv.ParseUint(s, 10, 64); err != nil || n < low || n > high {
			return fmt.Sprintf("%s is no %s. Write a whole number from %d to %d.", s, what, low, high)
		}
		return ""
	}}
}

// Community is the rule for BGP communities: two numbers of 16 bits, three of 32 bits, or the name of a Community object's alias.
var Community = matching("Invalid community", "65535:65281, large:1:2:3, or an alias", `^([0-9]{1,5}:[0-9]{1,5}|large(:[0-9]{1,10}){3}|[A-Za-z][A-Za-z0-9._-]*)$`,
	"is no community of BGP. Write 65535:65281, large:64500:1:2, or the name of an alias in an object of kind Community.")

// TrafficPolicy is the rule for where a Service may send traffic from outside.
var TrafficPolicy = oneOf("Unknown traffic policy", "traffic policy", "Cluster", "Local")

// ReclaimPolicy is the rule for what happens to a volume whose claim is deleted.
var ReclaimPolicy = oneOf("Unknown reclaim policy", "reclaim policy", "Delete", "Retain")

// OnDelete is the rule for what csi-driver-nfs does with the directory of a deleted volume: domain.md §5.
var OnDelete = oneOf("Unknown value", "way to treat the directory of a deleted volume", "delete", "retain", "archive")

// OneLine is the rule for values that become part of a line of a file.
var OneLine = Rule{Summary: "Value with a line break", Doc: "a single line", Check: func(s string) string {
	if strings.ContainsAny(s, "\n\r\x00") {
		return fmt.Sprintf("%q has a line break. It becomes one line of a file, where the rest would be read as something else.", s)
	}
	if strings.TrimSpace(s) == "" {
		return "The value is empty. Leave the setting out, or set it to null, if the system's own value is wanted."
	}
	return ""
}}

func matching(summary, doc, pattern, problem string) Rule {
	re := regexp.MustCompile(pattern)
	return Rule{Summary: summary, Doc: doc, Check: func(s string) string {
		if re.MatchString(s) {
			return ""
		}
		return fmt.Sprintf("%q %s", s, problem)
	}}
}
