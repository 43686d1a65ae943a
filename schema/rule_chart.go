package schema

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/mod/semver"
)

// ChartSource tells where a chart comes from, by the way it is named.
type ChartSource int

// The sources of charts.
const (
	ChartInRepository ChartSource = iota // the chart's name in an HTTP repository
	ChartInRegistry                      // oci://REGISTRY/PATH/NAME
	ChartInFiles                         // a directory or an archive beside the blueprint
)

// SourceOf returns where a chart of that name comes from.
func SourceOf(chart string) ChartSource {
	switch {
	case strings.HasPrefix(chart, "oci://"):
		return ChartInRegistry
	case chart == ".", chart == "..", strings.HasPrefix(chart, "./"), strings.HasPrefix(chart, "../"), strings.HasPrefix(chart, "/"), strings.HasPrefix(chart, "~/"):
		return ChartInFiles
	}
	return ChartInRepository
}

var (
	chartName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$`)
	// ociPath is a registry and a repository in it, as the distribution specification of OCI writes them.
	ociPath = regexp.MustCompile(`^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`)
)

// Chart is the rule for names of charts.
var Chart = Rule{Summary: "Invalid chart", Doc: "a name, oci://REGISTRY/PATH/NAME, or a path that begins with ./, ../, / or ~/", Hides: withLogin, Check: func(s string) string {
	switch SourceOf(s) {
	case ChartInFiles:
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Sprintf("%q has a control character.", s)
		}
		return ""
	case ChartInRegistry:
		return ociProblem(strings.TrimPrefix(s, "oci://"), s)
	}
	switch {
	case chartName.MatchString(s):
		return ""
	case strings.Contains(s, "://"):
		return "A chart's address begins with oci://. For a repository of charts, write its address as repository and the chart's name as chart; an archive that is downloaded from elsewhere belongs beside the blueprint."
	case strings.Contains(s, "/"):
		return fmt.Sprintf("%q can be a directory or the chart of a repository that Helm was told of on one machine. For a directory, write %q; for a repository, write its address as repository, and the chart's name alone.", s, "./"+s)
	}
	return fmt.Sprintf("%q is no name of a chart: letters, digits, -, _ and dots.", s)
}}

func ociProblem(ref, whole string) string {
	name := ref[strings.LastIndex(ref, "/")+1:]
	switch {
	case withLogin(ref) && strings.Contains(name, "@"):
		return "The chart's digest belongs into the lock file, where `cxha lock` writes it. Write the address without what follows the @ sign, and the version as version."
	case withLogin(ref):
		return "The address holds a user name or password, which would be visible in plans. Log in with `helm registry login`: cxha uses the same credentials."
	case ociPath.MatchString(ref):
		return ""
	case strings.Contains(ref, "/") && strings.Contains(name, ":"):
		short, version, _ := strings.Cut(name, ":")
		return fmt.Sprintf("%q has the version at its end. Write chart = %q and version = %q.", whole, strings.TrimSuffix(whole, name)+short, version)
	}
	return fmt.Sprintf("%q is no address of a chart in a registry. Write oci://, the registry, and the path with the chart's name in lower case: oci://registry.cx.internal/charts/cx.", whole)
}

// Repository is the rule for addresses of chart repositories.
var Repository = Rule{Summary: "Invalid repository", Doc: "an address that begins with https:// or http://", Hides: withLogin, Check: func(s string) string {
	if withLogin(s) {
		return "The address holds a user name or password, which would be visible in plans. Log in with `helm repo add`: cxha uses the same credentials."
	}
	if rest, oci := strings.CutPrefix(s, "oci://"); oci {
		return fmt.Sprintf("A registry is no repository with an index. Write the whole address of the chart as chart instead, and no repository: chart = %q.", "oci://"+strings.TrimSuffix(rest, "/")+"/NAME")
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Sprintf("%q is no address of a chart repository. Write the address below which its index.yaml lies, such as https://charts.cx.internal.", s)
	}
	return ""
}}

// ChartVersion is the rule for versions of charts: Semantic Versioning 2, perhaps with a leading v. Charts have versions such as 5.0 as well,
// which Helm takes; it is one version too, and no range.
var ChartVersion = Rule{Summary: "Invalid chart version", Doc: "an exact version such as 1.2.3", Check: func(s string) string {
	const why = "Write one exact version such as 1.2.3: a range, or the latest, means other bytes next month than those that were reviewed."
	v := "v" + strings.TrimPrefix(s, "v")
	switch {
	case strings.ContainsAny(s, "^~<>=*|, ") || strings.HasSuffix(s, ".x") || strings.HasSuffix(s, ".X"):
		return fmt.Sprintf("%q is a range of versions. %s", s, why)
	case !semver.IsValid(v):
		return fmt.Sprintf("%q is no version of a chart. %s", s, why)
	}
	return ""
}}

// SameChartVersion reports whether two versions of charts are the same one, such as 5, 5.0 and v5.0.0.
func SameChartVersion(a, b string) bool {
	va, vb := "v"+strings.TrimPrefix(a, "v"), "v"+strings.TrimPrefix(b, "v")
	return va == vb || semver.IsValid(va) && semver.IsValid(vb) && semver.Compare(va, vb) == 0 && semver.Build(va) == semver.Build(vb)
}

// ChartDigest is the rule for digests of charts.
var ChartDigest = matching("Invalid digest", "sha256: and 64 hexadecimal digits", `^sha256:[0-9a-f]{64}$`,
	"is no digest of a chart: sha256: and 64 hexadecimal digits. `cxha lock` writes it.")

// ReleaseName is the rule for names of Helm releases, which Helm limits to 53 characters: names of objects begin with them.
var ReleaseName = Rule{Summary: "Invalid release name", Doc: "lower case letters, digits and -, at most 53", Check: func(s string) string {
	if len(s) > 53 || !dnsLabel.MatchString(s) {
		return fmt.Sprintf("%q cannot be the name of a release: names of its objects begin with it. Use at most 53 lower case letters, digits and -, with a letter or digit at both ends.", s)
	}
	return ""
}}

// Namespace is the rule for names of namespaces.
var Namespace = Rule{Summary: "Invalid namespace", Doc: "lower case letters, digits and -, at most 63", Check: func(s string) string {
	if len(s) > 63 || !dnsLabel.MatchString(s) {
		return fmt.Sprintf("%q cannot be the name of a namespace. Use at most 63 lower case letters, digits and -, with a letter or digit at both ends.", s)
	}
	return ""
}}

// ObjectName is the rule for names of objects in Kubernetes: RFC 1123 subdomains.
var ObjectName = Rule{Summary: "Invalid name", Doc: "lower case letters, digits, - and dots", Check: func(s string) string {
	if len(s) > 253 || !dnsName.MatchString(s) {
		return fmt.Sprintf("%q cannot be the name of an object in Kubernetes. Use lower case letters, digits, - and dots, with a letter or digit at both ends of each part (RFC 1123).", s)
	}
	return ""
}}
