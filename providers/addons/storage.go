package addons

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// driver is what a kind of storage needs and makes: domain.md §5.
type driver struct {
	name        string // of the release
	tools       []Tool
	local       bool                                   // a volume lives on one node
	ownClass    bool                                   // the chart makes the class itself
	values      func(blueprint.Storage) cty.Value      // of the release; nil: none
	parameters  func(blueprint.Storage) map[string]any // of the class; nil: none
	annotations func(blueprint.Storage) map[string]any // of the class; nil: none
	expand      bool                                   // volumes of the class can grow
}

var drivers = map[string]driver{
	schema.NFSStorage:       {name: "csi-driver-nfs", tools: []Tool{NFSClient}, values: nfsValues, parameters: nfsParameters},
	schema.NFSSubdirStorage: {name: "nfs-subdir-external-provisioner", tools: []Tool{NFSClient}, ownClass: true, values: nfsSubdirValues},
	schema.LocalPathStorage: {name: "local-path-provisioner", local: true, ownClass: true, values: localPathValues},
	schema.OpenEBSStorage:   {name: "openebs-localpv", local: true, values: openebsValues, annotations: openebsAnnotations},
	schema.LonghornStorage:  {name: "longhorn", tools: []Tool{ISCSI, NFSClient}, values: longhornValues, parameters: longhornParameters, expand: true},
	schema.VSphereStorage:   {expand: true},
	schema.ClassStorage:     {},
}

// release installs the driver. One that mounts the export itself, as the old provisioner does, needs an export that works.
func (d driver) release(bp *blueprint.Blueprint, s blueprint.Storage) blueprint.Release {
	r := blueprint.Release{Common: s.Common, Name: d.name, Chart: s.Chart, Values: s.Values}
	if d.values != nil {
		r.Values = merged(d.values(s), s.Values)
	}
	r.After = append(slices.Clone(r.After), checksOf(bp, s)...)
	return r
}

// class returns the block's StorageClass. Volumes of a class that binds at once may be put where the pod cannot go, so local
// ones wait for the pod.
func class(bp *blueprint.Blueprint, s blueprint.Storage) (blueprint.Manifest, bool) {
	d := drivers[s.Kind]
	if d.ownClass || s.Provisioner == "" {
		return blueprint.Manifest{}, false
	}
	parameters := map[string]any{}
	if d.parameters != nil {
		parameters = d.parameters(s)
	}
	for k, v := range s.Parameters {
		parameters[k] = v
	}
	annotations := map[string]any{"storageclass.kubernetes.io/is-default-class": yesNo(s.Default)}
	if d.annotations != nil {
		maps.Copy(annotations, d.annotations(s))
	}
	binding := "Immediate"
	if d.local {
		binding = "WaitForFirstConsumer"
	}
	o := map[string]any{
		"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": map[string]any{"name": s.Class, "annotations": annotations},
		"provisioner": s.Provisioner, "reclaimPolicy": s.ReclaimPolicy, "volumeBindingMode": binding, "allowVolumeExpansion": d.expand,
	}
	if len(parameters) > 0 {
		o["parameters"] = parameters
	}
	if len(s.MountOptions) > 0 {
		o["mountOptions"] = s.MountOptions
	}
	c := s.Common
	c.After = slices.Clone(c.After)
	if d.name != "" && s.Chart.Name != "" {
		c.After = append(c.After, releaseAddr(s.Addr))
	}
	c.After = append(c.After, checksOf(bp, s)...)
	return manifest(c, "storage class", o), true
}

// checksOf are the trials of the block's export.
func checksOf(bp *blueprint.Blueprint, s blueprint.Storage) []schema.Addr {
	var addrs []schema.Addr
	for _, c := range NFSChecks(bp) {
		if c.Addr.Key == s.Kind {
			addrs = append(addrs, c.Addr)
		}
	}
	return addrs
}

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// nfsValues keep the controller off the control plane, whose loss must not stop provisioning on the workers' side any longer
// than needed. The chart's own tolerations would let it go there in spite of the taint (csi-driver-nfs 4.13, values.yaml).
func nfsValues(blueprint.Storage) cty.Value {
	return values(map[string]any{"controller": map[string]any{"runOnControlPlane": false, "tolerations": []any{}}})
}

