package kube

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/expertflow/cxha/plans"
)

// handTools are the names, or how they begin, under which people change objects by hand or by a script that ends: what they set is
// drift. Every other field manager is a program that runs in the cluster and would set its field again.
var handTools = []string{
	"kubectl", "oc", "k9s", "k0sctl", "lens", "openlens", "freelens", "node-fetch", "mozilla", "dashboard", "kubernetes-dashboard", "headlamp", "octant",
	"helm", "terraform", "hashicorp", "pulumi", "ansible", "openapi-generator", "python-requests", "python", "curl", "go-http-client",
	"before-first-apply", "unknown", "java", "okhttp", "postman", "insomnia", "wget",
}

// byHand reports whether a field manager is a tool of people's. helm-controller is not helm, and neither is a name that only begins alike.
func byHand(manager string) bool {
	name := strings.ToLower(manager)
	return name == "" || slices.ContainsFunc(handTools, func(tool string) bool {
		rest, ok := strings.CutPrefix(name, tool)
		return ok && (rest == "" || rest[0] == '/' || tool == "kubectl" && rest[0] == '-')
	})
}

// leftField is a field of an object that somebody has otherwise than the blueprint.
type leftField struct {
	path         string // as plans show it
	live, wanted any
	owner        manager
}

// leave returns wanted without what a program in the cluster has set otherwise, such as the replicas of a Deployment that an
// autoscaler scales: cxha does not fight with it. It returns what it took out.
func leave(wanted, live *unstructured.Unstructured) (without *unstructured.Unstructured, left []leftField) {
	var there []holder
	programs := false
	for _, m := range managersOf(live) {
		if m.name != FieldManager {
			there = append(there, holder{m, m.fields})
			programs = programs || !byHand(m.name)
		}
	}
	if !programs {
		return wanted, nil
	}
	without = wanted.DeepCopy()
	w := &ownedWalk{}
	w.mapping("", without.Object, cleaned(live), root(live), there)
	return without, w.left
}

// holder is a field manager and what it has below a place.
type holder struct {
	manager
	below owned
}

func holdersAt(there []holder, e fieldpath.PathElement) []holder {
	var in []holder
	for _, h := range there {
		if f := h.below.at(e); f.touches() {
			in = append(in, holder{h.manager, f})
		}
	}
	return in
}

// changedBy tells who has by hand what the blueprint has otherwise; empty: nobody is known to.
func changedBy(wanted, live *unstructured.Unstructured) string {
	var there []holder
	for _, m := range managersOf(live) {
		if byHand(m.name) {
			there = append(there, holder{m, m.fields})
		}
	}
	w := &ownedWalk{}
	w.mapping("", wanted.DeepCopy().Object, cleaned(live), root(live), there)
	var found []string
	for _, m := range w.hands {
		text := "changed by " + m.name
		if !m.at.IsZero() {
			text += m.at.UTC().Format(" at 2006-01-02 15:04 UTC")
		}
		found = append(found, text)
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), ", ")
}

// ownedWalk finds stated fields that others have otherwise.
type ownedWalk struct {
	left  []leftField // by programs
	hands []manager   // by people's tools
}

// mapping takes fields out of wanted.
func (w *ownedWalk) mapping(path string, wanted, live map[string]any, at spot, there []holder) {
	for _, name := range keys(wanted) {
		e := fieldpath.FieldNameElement(name)
		if w.leaves(plans.AttrPath(path, name), wanted[name], live[name], at.field(name), holdersAt(there, e)) {
			delete(wanted, name)
		}
	}
}

// leaves reports whether a field is to be left to its owner as a whole. Of one that is not, parts may be taken out.
func (w *ownedWalk) leaves(path string, wanted, live any, at spot, there []holder) bool {
	if len(there) == 0 || live == nil || equalFields(overlay(wanted, live, at), live) {
		return false
	}
	if !at.all.whole {
		if wm, ok := wanted.(map[string]any); ok {
			if lm, ok := live.(map[string]any); ok {
				w.mapping(path, wm, lm, at, there)
				return false
			}
		}
		names, isSet := at.all.list()
		wl, isList := wanted.([]any)
		if ll, ok := live.([]any); ok && isList && len(names) > 0 {
			w.elements(path, wl, ll, at, there)
			return false
		}
		if isSet {
			return false // what others put into a set stays anyway
		}
	}
	owner, found := programOf(there)
	if found {
		w.left = append(w.left, leftField{path: path, live: live, wanted: wanted, owner: owner})
		return true
	}
	for _, h := range there {
		if h.below.holds() {
			w.hands = append(w.hands, h.manager)
		}
	}
	return false
}

func (w *ownedWalk) elements(path string, wanted, live []any, at spot, there []holder) {
	names, _ := at.all.list()
	k, ok := keyedBy(live, names)
	if !ok {
		return
	}
	for _, e := range wanted {
		key, found := k.matching(e, names)
		we, isMap := e.(map[string]any)
		le, _ := k.elems[key].(map[string]any)
		if found && isMap {
			w.mapping(plans.AttrPath(path, key), we, le, at.element(k.paths[key]), holdersAt(there, k.paths[key]))
		}
	}
}

// programOf returns which program has a field.
func programOf(there []holder) (manager, bool) {
	for _, h := range there {
		if h.below.holds() && !byHand(h.name) {
			return h.manager, true
		}
	}
	return manager{}, false
}

// leftNote tells that a field is left to its owner, and the way out.
func leftNote(o *unstructured.Unstructured, f leftField, secret bool) string {
	who := f.owner.name
	if f.owner.subresource == "scale" {
		who += " (by scaling it)"
	}
	values := fmt.Sprintf("it is %s, the blueprint says %s", shown(f.live), shown(f.wanted))
	if secret {
		values = "it differs from the blueprint"
	}
	return fmt.Sprintf("%s of %s belongs to %s: %s. It is left to its owner; take it out of the manifest", f.path, title(o), who, values)
}

const longest = 60

// shown writes a field's value in one short line.
func shown(v any) string {
	if v == nil {
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
