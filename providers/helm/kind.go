package helm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/kube"
)

// releaseKind is a Helm release.
type releaseKind struct{ *Provider }

var (
	_ providers.CallKind  = releaseKind{}
	_ providers.Explainer = releaseKind{}
)

// Type describes helm.release.
func (releaseKind) Type() providers.Type {
	return providers.Type{
		Name:       typeRelease,
		Doc:        "A Helm release: a chart of agreed bytes with its values, whose objects are there as released and ready.",
		Object:     releaseObject,
		Replace:    []string{"name", "namespace"},
		RemoveLast: true,
		Cost:       20,
	}
}

// Explain says in words what differs, and refuses releases of somebody else and values that the chart does not take.
func (releaseKind) Explain(c plans.Change) (plans.Reason, error) {
	reason := c.Reason
	if c.After.IsNull() {
		return reason, nil
	}
	if err := foreign(c); err != nil {
		return reason, err
	}
	if c.Before.IsNull() {
		return reason, nil
	}
	texts := differences(c)
	if titles := goes(c); len(titles) > 0 {
		reason.Code = plans.Removes
		texts = append(texts, "removes "+strings.Join(titles, ", "))
	}
	if len(texts) > 0 {
		reason.Text = strings.Join(texts, "; ")
	}
	return reason, nil
}

// foreign refuses a release that does not carry the cluster's mark.
func foreign(c plans.Change) error {
	owner, want := attr(c.Before, "cluster"), attr(c.After, "cluster")
	if c.Before.IsNull() || owner == want {
		return nil
	}
	at := placeOf(c.Before)
	who := "cxha did not make it"
	if owner != "" {
		who = fmt.Sprintf("it carries the mark of the cluster %q", owner)
	}
	return fmt.Errorf("release %s in namespace %s is there already, and %s\nto leave it alone, give the block another name or namespace; to hand it over to cxha, mark it:\n  kubectl --namespace %s label secret --selector owner=helm,name=%s --overwrite %s=%s",
		at.name, at.namespace, who, at.namespace, at.name, kube.ClusterLabel, want)
}

// shownDrift is how many changed fields a reason names.
const shownDrift = 3

// differences tells what a change of a release is about. There is no secret in it.
func differences(c plans.Change) []string {
	var texts []string
	say := func(format string, args ...any) { texts = append(texts, fmt.Sprintf(format, args...)) }
	if from, to := placeOf(c.Before), placeOf(c.After); from != to {
		say("moves from %s to %s", from, to)
	}
	switch status := attr(c.Before, "status"); {
	case strings.HasPrefix(status, "pending-"), status == "uninstalling":
		say("left %s by a run that was cut off", status)
	case status == "failed":
		say("its last change failed")
	case status != statusDeployed:
		say("its status is %s", status)
	}
	from, to := attr(c.Before, "version"), attr(c.After, "version")
	switch {
	case attr(c.Before, "chart") != attr(c.After, "chart"):
		say("chart %s %s -> %s %s", attr(c.Before, "chart"), from, attr(c.After, "chart"), to)
	case from != to:
		say("chart %s -> %s", from, to)
	case attr(c.Before, "digest") == "":
		say("the chart's digest is not recorded")
	case attr(c.Before, "digest") != attr(c.After, "digest"):
		say("other bytes of chart version %s", to)
	}
	if !sameValues(c.Before, c.After) {
		say("values differ")
	}
	if from, to := attr(c.Before, "apply"), attr(c.After, "apply"); from != to && to != "" {
		say("applied by the %s instead of the %s", to, from)
	}
	if flag(c.Before, "keep") != flag(c.After, "keep") {
		say("keep differs")
	}
	if fields := driftOf(c.Before); len(fields) > 0 {
		more := ""
		if n := len(fields) - shownDrift; n > 0 {
			fields, more = fields[:shownDrift], fmt.Sprintf(" and %d more", n)
		}
		say("objects were changed by hand: %s%s", strings.Join(fields, ", "), more)
	}
	return texts
}

// goes are the objects that a change of a release removes, without those that another one takes the place of.
func goes(c plans.Change) []string {
	after := c.After.GetAttr("objects")
	if c.Action != plans.Update || !after.IsWhollyKnown() {
		return nil
	}
	return unreplaced(textsOf(c.Before.GetAttr("objects")), textsOf(after))
}

func sameValues(before, after cty.Value) bool {
	delta, err := plans.Diff(after, before, plans.DiffOptions{})
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(delta.Attrs, func(a plans.AttrChange) bool { return a.Root == "values" })
}

func driftOf(v cty.Value) []string {
	m := v.GetAttr("drift")
	if m.IsNull() || !m.IsKnown() {
		return nil
	}
	var fields []string
	for it := m.ElementIterator(); it.Next(); {
		k, _ := it.Element()
		fields = append(fields, k.AsString())
	}
	return sorted(fields)
}

func sorted(ss []string) []string { return slices.Sorted(slices.Values(ss)) }

// someOf lists a few names, in order as they are; nothing where there are none.
func someOf(before, after string, names []string) string {
	const shown = 8
	if len(names) == 0 {
		return ""
	}
	more := ""
	if len(names) > shown {
		names, more = names[:shown], ", ..."
	}
	return before + strings.Join(names, ", ") + more + after
}

// errNotProbed is a fault of the caller.
var errNotProbed = errors.New("the release was not probed before its change; this is a bug in cxha")
