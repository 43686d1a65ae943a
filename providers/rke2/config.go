package rke2

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/providers/addons"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

const (
	zoneLabel         = "topology.kubernetes.io/zone"
	controlPlaneTaint = "node-role.kubernetes.io/control-plane=:NoSchedule"
)

// firstIngressVersion is the minor version from which RKE2 has the option ingress-controller and brings Traefik unasked
// (domain.md §3.1); before it, its ingress-nginx is a component to be disabled.
const firstIngressVersion = 36

// serverOptions are the control plane's options (domain.md §9.1). RKE2 brings no ingress controller: the cluster's is a block of
// its own. Nothing is reported to the outside: rke2-security-responder would.
func serverOptions(bp *blueprint.Blueprint) (options, error) {
	n := bp.ControlPlane
	o := nodeOptions(n)
	o["token-file"] = []string{serverTokenFile}
	o["agent-token-file"] = []string{agentTokenFile}
	o["write-kubeconfig-mode"] = []string{privateMode}
	o["cni"] = strings.Split(bp.Cluster.CNI, ",")
	o["cluster-cidr"] = []string{bp.Cluster.PodCIDR.String()}
	o["service-cidr"] = []string{bp.Cluster.ServiceCIDR.String()}
	o["tls-san"] = serverNames(bp)
	o["disable"] = []string{"rke2-security-responder"}
	minor, err := minorVersion(bp.Cluster.Version)
	if err != nil {
		return nil, err
	}
	wanted := addons.ServerOptions(bp)
	if minor >= firstIngressVersion {
		o["ingress-controller"] = []string{"none"}
	} else if wanted["ingress-controller"] == nil {
		o["disable"] = []string{"rke2-ingress-nginx", "rke2-security-responder"}
	}
	maps.Copy(o, wanted)
	if !n.Schedulable { // only the first registration heeds it; from then on it is kube.taints' to keep
		o["node-taint"] = []string{controlPlaneTaint}
	}
	return o, nil
}

// serverNames are the names and addresses that the API's certificate must hold: the endpoint, the control plane and whatever
// may become it, so that a restore needs no new one.
func serverNames(bp *blueprint.Blueprint) []string {
	names := []string{bp.Cluster.Endpoint, bp.ControlPlane.Address.String()}
	for _, n := range bp.Standbys {
		names = append(names, n.Address.String())
	}
	slices.Sort(names[2:])
	var unique []string
	for _, n := range names {
		if !slices.Contains(unique, n) {
			unique = append(unique, n)
		}
	}
	return unique
}

// agentOptions are a worker's options.
func agentOptions(bp *blueprint.Blueprint, n blueprint.Node) options {
	o := nodeOptions(n)
	o["server"] = []string{"https://" + net.JoinHostPort(bp.Cluster.Endpoint, supervisorPort)}
	o["token-file"] = []string{agentTokenFile}
	return o
}

func nodeOptions(n blueprint.Node) options {
	o := options{"node-name": {n.Name}, "node-ip": {n.Address.String()}}
	if n.Site != "" { // as node-taint: for the first registration
		o["node-label"] = []string{zoneLabel + "=" + n.Site}
	}
	return o
}

// minorVersion returns 35 of v1.35.7+rke2r1.
func minorVersion(version string) (int, error) {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) == 3 && parts[0] == "1" {
		if minor, err := strconv.Atoi(parts[1]); err == nil {
			return minor, nil
		}
	}
	return 0, fmt.Errorf("version %q: want the form v1.35.7+rke2r1", version)
}

// ownOptions are the options by which cxha holds the cluster together; a node's config cannot set them.
var ownOptions = map[string]string{
	"token": "set the cluster's token", "token-file": "set the cluster's token",
	"agent-token": "set the cluster's agent_token", "agent-token-file": "set the cluster's agent_token",
	"server": "set the cluster's endpoint", "node-name": "the node's name is its block's", "node-ip": "set the node's address",
	"cluster-cidr": "set the cluster's pod_cidr", "service-cidr": "set the cluster's service_cidr", "cni": "set the cluster's cni",
	"data-dir": "cxha knows RKE2 only at its own place", "cluster-reset": "a restore is a command, not a configuration",
	"cluster-reset-restore-path": "a restore is a command, not a configuration",
}

// withOwn returns the options with a node's own config over them: an option that is given replaces cxha's, lists included.
func withOwn(o options, n blueprint.Node) (map[string]cty.Value, hcl.Diagnostics) {
	vs := make(map[string]cty.Value, len(o))
	for name, texts := range o {
		vs[name] = textList(texts)
	}
	if n.Config == cty.NilVal || n.Config.IsNull() {
		return vs, nil
	}
	subject := n.Source.Attr("config")
	whole, marks := n.Config.Unmark()
	var diags hcl.Diagnostics
	given := whole.AsValueMap()
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if how, own := ownOptions[strings.TrimSuffix(name, "+")]; own {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Option belongs to cxha",
				Detail:  fmt.Sprintf("The config of node %s sets RKE2's option %q, by which cxha holds the cluster together: %s.", n.Name, name, how),
				Subject: subject.Ptr(),
			})
			continue
		}
		v, err := optionValue(given[name])
		if err != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid option of RKE2",
				Detail:  fmt.Sprintf("The option %q in the config of node %s cannot be written: %s. RKE2's options are texts, numbers, truth values or lists of them.", name, n.Name, err),
				Subject: subject.Ptr(),
			})
			continue
		}
		if len(marks) > 0 || secretOption(name) {
			v = v.Mark(schema.Sensitive)
		}
		vs[name] = v
	}
	return vs, diags
}

// optionValue returns an option's value in HCL as the list of texts that RKE2 makes of it; sensitive if any part is.
func optionValue(v cty.Value) (cty.Value, error) {
	plain, marks := v.UnmarkDeep()
	if plain.IsNull() || !plain.IsWhollyKnown() {
		return cty.NilVal, fmt.Errorf("it has no value")
	}
	elems := []cty.Value{plain}
	if ty := plain.Type(); ty.IsListType() || ty.IsTupleType() || ty.IsSetType() {
		elems = plain.AsValueSlice()
	}
	texts := make([]string, len(elems))
	for i, e := range elems {
		if e.IsNull() || !e.Type().IsPrimitiveType() {
			return cty.NilVal, fmt.Errorf("it holds %s", e.Type().FriendlyName())
		}
		b, err := ctyjson.Marshal(e, e.Type())
		if err != nil {
			return cty.NilVal, err
		}
		if texts[i] = string(b); e.Type() == cty.String {
			texts[i] = e.AsString()
		}
		if !writable(texts[i]) {
			return cty.NilVal, errControl
		}
	}
	return textList(texts).WithMarks(marks), nil
}

// registriesYAML returns the text of a registries.yaml, sensitive if any part of the value is.
func registriesYAML(v cty.Value) (cty.Value, error) {
	plain, marks := v.UnmarkDeep()
	doc, err := ctyjson.Marshal(plain, plain.Type())
	if err != nil {
		return cty.NilVal, fmt.Errorf("registries: %w", err)
	}
	b, err := yaml.JSONToYAML(doc)
	if err != nil {
		return cty.NilVal, fmt.Errorf("registries: %w", err)
	}
	return cty.StringVal("# Written by cxha from the blueprint.\n" + string(b)).WithMarks(marks), nil
}
