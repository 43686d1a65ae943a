package schema_test

import (
	"testing"

	"github.com/expertflow/cxha/schema"
)

// TestDefaultChartsObeyTheRules: what cxha chooses must pass what it asks of others.
func TestDefaultChartsObeyTheRules(t *testing.T) {
	t.Parallel()
	charts := schema.DefaultCharts()
	if len(charts) < 8 {
		t.Errorf("only %d charts", len(charts))
	}
	for block, c := range charts {
		check := func(what string, rule schema.Rule, value string) {
			t.Helper()
			if problem := rule.Check(value); problem != "" {
				t.Errorf("%s: %s: %s", block, what, problem)
			}
		}
		check("namespace", schema.Namespace, c.Namespace)
		if c.Name == "" {
			continue
		}
		check("name", schema.Chart, c.Name)
		check("version", schema.ChartVersion, c.Version)
		switch schema.SourceOf(c.Name) {
		case schema.ChartInRepository:
			check("repository", schema.Repository, c.Repository)
		case schema.ChartInRegistry:
			if c.Repository != "" {
				t.Errorf("%s: a chart in a registry with the repository %s", block, c.Repository)
			}
		default:
			t.Errorf("%s: the default chart %s is a file", block, c.Name)
		}
	}
}
