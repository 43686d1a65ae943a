package helm

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
)

// localSchemas takes the references to other places out of the schemas of a chart and of the charts in it: a plan needs no internet, and what
// a chart's author puts there must not decide about it. It returns these places.
func localSchemas(ch *chart.Chart) []string {
	var found []string
	var v any
	dec := json.NewDecoder(bytes.NewReader(ch.Schema))
	dec.UseNumber()
	if len(ch.Schema) > 0 && dec.Decode(&v) == nil { // the check says what is wrong with it
		ids := map[string]bool{}
		collectIDs(v, ids)
		if found = dropRemote(v, ids); len(found) > 0 {
			if text, err := json.Marshal(v); err == nil {
				ch.Schema = text
			}
		}
	}
	for _, dep := range ch.Dependencies() {
		found = append(found, localSchemas(dep)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// collectIDs finds the addresses that parts of a schema give themselves.
func collectIDs(v any, ids map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if id, ok := v["$id"].(string); ok {
			ids[strings.TrimSuffix(id, "#")] = true
		}
		for _, e := range v {
			collectIDs(e, ids)
		}
	case []any:
		for _, e := range v {
			collectIDs(e, ids)
		}
	}
}

// dropRemote takes out references that lead out of the schema, and dialects that would have to be fetched.
func dropRemote(v any, ids map[string]bool) []string {
	var found []string
	switch v := v.(type) {
	case map[string]any:
		for _, key := range []string{"$ref", "$dynamicRef", "$recursiveRef"} {
			if to, ok := v[key].(string); ok && !strings.HasPrefix(to, "#") && !ids[strings.SplitN(to, "#", 2)[0]] {
				delete(v, key)
				found = append(found, to)
			}
		}
		if dialect, ok := v["$schema"].(string); ok && !strings.Contains(dialect, "://json-schema.org/") {
			delete(v, "$schema")
			found = append(found, dialect)
		}
		for _, e := range v {
			found = append(found, dropRemote(e, ids)...)
		}
	case []any:
		for _, e := range v {
			found = append(found, dropRemote(e, ids)...)
		}
	}
	return found
}
