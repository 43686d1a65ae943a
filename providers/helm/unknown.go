package helm

import (
	"context"
	"fmt"
	"maps"
	"slices"

	chart "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// ValuesNote is something that a chart says about the values of a release.
type ValuesNote struct {
	Block schema.BlockAddr
	Text  string
}

// Review looks at the values of every release, those that a preset sets among them, with the charts at hand: what a chart's schema
// refuses, and what its own values.yaml does not know, which is nearly always a slip or another layout than the preset's. The
// charts are those of the lock, and in the cache after Resolve.
func (c *Charts) Review(ctx context.Context, bp *blueprint.Blueprint, lock blueprint.Lock) ([]ValuesNote, error) {
	var notes []ValuesNote
	for _, r := range releases(bp) {
		i := slices.IndexFunc(lock.Charts, func(l blueprint.LockedChart) bool { return sameChart(l.Chart, r.Chart) })
		if i < 0 {
			continue // Compile reports it
		}
		ch, err := c.Load(ctx, r.Chart, lock.Charts[i].Digest)
		if err != nil {
			return nil, err
		}
		values, err := helmValues(r.Values)
		if err != nil {
			return nil, err
		}
		for _, path := range unknownValues(ch, values) {
			notes = append(notes, ValuesNote{Block: r.Addr, Text: fmt.Sprintf("the chart %s %s does not know the value %s", ch.Name(), ch.Metadata.Version, path)})
		}
		for _, at := range localSchemas(ch) {
			notes = append(notes, ValuesNote{Block: r.Addr, Text: fmt.Sprintf("the schema of the chart %s refers to %s, which is not asked for: what it says of the values is not checked", ch.Name(), at)})
		}
		if err := checkValues(ch, r, newMasks(secrets(r.Values)...)); err != nil { // last: it changes the chart
			notes = append(notes, ValuesNote{Block: r.Addr, Text: err.Error()})
		}
	}
	return notes, nil
}

// unknownValues returns the paths of values that the chart's own values do not have. Below an empty default everything may stand:
// charts have their annotations, selectors and the like there.
func unknownValues(ch *chart.Chart, values map[string]any) []string {
	known := maps.Clone(ch.Values)
	if len(known) == 0 {
		return nil
	}
	for _, dep := range ch.Dependencies() {
		if _, ok := known[dep.Name()]; !ok {
			known[dep.Name()] = dep.Values
		}
	}
	for _, dep := range ch.Metadata.Dependencies {
		if _, ok := known[dep.Alias]; !ok && dep.Alias != "" {
			known[dep.Alias] = nil
		}
	}
	if _, ok := known["global"]; !ok {
		known["global"] = nil
	}
	return unknownIn(known, values, "")
}

func unknownIn(known, values map[string]any, prefix string) []string {
	var paths []string
	for _, key := range slices.Sorted(maps.Keys(values)) {
		standard, ok := known[key]
		if !ok {
			paths = append(paths, prefix+key)
			continue
		}
		below, isMap := standard.(map[string]any)
		given, both := values[key].(map[string]any)
		if isMap && both && len(below) > 0 {
			paths = append(paths, unknownIn(below, given, prefix+key+".")...)
		}
	}
	return paths
}
