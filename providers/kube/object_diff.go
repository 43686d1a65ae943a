package kube

import (
	"encoding/json"
	"fmt"
	"strings"
)

// difference is a stated field that live has not, or has otherwise.
type difference struct {
	path         string // spec.replicas, spec.template.spec.containers[web].image
	wanted, live any    // live is missing{} where there is none
}

// differences returns the stated fields in which live differs, in the order of their names. Elements of lists are told apart by
// their names where they have any; others are compared in their order.
func differences(path string, wanted, live any) []difference {
	if states(wanted, live) {
		return nil
	}
	var found []difference
	switch w := wanted.(type) {
	case map[string]any:
		l, ok := live.(map[string]any)
		if !ok {
			break
		}
		for _, k := range keys(w) {
			v, there := l[k]
			switch {
			case states(w[k], v):
			case !there:
				found = append(found, difference{join(path, k), w[k], missing{}})
			default:
				found = append(found, differences(join(path, k), w[k], v)...)
			}
		}
		return found
	case []any:
		l, ok := live.([]any)
		if !ok {
			break
		}
		if found, ok := namedDifferences(path, w, l); ok {
			return found
		}
		if len(w) != len(l) {
			break
		}
		for i := range w {
			found = append(found, differences(fmt.Sprintf("%s[%d]", path, i), w[i], l[i])...)
		}
		return found
	}
	return []difference{{path, wanted, live}}
}

func namedDifferences(path string, wanted, live []any) (found []difference, ok bool) {
	l, ok1 := byName(live)
	if _, ok2 := byName(wanted); !ok1 || !ok2 {
		return nil, false
	}
	for _, e := range wanted {
		at := path + "[" + nameIn(e) + "]"
		if v, there := l[nameIn(e)]; there {
			found = append(found, differences(at, e, v)...)
		} else {
			found = append(found, difference{at, e, missing{}})
		}
	}
	return found, true // perhaps none: only their order differs, or somebody added an element, which is not stated
}

func join(path, name string) string {
	if strings.ContainsAny(name, "./[") {
		return path + "[" + name + "]"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}

const longest = 60

// shown writes a field's value in one short line.
func shown(v any) string {
	if v == (any)(missing{}) {
		return "missing"
	}
	if s, ok := v.(string); ok && s != "" && !strings.ContainsAny(s, "\n\t ,") && len(s) <= longest {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	text := []rune(string(b))
	if len(text) > longest {
		return string(text[:longest]) + "…"
	}
	return string(text)
}
