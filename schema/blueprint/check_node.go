package blueprint

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/schema/rke2options"
)

func (l *loader) checkNode(n *built) {
	l.checkLabelKeys(n)
	l.checkTaints(n)
	l.checkConfig(n.sec, n.Addr.String())
	l.checkPaths(n)
	l.checkYAML(n)
}

// kubeletLabels are set by the kubelet on every start; another value would never stay.
var kubeletLabels = []string{"kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch"}

// Labels that cxha sets itself.
const (
	zoneLabel    = "topology.kubernetes.io/zone"
	workerLabel  = "node-role.kubernetes.io/worker"
	cxhaPrefix   = "cxha.io/"
	statusPrefix = "node.kubernetes.io/"
)

func (l *loader) checkLabelKeys(n *built) {
	for _, key := range slices.Sorted(maps.Keys(n.Labels)) {
		problem := ""
		switch {
		case slices.Contains(kubeletLabels, key):
			problem = "is set by the kubelet at every start, so another value would not stay. Use a key of your own."
		case key == zoneLabel && n.Site != "":
			problem = fmt.Sprintf("is the node's site, which is %q. Set the attribute site.", n.Site)
		case key == workerLabel && n.Role == Worker:
			problem = "is set by cxha on every worker. Leave it out."
		case strings.HasPrefix(key, cxhaPrefix):
			problem = "belongs to cxha, which finds its own things by it. Use a key of your own."
		}
		if problem != "" {
			l.report(n.sec.elementMistake("labels", key, "Reserved label", "The label %q %s", key, problem))
		}
	}
}

func (l *loader) checkTaints(n *built) {
	seen := map[string]bool{}
	for _, t := range n.sec.sections("taint") {
		key, effect := t.str("key"), t.str("effect")
		switch {
		case key == "":
		case key == "node-role.kubernetes.io/control-plane" && n.Role == ControlPlane:
			l.report(t.mistake("key", "Reserved taint", "cxha sets and removes this taint by the attribute schedulable: leave the block out."))
		case strings.HasPrefix(key, statusPrefix):
			l.report(t.mistake("key", "Reserved taint", "Taints that begin with %s tell the state of a node. Kubernetes sets and removes them itself, so they cannot be kept. Use a key of your own.", statusPrefix))
		case seen[key+":"+effect] && effect != "":
			l.report(t.mistake("key", "Declared twice", "%s has the taint %s:%s twice. A node has at most one taint of a key and an effect.", n.Addr, key, effect))
		}
		seen[key+":"+effect] = true
	}
}

// managedPaths are the places on hosts that cxha writes by other means, and those means.
var managedPaths = []struct{ path, instead string }{
	{"/etc/rancher/rke2/config.yaml", "the attribute config"},
	{"/etc/rancher/rke2/config.yaml.d/", "a drop_in block"},
	{"/etc/rancher/rke2/registries.yaml", "the cluster's registries"},
	{"/etc/rancher/rke2/server-token", "the cluster's token"},
	{"/etc/rancher/rke2/agent-token", "the cluster's agent_token"},
	{"/var/lib/rancher/rke2/server/manifests/", "a manifest block"},
	{"/etc/sysctl.d/90-cxha.conf", "the cluster's sysctl"},
	{"/etc/modules-load.d/cxha.conf", "the cluster's modules"},
	{"/etc/NetworkManager/conf.d/rke2-canal.conf", "nothing: cxha writes it where NetworkManager runs"},
	{"/etc/hosts", "the cluster's endpoint: cxha keeps its line there, and leaves the others alone"},
	{"/var/lib/cxha/", "nothing: it is cxha's own"},
}

func (l *loader) checkPaths(n *built) {
	kind := map[string]string{}
	for _, s := range append(n.sec.sections("file"), n.sec.sections("directory")...) {
		for _, m := range managedPaths {
			if s.name == strings.TrimSuffix(m.path, "/") || strings.HasSuffix(m.path, "/") && strings.HasPrefix(s.name, m.path) {
				l.report(mistake(s.scope.header, "Path managed by cxha", "%s is written by cxha itself, and two owners of one thing would undo each other's work in every run. Use %s.", s.name, m.instead))
			}
		}
		if before := kind[s.name]; before != "" && before != s.shape.Type {
			l.report(mistake(s.scope.header, "Declared twice", "%s stands in %s as a file and as a directory. It can be only one of them.", s.name, n.Addr))
		}
		kind[s.name] = s.shape.Type
	}
}

// checkYAML reads the files that RKE2 reads: an error there keeps RKE2 from starting, or is only logged.
func (l *loader) checkYAML(n *built) {
	for _, s := range n.sec.sections("drop_in") {
		if !s.usable("content") {
			continue
		}
		var options map[string]any
		if err := yaml.UnmarshalStrict([]byte(s.str("content")), &options); err != nil {
			l.report(s.mistake("content", "Invalid YAML", "%s is no YAML object of RKE2's options: %s. RKE2 does not start with it.", s.name, yamlProblem(err)))
			continue
		}
		for _, option := range slices.Sorted(maps.Keys(options)) {
			l.checkDropIn(n, s, option, options[option])
		}
	}
	for _, s := range n.sec.sections("manifest") {
		for i, doc := range strings.Split("\n"+s.str("content"), "\n---") {
			var object any
			if err := yaml.UnmarshalStrict([]byte(doc), &object); err != nil {
				l.report(s.mistake("content", "Invalid YAML", "Document %d of %s is no YAML: %s. RKE2 would only log that, and go on without it.", i+1, s.name, yamlProblem(err)))
				break
			}
		}
	}
}

// checkDropIn checks an option that a file of YAML gives.
func (l *loader) checkDropIn(n *built, s *section, option string, value any) {
	if how, own := ownOption(option); own {
		l.report(s.mistake("content", "Option belongs to cxha", "%s sets RKE2's option %q. %s", s.name, option, how))
		return
	}
	kind, unknown := rke2options.Of(option, optionRole(n.sec), l.bp.Cluster.Version)
	if unknown != nil {
		l.report(s.mistake("content", unknown.Summary, "%s sets %q%s", s.name, option, unknown.Text))
		return
	}
	if problem := optionProblem(kind, yamlValue(value)); problem != "" {
		l.report(s.mistake("content", "Wrong type", "The option %q in %s %s", option, s.name, problem))
	}
}

// yamlValue is a value that was read from YAML.
func yamlValue(v any) cty.Value {
	doc, err := json.Marshal(v)
	if err != nil {
		return cty.DynamicVal
	}
	var value ctyjson.SimpleJSONValue
	if err := json.Unmarshal(doc, &value); err != nil {
		return cty.DynamicVal
	}
	return value.Value
}

func yamlProblem(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "yaml: ")
}
