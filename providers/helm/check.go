package helm

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"github.com/expertflow/cxha/schema/blueprint"
)

// checkValues settles the dependencies of a chart by the values of a release, and checks the values against its schema and those of the charts
// in it, if they have one.
func checkValues(ch *chart.Chart, r blueprint.Release, hide masks) error {
	fail := func(err error) error {
		return fmt.Errorf("the values do not fit the chart %s %s: %s", ch.Name(), ch.Metadata.Version, hide.text(problems(err)))
	}
	if err := settleDependencies(ch, r.Values); err != nil {
		return fail(err)
	}
	values, err := helmValues(r.Values)
	if err != nil {
		return err
	}
	whole, err := util.CoalesceValues(ch, values)
	if err != nil {
		return fail(err)
	}
	if err := util.ValidateAgainstSchema(ch, whole); err != nil {
		return fail(err)
	}
	return nil
}

// settleDependencies takes the charts out of a chart that the values switch off.
func settleDependencies(ch *chart.Chart, v cty.Value) error {
	values, err := helmValues(v)
	if err != nil {
		return err
	}
	return chartutil.ProcessDependencies(ch, values)
}

var pointerText = regexp.MustCompile(`^at '([^']*)': `)

// problems is a validation error on one line: `replicas: got string, want integer`.
func problems(err error) string {
	var texts []string
	for line := range strings.Lines(err.Error()) {
		text, found := strings.CutPrefix(strings.TrimSpace(line), "- ")
		if !found {
			continue // the name of the chart
		}
		if m := pointerText.FindStringSubmatch(text); m != nil {
			rest := text[len(m[0]):]
			if text = rest; m[1] != "" {
				text = strings.ReplaceAll(strings.TrimPrefix(m[1], "/"), "/", ".") + ": " + rest
			}
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return strings.Join(strings.Fields(err.Error()), " ")
	}
	return strings.Join(texts, "; ")
}
