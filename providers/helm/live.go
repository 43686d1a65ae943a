package helm

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	release "helm.sh/helm/v4/pkg/release/v1"

	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/schema"
)

// live returns the value of a release as its record has it. want is the desired value, or null.
func live(rel *release.Release, want cty.Value, drift map[string]string) (cty.Value, error) {
	values, err := liveValues(rel.Config)
	if err != nil {
		return cty.NilVal, fmt.Errorf("release %s/%s: its values cannot be read: %w", rel.Namespace, rel.Name, err)
	}
	wanted := cty.EmptyObjectVal
	if !want.IsNull() {
		wanted = want.GetAttr("values")
	}
	switch secret, ok := sensitivePlaces(rel); {
	case values.LengthInt() == 0:
	case !ok || want.IsNull(): // nobody says which of them are secret
		values = values.Mark(schema.Sensitive)
	default:
		values = hide(values, wanted, secret)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"name":      cty.StringVal(rel.Name),
		"namespace": cty.StringVal(rel.Namespace),
		"cluster":   orNull(rel.Labels[kube.ClusterLabel]),
		"chart":     liveChart(rel, want),
		"version":   liveVersion(rel, want),
		"digest":    liveDigest(rel, want),
		"values":    values,
		"keep":      cty.BoolVal(kept(rel)),
		"status":    cty.StringVal(rel.Info.Status.String()),
		"drift":     mapOf(drift),
		"apply":     cty.StringVal(methodOf(rel)),
		"objects":   mapOf(objectStates(rel)),
	}), nil
}

// methodOf is the way to apply that a release was made with: Helm 3 knew only one, and does not record it.
func methodOf(rel *release.Release) string {
	if rel.ApplyMethod == string(release.ApplyMethodServerSideApply) {
		return schema.ApplyServer
	}
	return schema.ApplyClient
}

// sensitivePlaces are the pointers to secret values that the record names; ok is false for a record that names none because
// somebody else wrote it.
func sensitivePlaces(rel *release.Release) (at []string, ok bool) {
	if rel.Chart == nil || rel.Chart.Metadata == nil {
		return nil, false
	}
	text, ok := rel.Chart.Metadata.Annotations[sensitiveAnnotation]
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' }), ok
}

func kept(rel *release.Release) bool { return rel.Labels[KeepLabel] == "true" }

func chartVersion(rel *release.Release) string {
	if rel.Chart == nil || rel.Chart.Metadata == nil {
		return ""
	}
	return rel.Chart.Metadata.Version
}

// liveVersion is the chart's version as the blueprint has it where it is the same: YAML makes 5 of 5.0.
func liveVersion(rel *release.Release, want cty.Value) cty.Value {
	if wanted := attr(want, "version"); wanted != "" && schema.SameChartVersion(wanted, chartVersion(rel)) {
		return cty.StringVal(wanted)
	}
	return orNull(chartVersion(rel))
}

// liveChart is the chart's name as the blueprint has it where it is the same chart: a record has only the bare name.
func liveChart(rel *release.Release, want cty.Value) cty.Value {
	name := ""
	if rel.Chart != nil && rel.Chart.Metadata != nil {
		name = rel.Chart.Metadata.Name
	}
	wanted := attr(want, "chart")
	if wanted != "" && (name == wanted[strings.LastIndex(wanted, "/")+1:] || sameDigest(rel, want)) {
		return cty.StringVal(wanted)
	}
	return orNull(name)
}

func sameDigest(rel *release.Release, want cty.Value) bool {
	short := rel.Labels[DigestLabel]
	return short != "" && strings.HasPrefix(digits(attr(want, "digest")), short)
}

// liveDigest is the digest that the record's label begins; the whole of it where it is the desired one.
func liveDigest(rel *release.Release, want cty.Value) cty.Value {
	switch short := rel.Labels[DigestLabel]; {
	case sameDigest(rel, want):
		return want.GetAttr("digest")
	case short != "":
		return cty.StringVal("sha256:" + short)
	}
	return cty.NullVal(cty.String)
}

func orNull(s string) cty.Value {
	if s == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(s)
}
