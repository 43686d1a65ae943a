package addons

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// The kinds of resources that the addons refer to, and whose providers build on this package.
const (
	ReleaseType = "helm.release"
	ObjectType  = "kube.object"
	ToolsType   = "host.tools"
	NFSType     = "host.nfs"
	ARPType     = "host.arp"
)

// Releases returns the Helm releases of all addons.
func Releases(bp *blueprint.Blueprint) []blueprint.Release {
	var rs []blueprint.Release
	for _, lb := range bp.LoadBalancers {
		rs = append(rs, metallbRelease(bp, lb))
	}
	for _, i := range bp.Ingresses {
		if i.Kind == schema.NginxIngress {
			rs = append(rs, nginxRelease(bp, i))
		}
	}
	for _, s := range bp.Storages {
		if d, ok := drivers[s.Kind]; ok && s.Chart.Name != "" {
			rs = append(rs, d.release(bp, s))
		}
	}
	return rs
}

// Manifests returns the Kubernetes objects of all addons.
func Manifests(bp *blueprint.Blueprint) []blueprint.Manifest {
	var ms []blueprint.Manifest
	for _, lb := range bp.LoadBalancers {
		ms = append(ms, metallbManifests(bp, lb)...)
	}
	for _, i := range bp.Ingresses {
		if i.Kind == schema.TraefikIngress && i.NginxClass {
			ms = append(ms, nginxClass(i))
		}
	}
	for _, s := range bp.Storages {
		if m, ok := class(bp, s); ok {
			ms = append(ms, m)
		}
	}
	return ms
}

// ServerOptions returns what the addons need in config.yaml of the control plane, by option.
func ServerOptions(bp *blueprint.Blueprint) map[string][]string {
	o := map[string][]string{}
	if c := ingressController(bp); c != nil {
		maps.Copy(o, c)
	}
	for _, s := range bp.Storages {
		if s.Kind == schema.VSphereStorage {
			o["cloud-provider-name"] = []string{"rancher-vsphere"}
		}
	}
	return o
}

// ServerManifests returns the files that belong into RKE2's manifests directory before the control plane first starts: the
// settings of the charts that RKE2 brings itself. A file of the same name in the blueprint takes the place of one of these.
func ServerManifests(bp *blueprint.Blueprint) []blueprint.DropIn {
	var files []blueprint.DropIn
	if !bp.ControlPlane.Schedulable {
		files = append(files, chartConfig(bp.ControlPlane.Source, "rke2-coredns", dnsValues()))
	}
	for _, i := range bp.Ingresses {
		if i.Kind == schema.TraefikIngress {
			files = append(files, chartConfig(i.Source, "rke2-traefik", merged(traefikValues(bp, i), i.Values)))
		}
	}
	for _, s := range bp.Storages {
		if s.Kind == schema.VSphereStorage {
			files = append(files, vsphereConfigs(s)...)
		}
	}
	return slices.DeleteFunc(files, func(f blueprint.DropIn) bool {
		return slices.ContainsFunc(bp.ControlPlane.Manifests, func(own blueprint.DropIn) bool { return own.Name == f.Name })
	})
}

// NodeLabels returns the labels by which addons choose a node.
func NodeLabels(bp *blueprint.Blueprint, n blueprint.Node) map[string]string {
	labels := map[string]string{}
	for _, lb := range bp.LoadBalancers {
		for _, a := range announcers(bp, lb) {
			if slices.Contains(a.nodes, n.Name) {
				labels[a.label] = "true"
			}
		}
	}
	return labels
}

// Check reports what the addons of a blueprint cannot have, and warns of what its author may not expect.
func Check(bp *blueprint.Blueprint) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, s := range bp.Storages {
		diags = append(diags, checkStorage(s)...)
		if s.Kind == schema.VSphereStorage {
			diags = append(diags, checkShown(s.Source, s.Values)...)
		}
	}
	for _, i := range bp.Ingresses {
		if i.Kind == schema.TraefikIngress {
			diags = append(diags, checkShown(i.Source, i.Values)...)
		}
	}
	return diags
}

// checkShown refuses secrets in the values of a chart that RKE2 brings: they go into a file that plans show.
func checkShown(at blueprint.Source, v cty.Value) hcl.Diagnostics {
	if v == cty.NilVal || !v.ContainsMarked() {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Sensitive value in a shown file",
		Detail:  "The values of this block go into a file with a HelmChartConfig, which plans show, and something sensitive is among them. Put the secret into a Kubernetes Secret, by a manifest block, and let the values name that.",
		Subject: at.Attr("values").Ptr(),
	}}
}

// chartConfig is a HelmChartConfig for one of RKE2's own charts, as a file of the manifests directory.
func chartConfig(at blueprint.Source, chart string, values cty.Value) blueprint.DropIn {
	return blueprint.DropIn{Name: chart + "-config.yaml", Source: at, Content: text(map[string]any{
		"apiVersion": "helm.cattle.io/v1",
		"kind":       "HelmChartConfig",
		"metadata":   map[string]any{"name": chart, "namespace": "kube-system"},
		"spec":       map[string]any{"valuesContent": text(plain(values))},
	})}
}

// text writes a value of maps, slices and scalars as YAML, with sorted keys.
func text(v any) string {
	b, err := yaml.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("addons: %v; this is a bug in cxha", err))
	}
	return string(b)
}

// manifest returns objects as a manifest with the block's settings.
func manifest(c blueprint.Common, name string, objects ...map[string]any) blueprint.Manifest {
	m := blueprint.Manifest{Common: c}
	for _, o := range objects {
		m.Texts = append(m.Texts, blueprint.Text{Name: name, Content: cty.StringVal(text(o))})
	}
	return m
}

// release is the address of a block's release.
func releaseAddr(block schema.BlockAddr) schema.Addr {
	return schema.Addr{Block: block, Type: ReleaseType}
}

func objectAddr(block schema.BlockAddr, key string) schema.Addr {
	return schema.Addr{Block: block, Type: ObjectType, Key: key}
}

// values turns maps, slices and scalars into a cty value.
func values(v any) cty.Value {
	b, err := json.Marshal(v)
	if err == nil {
		var t cty.Type
		if t, err = ctyjson.ImpliedType(b); err == nil {
			var out cty.Value
			if out, err = ctyjson.Unmarshal(b, t); err == nil {
				return out
			}
		}
	}
	panic(fmt.Sprintf("addons: %v; this is a bug in cxha", err))
}

// plain is the reverse of values.
func plain(v cty.Value) any {
	v, _ = v.UnmarkDeep() // a sensitive one is refused by Check
	b, err := ctyjson.Marshal(v, v.Type())
	if err == nil {
		var out any
		if err = json.Unmarshal(b, &out); err == nil {
			return out
		}
	}
	panic(fmt.Sprintf("addons: %v; this is a bug in cxha", err))
}
