package helm

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	helmkube "helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fates are what a change of a release does to its objects, by the difference of what its chart gave before and gives now.
type fates struct {
	made, changed, gone, left []object // left: no longer of the release, and left where they are
	before                    map[string]object
	restarts                  map[string]bool // by id: workloads whose pods are replaced
}

func compareObjects(before, after []object) fates {
	f := fates{before: map[string]object{}, restarts: map[string]bool{}}
	for _, o := range before {
		f.before[o.id()] = o
	}
	there := map[string]bool{}
	for _, o := range after {
		was, known := f.before[o.id()]
		there[o.id()] = true
		switch {
		case !known:
			f.made = append(f.made, o)
		case !reflect.DeepEqual(was.Object, o.Object):
			f.changed = append(f.changed, o)
			f.restarts[o.id()] = !reflect.DeepEqual(template(was), template(o))
		}
	}
	for _, o := range before {
		switch {
		case there[o.id()]:
		case stays(o.groupKind()) || o.GetAnnotations()[helmkube.ResourcePolicyAnno] == helmkube.KeepPolicy:
			f.left = append(f.left, o)
		default:
			f.gone = append(f.gone, o)
		}
	}
	return f
}

// workloads are the kinds whose pods are replaced when their template changes.
var workloads = []string{"Deployment.apps", "StatefulSet.apps", "DaemonSet.apps"}

// template is a workload's template of pods; nil for other kinds.
func template(o object) any {
	if !slices.Contains(workloads, o.groupKind().String()) {
		return nil
	}
	t, _, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "template")
	return t
}

// onDelete reports whether a workload's pods are replaced only when somebody deletes them.
func onDelete(o object) bool {
	how, _, _ := unstructured.NestedString(o.Object, "spec", "updateStrategy", "type")
	return how == "OnDelete"
}

// texts are the states of all objects after the change, as plans and the record have them: which revision made or changed each. was are the
// states before.
func (f fates) texts(was map[string]string, revision int) map[string]string {
	texts := map[string]string{}
	maps.Copy(texts, was)
	for _, o := range f.made {
		texts[o.id()] = fmt.Sprintf("made by revision %d", revision)
	}
	for _, o := range f.changed {
		text := fmt.Sprintf("changed by revision %d", revision)
		switch {
		case f.restarts[o.id()] && onDelete(o):
			text += ", its pods restart when they are deleted"
		case f.restarts[o.id()]:
			text += ", its pods restart"
		}
		texts[o.id()] = text
	}
	for _, o := range f.gone {
		delete(texts, o.id())
	}
	for _, o := range f.left {
		texts[o.id()] = leftText
	}
	return texts
}

// leftText is the state of an object that the chart no longer has and that is left where it is.
const leftText = "left in place: the chart has it no more"

// unreplaced are the objects that go and that no new one takes the place of, as the next version of a ConfigMap with a digest in its name
// does, or the next run of a Job. before and after are objects by id.
func unreplaced(before, after map[string]string) []string {
	next := map[string]bool{}
	for id := range after {
		if _, known := before[id]; !known {
			next[nameSuffix.ReplaceAllString(id, "")] = true
		}
	}
	var ids []string
	for id := range before {
		if _, stays := after[id]; !stays && !next[nameSuffix.ReplaceAllString(id, "")] {
			ids = append(ids, id)
		}
	}
	return sorted(ids)
}

var nameSuffix = regexp.MustCompile(`-[0-9a-z]{1,12}$`)

// objectStates are the states of the objects of a release: those that its record has, else that they are of its revision.
func objectStates(rel *release.Release) map[string]string {
	texts := map[string]string{}
	if rel == nil {
		return texts
	}
	if text := annotation(rel, objectsAnnotation); text != "" && json.Unmarshal([]byte(text), &texts) == nil {
		return texts
	}
	objects, _ := readManifest(rel.Manifest, rel.Namespace) // what is no object there has no state
	for _, o := range objects {
		texts[o.id()] = fmt.Sprintf("of revision %d", rel.Version)
	}
	return texts
}

// use is how a workload uses a ConfigMap or a Secret.
type use struct {
	id          string // ConfigMap/cx/settings
	environment bool   // read at the start only; else files, which follow
}

// usesOf lists the ConfigMaps and Secrets that a workload's pods use.
func usesOf(o object) []use {
	spec, _, _ := unstructured.NestedMap(o.Object, "spec", "template", "spec")
	if template(o) == nil || spec == nil {
		return nil
	}
	var uses []use
	add := func(kind string, environment bool, from map[string]any, path ...string) {
		if name, ok, _ := unstructured.NestedString(from, path...); ok {
			uses = append(uses, use{kind + "/" + o.namespace + "/" + name, environment})
		}
	}
	for _, volume := range mappings(spec["volumes"]) {
		add("ConfigMap", false, volume, "configMap", "name")
		add("Secret", false, volume, "secret", "secretName")
		sources, _, _ := unstructured.NestedSlice(volume, "projected", "sources")
		for _, s := range mappings(sources) {
			add("ConfigMap", false, s, "configMap", "name")
			add("Secret", false, s, "secret", "name")
		}
	}
	for _, c := range slices.Concat(mappings(spec["containers"]), mappings(spec["initContainers"])) {
		for _, e := range mappings(c["env"]) {
			add("ConfigMap", true, e, "valueFrom", "configMapKeyRef", "name")
			add("Secret", true, e, "valueFrom", "secretKeyRef", "name")
		}
		for _, e := range mappings(c["envFrom"]) {
			add("ConfigMap", true, e, "configMapRef", "name")
			add("Secret", true, e, "secretRef", "name")
		}
	}
	return uses
}

// mappings are the elements of a list that are mappings.
func mappings(v any) []map[string]any {
	list, _ := v.([]any)
	var all []map[string]any
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

// reloads reports whether a program in the cluster restarts a workload when what it uses changes.
func reloads(o object) bool {
	for key := range o.GetAnnotations() {
		if strings.HasPrefix(key, "reloader.stakater.com/") || strings.HasSuffix(key, ".reloader.stakater.com/reload") {
			return true
		}
	}
	return false
}

// staleUsers tells which workloads go on with the old content of ConfigMaps and Secrets that a change of a release changes. all are the
// workloads of every release as they will be; restarting those whose pods are replaced by the plan.
func (f fates) staleUsers(all []object, restarting map[string]bool) []string {
	changed := map[string]object{}
	for _, o := range f.changed {
		if kind := o.groupKind().String(); kind == "ConfigMap" || kind == "Secret" {
			changed[o.id()] = o
		}
	}
	if len(changed) == 0 {
		return nil
	}
	users := map[string][]string{} // by id and how it is used
	for _, o := range all {
		if restarting[o.id()] || reloads(o) {
			continue
		}
		how := map[string]bool{}
		for _, u := range usesOf(o) {
			if _, ok := changed[u.id]; ok {
				how[u.id] = how[u.id] || u.environment
			}
		}
		for id, environment := range how {
			key := id + " files"
			if environment {
				key = id + " environment"
			}
			users[key] = append(users[key], o.title())
		}
	}
	var notes []string
	for _, key := range slices.Sorted(maps.Keys(users)) {
		id, how, _ := strings.Cut(key, " ")
		what := "keep its old content until they are restarted"
		if how == "files" {
			what = "get its new content as files after a minute or so, which not every program reads again, and those that mount single files by subPath not at all"
		}
		notes = append(notes, fmt.Sprintf("%s changes, and what uses it does not restart: the pods of %s %s (kubectl rollout restart)",
			changed[id].title(), someOf("", "", sorted(users[key])), what))
	}
	return notes
}
