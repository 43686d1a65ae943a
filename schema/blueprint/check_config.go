package blueprint

import (
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
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

// serverOptions are options that agents do not have: domain.md §2.5. Those with a dash at the end are prefixes.
var serverOptions = []string{
	"bind-address", "advertise-address", "tls-san", "tls-san-security", "service-node-port-range", "cluster-dns", "cluster-domain",
	"egress-selector-mode", "ingress-controller", "enable-servicelb", "servicelb-namespace", "write-kubeconfig", "write-kubeconfig-",
	"etcd-", "kube-apiserver-", "kube-controller-manager-", "kube-scheduler-", "kube-cloud-controller-manager-", "disable",
	"disable-scheduler", "disable-cloud-controller", "disable-kube-proxy", "embedded-registry", "audit-policy-file",
	"pod-security-admission-config-file", "secrets-encryption-provider",
}

// ownOption reports whether cxha sets the option. RKE2 adds to a list where the name ends with a plus sign.
func ownOption(name string) (instead string, own bool) {
	instead, own = ownOptions[strings.TrimSuffix(name, "+")]
	return instead, own
}

func serverOption(name string) bool {
	name = strings.TrimSuffix(name, "+")
	return slices.ContainsFunc(serverOptions, func(o string) bool {
		return name == o || strings.HasSuffix(o, "-") && strings.HasPrefix(name, o)
	})
}

// checkConfig checks the names and the kinds of options that are given as an object.
func (l *loader) checkConfig(s *section, whose string) {
	if !s.usable("config") {
		return
	}
	v, _ := s.get("config").Unmark()
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		l.report(s.mistake("config", "Wrong type", "config takes an object of RKE2's options, and this is %s.", describe(v)))
		return
	}
	options := v.AsValueMap()
	for _, name := range slices.Sorted(maps.Keys(options)) {
		if how, own := ownOption(name); own {
			l.report(s.elementMistake("config", name, "Option belongs to cxha", "The config of %s sets RKE2's option %q, which cxha sets itself. %s", whose, name, how))
			continue
		}
		if s.shape.Type != string(ControlPlane) && s.shape.Type != string(Standby) && serverOption(name) {
			l.report(s.elementMistake("config", name, "Option for servers only", "The config of %s sets %q, which only servers have: agents would not know it. Put it into the config of the control_plane block.", whose, name))
			continue
		}
		if kind := optionKind(options[name]); kind != "" {
			l.report(s.elementMistake("config", name, "Wrong type", "The option %q in the config of %s is %s. RKE2's options are texts, numbers, bools or lists of them.", name, whose, kind))
		}
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
