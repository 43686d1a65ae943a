package blueprint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/expertflow/cxha/schema/rke2options"
)

// ownOptions are RKE2's options that cxha sets itself, and what to use instead.
var ownOptions = map[string]string{
	"token":                      "Use the cluster's token.",
	"token-file":                 "Use the cluster's token.",
	"agent-token":                "Use the cluster's agent_token.",
	"agent-token-file":           "Use the cluster's agent_token.",
	"server":                     "Agents find the control plane by the cluster's endpoint; a control plane with this option cannot be restored.",
	"node-name":                  "Use the attribute name.",
	"with-node-id":               "It would give the node another name than the blueprint does.",
	"node-ip":                    "Use the attribute address.",
	"node-label":                 "Use the attribute labels: RKE2 heeds the option only when a node registers for the first time.",
	"node-taint":                 "Use taint blocks: RKE2 heeds the option only when a node registers for the first time.",
	"cni":                        "Use the cluster's cni.",
	"cluster-cidr":               "Use the cluster's pod_cidr.",
	"service-cidr":               "Use the cluster's service_cidr.",
	"private-registry":           "Use the cluster's registries.",
	"data-dir":                   "cxha knows RKE2's data only in its usual place.",
	"cluster-reset":              "It would reset the cluster at every start. A restore is a command and no option.",
	"cluster-reset-restore-path": "It would restore the cluster at every start. A restore is a command and no option.",
}

// ownOption reports whether cxha sets the option. RKE2 adds to a list where the name ends with a plus sign.
func ownOption(name string) (instead string, own bool) {
	instead, own = ownOptions[strings.TrimSuffix(name, "+")]
	return instead, own
}

// optionRole is what RKE2 runs as on a node. A cluster's options go to every node, so they are those that agents have.
func optionRole(s *section) rke2options.Role {
	if s.shape.Type == string(ControlPlane) || s.shape.Type == string(Standby) {
		return rke2options.Server
	}
	return rke2options.Agent
}

// checkConfig checks the names and the values of options that are given as an object. Those of unchecked_config are taken as they are.
func (l *loader) checkConfig(s *section, whose string) {
	given := l.options(s, "config")
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if l.checkOwner(s, "config", name, whose) {
			continue
		}
		kind, unknown := rke2options.Of(name, optionRole(s), l.bp.Cluster.Version)
		if unknown != nil {
			l.report(s.elementMistake("config", name, unknown.Summary, "The config of %s sets %q%s", whose, name, unknown.Text))
			continue
		}
		if problem := optionProblem(kind, given[name]); problem != "" {
			l.report(s.elementMistake("config", name, "Wrong type", "The option %q in the config of %s %s", name, whose, problem))
		}
	}
	unchecked := l.options(s, "unchecked_config")
	for _, name := range slices.Sorted(maps.Keys(unchecked)) {
		if l.checkOwner(s, "unchecked_config", name, whose) {
			continue
		}
		if _, twice := given[name]; twice {
			l.report(s.elementMistake("unchecked_config", name, "Declared twice", "%s sets the option %q in config and in unchecked_config. One of them has to go.", whose, name))
			continue
		}
		if kind := optionKind(unchecked[name]); kind != "" {
			l.report(s.elementMistake("unchecked_config", name, "Wrong type", "The option %q in the unchecked_config of %s is %s. RKE2's options are texts, numbers, bools or lists of them.", name, whose, kind))
		}
	}
}

// options are the options that an attribute gives. One that is no object is reported.
func (l *loader) options(s *section, attr string) map[string]cty.Value {
	if !s.usable(attr) {
		return nil
	}
	v, marks := s.get(attr).Unmark()
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		l.report(s.mistake(attr, "Wrong type", "%s takes an object of RKE2's options, and this is %s.", attr, describe(v)))
		return nil
	}
	options := v.AsValueMap()
	for name := range options {
		options[name] = options[name].WithMarks(marks)
	}
	return options
}

func (l *loader) checkOwner(s *section, attr, name, whose string) (own bool) {
	how, own := ownOption(name)
	if own {
		l.report(s.elementMistake(attr, name, "Option belongs to cxha", "The %s of %s sets RKE2's option %q, which cxha sets itself. %s", attr, whose, name, how))
	}
	return own
}

// optionProblem continues a sentence about an option whose value is of no use; "" for those that are right, or not known.
func optionProblem(kind rke2options.Kind, v cty.Value) string {
	if what := optionKind(v); what != "" {
		return fmt.Sprintf("is %s. RKE2's options are texts, numbers, bools or lists of them.", what)
	}
	plain, marks := v.UnmarkDeep()
	if !plain.IsWhollyKnown() {
		return ""
	}
	elems, list := []cty.Value{plain}, false
	if ty := plain.Type(); !ty.IsPrimitiveType() {
		elems, list = plain.AsValueSlice(), true
	}
	values := make([]string, len(elems))
	for i, e := range elems {
		if e.Type() == cty.Bool && !kind.Bool() {
			return fmt.Sprintf("takes a %s, and this is %s.", kind, describe(v))
		}
		text, err := convert.Convert(e, cty.String)
		if err != nil {
			return fmt.Sprintf("takes a %s, and this is %s.", kind, describe(v))
		}
		values[i] = text.AsString()
	}
	problem := kind.Check(values, list)
	switch {
	case problem == "":
		return ""
	case len(marks) > 0:
		return fmt.Sprintf("takes a %s, and this is a sensitive value that is none. RKE2 would not start with it.", kind)
	default:
		return problem + ". RKE2 would not start with it."
	}
}

// optionKind describes a value that no option of RKE2 can have; "" for those that are right, or not known.
func optionKind(v cty.Value) string {
	v, _ = v.UnmarkDeep()
	switch ty := v.Type(); {
	case !v.IsWhollyKnown(), ty.IsPrimitiveType() && !v.IsNull():
		return ""
	case v.IsNull():
		return "null"
	case ty.IsListType(), ty.IsTupleType(), ty.IsSetType():
		for it := v.ElementIterator(); it.Next(); {
			if _, e := it.Element(); e.IsNull() || !e.Type().IsPrimitiveType() {
				return "a list with " + describe(e) + " in it"
			}
		}
		return ""
	}
	return describe(v)
}

// checkRegistries checks the shape of registries.yaml, of which RKE2 ignores what it does not know.
func (l *loader) checkRegistries() {
	s := l.cluster
	if !s.usable("registries") {
		return
	}
	v, _ := s.get("registries").Unmark()
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		l.report(s.mistake("registries", "Wrong type", "registries takes an object with mirrors and configs, and this is %s.", describe(v)))
		return
	}
	known := []string{"mirrors", "configs", "auths"}
	for _, name := range slices.Sorted(maps.Keys(v.AsValueMap())) {
		if !slices.Contains(known, name) {
			l.report(s.elementMistake("registries", name, "Unknown attribute", "There is no %q in registries.yaml: it has mirrors and configs, and RKE2 ignores anything else.%s", name, didYouMean(name, known, "")))
		}
	}
}
