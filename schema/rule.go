package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Rule is what a string or a number has to satisfy to be of use in a cluster.
type Rule struct {
	Summary string // of the diagnostic: "Invalid network"
	Doc     string // for the language reference: "a network such as 10.42.0.0/16"; empty: the attributes' texts say it

	// Check returns what is wrong with s, why that matters and what to do, in full sentences; "" if nothing is.
	Check func(s string) string

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

// TaintEffect is the rule for effects of taints.
var TaintEffect = oneOf("Unknown taint effect", "effect of a taint", "NoSchedule", "PreferNoSchedule", "NoExecute")

func oneOf(summary, what string, values ...string) Rule {
	list := strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
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
