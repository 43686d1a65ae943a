package schema

import "github.com/zclconf/go-cty/cty"

// The kinds of storage blocks, which are their labels.
const (
	NFSStorage       = "nfs"
	NFSSubdirStorage = "nfs_subdir"
	LocalPathStorage = "local_path"
	OpenEBSStorage   = "openebs_hostpath"
	LonghornStorage  = "longhorn"
	VSphereStorage   = "vsphere"
	ClassStorage     = "class"
)

var storageKind = oneOf("Unknown storage", "storage that cxha knows", NFSStorage, NFSSubdirStorage, LocalPathStorage, OpenEBSStorage, LonghornStorage, VSphereStorage, ClassStorage)

// storageClasses are the names that the kinds' own documentation gives their classes: domain.md §5.
var storageClasses = map[string]string{
	NFSStorage: "cx-nfs", NFSSubdirStorage: "nfs-client", LocalPathStorage: "local-path", OpenEBSStorage: "openebs-hostpath", LonghornStorage: "longhorn", VSphereStorage: "vsphere-csi",
}

var storagePaths = map[string]string{LocalPathStorage: "/opt/local-path-provisioner", OpenEBSStorage: "/var/openebs/local"}

func storageShape() Shape {
	withChart := []string{NFSStorage, NFSSubdirStorage, LocalPathStorage, OpenEBSStorage, LonghornStorage}
	chart := forKinds(withChart, defaultChartAttrs("storage", "the [kind's](#charts-of-blocks)")...)
	chart[0].RequiredFor = []string{LocalPathStorage}
	chart[0].Doc = "The chart, which `local_path` has to name because local-path-provisioner publishes its chart only in its source tree (deploy/chart/local-path-provisioner): put a copy beside " +
		"the blueprint, or into a registry of yours. It is written as in a `helm_release`."
	chart[0].Example = "\"./charts/local-path-provisioner\""
	values := valuesAttr("More values for the chart. They win over what cxha sets itself. For `vsphere`, an object with `cpi` and `csi`: values for RKE2's own charts rancher-vsphere-cpi and rancher-vsphere-csi.", "{ controller = { replicas = 2 } }")
	values.Kinds = append(withChart, VSphereStorage)
	return Shape{
		Type:  "storage",
		Root:  "storage",
		Label: Label{Name: "KIND", Rule: &storageKind},
		Doc: "A storage class, and what it needs: a provisioner from a chart, packages and modules on the nodes. The kinds are `nfs` (csi-driver-nfs), `nfs_subdir` (the provisioner " +
			"before it), `local_path` (of Rancher), `openebs_hostpath`, `longhorn`, `vsphere` (RKE2's own chart), and `class` for anything else: a class that is there already, or one " +
			"that is made for a provisioner that is. Volumes of `local_path` and `openebs_hostpath` stay on the node where they were made: when it is lost, so are they.",
		Example: "storage \"nfs\" {\n  server  = \"10.10.1.60\"\n  path    = \"/export/cx\"\n  default = true\n}",
		Attrs:   append(append(append(storageClassAttrs(), storageKindAttrs()...), chart...), values, timeoutAttr("10m"), keepAttr("storage"), dependsAttr()),
	}
}

func storageClassAttrs() []Attr {
	return []Attr{
		{Name: "class", Type: cty.String, Rule: &ObjectName, RequiredFor: []string{ClassStorage}, Derive: func(kind string) string { return storageClasses[kind] }, DefaultDoc: "`cx-nfs`, `nfs-client`, `local-path`, `openebs-hostpath`, `longhorn`, `vsphere-csi`",
			Doc: "Name of the StorageClass.", Example: "\"cx-nfs\""},
		{Name: "default", Type: cty.Bool, Default: cty.False, Doc: "Whether claims that name no class get volumes of this one. One at most can.", Example: "true"},
		{Name: "reclaim_policy", Type: cty.String, Rule: &ReclaimPolicy, DefaultDoc: "`\"Delete\"`", Doc: "What happens to a volume whose claim is deleted: `Delete`, or `Retain`, which leaves it to you.", Example: "\"Retain\""},
	}
}

func storageKindAttrs() []Attr {
	options := cty.ListVal([]cty.Value{cty.StringVal("nfsvers=4.1"), cty.StringVal("hard")})
	nfs, exports := []string{NFSStorage}, []string{NFSStorage, NFSSubdirStorage}
	return []Attr{
		{Name: "server", Type: cty.String, Rule: &HostName, Kinds: exports, RequiredFor: exports, Doc: "The NFS server's name or address, as the nodes reach it.", Example: "\"10.10.1.60\""},
		{Name: "path", Type: cty.String, Rule: &Export, Kinds: append(exports, LocalPathStorage, OpenEBSStorage), RequiredFor: exports,
			Derive: func(kind string) string { return storagePaths[kind] }, DefaultDoc: "`/opt/local-path-provisioner`, `/var/openebs/local`", Doc: "The export; for local storage, the directory on the nodes.", Example: "\"/export/cx\""},
		{Name: "mount_options", Type: cty.List(cty.String), Kinds: exports, Default: options, Rule: &MountOption,
			Doc: "Options of the mount. `hard` makes programs wait while the server is away; with `soft`, databases lose what they wrote.", Example: "[\"nfsvers=4.1\", \"hard\"]"},
		{Name: "sub_dir", Type: cty.String, Kinds: nfs, DefaultDoc: "one directory for each volume", Doc: "Directory of a volume below the export.", Example: "\"$${pvc.metadata.namespace}/$${pvc.metadata.name}\""},
		{Name: "on_delete", Type: cty.String, Kinds: nfs, Default: cty.StringVal("retain"), Rule: &OnDelete, Doc: "What happens to the directory of a deleted volume: `retain`, `archive` (it is renamed) or `delete`.", Example: "\"archive\""},
		{Name: "replicas", Type: cty.Number, Kinds: []string{LonghornStorage}, Rule: &Replicas, DefaultDoc: "one for each worker, at most 3", Doc: "Copies of each volume, on different nodes.", Example: "2"},
		{Name: "provisioner", Type: cty.String, Kinds: []string{ClassStorage}, Rule: &LabelKey, DefaultDoc: "none: the class is there already", Doc: "The provisioner, if the class is to be made.", Example: "\"csi.example.com\""},
		{Name: "parameters", Type: cty.Map(cty.String), Kinds: []string{ClassStorage}, Doc: "Parameters of the class that is to be made.", Example: "{ fsType = \"ext4\" }"},
	}
}
