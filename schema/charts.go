package schema

import "fmt"

// DefaultChartOf is the chart that a block installs unless the blueprint names another.
type DefaultChartOf struct {
	Name       string // as in the attribute chart; empty: none
	Repository string
	Version    string
	Namespace  string // of the release
}

// DefaultChart returns the chart of a type of block and its kind, which is its label. Sources: domain.md §3.3 and §3.4 (ingress), §4.1
// (MetalLB), §5 (storage) and, for versions that it does not fix, the charts' own documentation.
func DefaultChart(typ, kind string) DefaultChartOf {
	switch typ {
	case "load_balancer":
		return balancerCharts[kind]
	case "ingress":
		if kind == "nginx" {
			return NginxPreset(CommunityPreset)
		}
	case "storage":
		return storageCharts[kind]
	}
	return DefaultChartOf{}
}

// DefaultCharts lists the charts that blocks install by default, by the block as a blueprint writes it.
func DefaultCharts() map[string]DefaultChartOf {
	all := map[string]DefaultChartOf{}
	for kind, c := range balancerCharts {
		all[fmt.Sprintf("load_balancer %q", kind)] = c
	}
	for preset, c := range nginxPresets {
		all[fmt.Sprintf("ingress %q, preset %q", NginxIngress, preset)] = c
	}
	for kind, c := range storageCharts {
		all[fmt.Sprintf("storage %q", kind)] = c
	}
	return all
}

// The presets of ingress "nginx".
const (
	CommunityPreset = "community"
	F5Preset        = "f5"
)

// NginxPreset returns the chart of a preset of ingress "nginx".
func NginxPreset(name string) DefaultChartOf { return nginxPresets[name] }

var nginxPresets = map[string]DefaultChartOf{
	CommunityPreset: {Name: "ingress-nginx", Repository: "https://kubernetes.github.io/ingress-nginx", Version: "4.15.1", Namespace: "ingress-nginx"},
	F5Preset:        {Name: "oci://ghcr.io/nginx/charts/nginx-ingress", Version: "2.6.4", Namespace: "nginx-ingress"},
}

var balancerCharts = map[string]DefaultChartOf{
	"metallb": {Name: "metallb", Repository: "https://metallb.github.io/metallb", Version: "0.16.1", Namespace: "metallb-system"},
}

// local-path-provisioner's chart lies in its source tree only: no repository and no registry has it, so it has no default here.
var storageCharts = map[string]DefaultChartOf{
	"nfs":              {Name: "csi-driver-nfs", Repository: "https://raw.githubusercontent.com/kubernetes-csi/csi-driver-nfs/master/charts", Version: "4.13.4", Namespace: "kube-system"},
	"nfs_subdir":       {Name: "nfs-subdir-external-provisioner", Repository: "https://kubernetes-sigs.github.io/nfs-subdir-external-provisioner", Version: "4.0.18", Namespace: "nfs-client"},
	"local_path":       {Namespace: "local-path-storage"},
	"openebs_hostpath": {Name: "localpv-provisioner", Repository: "https://openebs.github.io/dynamic-localpv-provisioner", Version: "4.4.0", Namespace: "openebs"},
	"longhorn":         {Name: "longhorn", Repository: "https://charts.longhorn.io", Version: "1.11.1", Namespace: "longhorn-system"},
}
