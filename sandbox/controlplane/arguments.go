package controlplane

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MergeArguments lays extra arguments, "name=value" as in RKE2's *-arg options, over the defaults. A name that is given
// once replaces the default, one that is given more often is passed on as often; "name+=value" appends to the default list.
// The result is sorted by name: --name=value.
func MergeArguments(defaults map[string]string, extra []string) ([]string, error) {
	values := map[string][]string{}
	for name, value := range defaults {
		values[name] = []string{value}
	}
	replaced := map[string]bool{}
	for _, argument := range extra {
		name, value, ok := strings.Cut(strings.TrimLeft(argument, "-"), "=")
		if name == "" || !ok {
			return nil, fmt.Errorf("argument %q is not of the form name=value", argument)
		}
		if base, appends := strings.CutSuffix(name, "+"); appends {
			values[base] = []string{strings.Join(append(values[base], value), ",")}
			continue
		}
		if !replaced[name] {
			replaced[name] = true
			values[name] = nil
		}
		values[name] = append(values[name], value)
	}
	var arguments []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			arguments = append(arguments, "--"+name+"="+value)
		}
	}
	return arguments, nil
}