func nfsParameters(s blueprint.Storage) map[string]any {
	p := map[string]any{"server": s.Server, "share": s.Path, "onDelete": s.OnDelete}
	if s.SubDir != "" {
		p["subDir"] = s.SubDir
	}
	return p
}

func nfsSubdirValues(s blueprint.Storage) cty.Value {
	options := make([]any, len(s.MountOptions))
	for i, o := range s.MountOptions {
		options[i] = o
	}
	return values(map[string]any{
		"nfs":          map[string]any{"server": s.Server, "path": s.Path, "mountOptions": options},
		"storageClass": map[string]any{"name": s.Class, "defaultClass": s.Default, "reclaimPolicy": s.ReclaimPolicy},
	})
}

func localPathValues(s blueprint.Storage) cty.Value {
	v := map[string]any{"storageClass": map[string]any{"create": true, "name": s.Class, "defaultClass": s.Default, "reclaimPolicy": s.ReclaimPolicy}}
	if s.Path != "" {
		v["nodePathMap"] = []any{map[string]any{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": []any{s.Path}}}
	}
	return values(v)
}

// openebsValues leave the class to cxha: the chart's own has another name and another default.
func openebsValues(blueprint.Storage) cty.Value {
	return values(map[string]any{"hostpathClass": map[string]any{"enabled": false}})
}

func openebsAnnotations(s blueprint.Storage) map[string]any {
	return map[string]any{
		"openebs.io/cas-type":   "local",
		"cas.openebs.io/config": text([]any{map[string]any{"name": "StorageType", "value": "hostpath"}, map[string]any{"name": "BasePath", "value": s.Path}}),
	}
}

func longhornValues(blueprint.Storage) cty.Value {
	return values(map[string]any{"persistence": map[string]any{"defaultClass": false}})
}

func longhornParameters(s blueprint.Storage) map[string]any {
	return map[string]any{"numberOfReplicas": strconv.Itoa(s.Replicas), "staleReplicaTimeout": "30"}
}

// vsphereConfigs hand the block's values to the two charts that RKE2 brings for vSphere: cpi and csi, by name. The class is
// cxha's: the chart's own would be a second default.
func vsphereConfigs(s blueprint.Storage) []blueprint.DropIn {
	csi := merged(values(map[string]any{"storageClass": map[string]any{"enabled": false}}), lookup(s.Values, "csi"))
	files := []blueprint.DropIn{chartConfig(s.Source, "rancher-vsphere-csi", csi)}
	if cpi := lookup(s.Values, "cpi"); !cpi.IsNull() {
		files = append(files, chartConfig(s.Source, "rancher-vsphere-cpi", cpi))
	}
	return files
}

// checkStorage reports a default that cannot be given, and that volumes of local storage tie a workload to its node.
func checkStorage(s blueprint.Storage) hcl.Diagnostics {
	switch {
	case s.Kind == schema.ClassStorage && s.Default && s.Provisioner == "":
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Class of somebody else", Subject: s.Source.Attr("default").Ptr(), Detail: fmt.Sprintf(
			"The class %q is made by somebody else, since the block gives no provisioner, so cxha cannot make it the default. Give its provisioner, or let its "+
				"maker mark it with the annotation storageclass.kubernetes.io/is-default-class.", s.Class)}}
	case drivers[s.Kind].local:
		return hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "Storage on single nodes", Subject: s.Source.Block.Ptr(), Detail: fmt.Sprintf(
			"Volumes of the class %q lie on one node's own disk. A pod with such a volume runs on that node only: when the node dies it stays Pending until "+
				"the node is back, and its data is lost with the disk. For workloads that shall survive a node, use storage that both sites can reach, such as nfs.",
			s.Class)}}
	}
	return nil
}
