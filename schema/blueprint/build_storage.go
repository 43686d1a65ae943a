package blueprint

import (
	"cmp"

	"github.com/expertflow/cxha/schema"
)

type builtIngress struct {
	Ingress
	sec *section
}

func (l *loader) buildIngress(kind string, s *section, common Common) {
	in := Ingress{
		Common: common, Kind: kind, Values: l.chartValues(s), Class: s.str("class"), Default: s.boolean("default"),
		Address: address(s.str("address")), TrafficPolicy: s.str("traffic_policy"),
	}
	switch kind {
	case schema.TraefikIngress:
		in.NginxClass, in.Namespace = s.boolean("nginx_class"), "kube-system"
	case schema.NginxIngress:
		preset := schema.NginxPreset(s.str("preset"))
		in.Preset, in.Namespace = s.str("preset"), cmp.Or(common.Namespace, preset.Namespace)
		if !s.failed("preset") {
			in.Chart = l.chart(s, preset)
		}
	}
	l.bp.Ingresses = append(l.bp.Ingresses, in)
	l.ingresses = append(l.ingresses, &builtIngress{Ingress: in, sec: s})
}

type builtStorage struct {
	Storage
	sec *section
}

// provisioners are the names by which classes ask for the kinds' provisioners. That of nfs_subdir is free; this is its own example's.
var provisioners = map[string]string{
	schema.NFSStorage: "nfs.csi.k8s.io", schema.NFSSubdirStorage: "k8s-sigs.io/nfs-subdir-external-provisioner", schema.LocalPathStorage: "rancher.io/local-path",
	schema.OpenEBSStorage: "openebs.io/local", schema.LonghornStorage: "driver.longhorn.io", schema.VSphereStorage: "csi.vsphere.vmware.com",
}

func (l *loader) buildStorage(kind string, s *section, common Common) {
	st := Storage{
		Common: common, Kind: kind, Class: s.str("class"), Default: s.boolean("default"), Values: l.chartValues(s),
		Provisioner: provisioners[kind], ReclaimPolicy: cmp.Or(s.str("reclaim_policy"), "Delete"),
	}
	switch kind {
	case schema.NFSStorage:
		st.Server, st.Path, st.MountOptions, st.SubDir, st.OnDelete = s.str("server"), s.str("path"), s.strs("mount_options"), s.str("sub_dir"), s.str("on_delete")
	case schema.NFSSubdirStorage:
		st.Server, st.Path, st.MountOptions = s.str("server"), s.str("path"), s.strs("mount_options")
		l.report(warning(s.scope.header, "Provisioner without upkeep", "nfs-subdir-external-provisioner has had no commit since February 2024, and its image is of 2021. Its one pod hangs when its node dies, and then nothing gets volumes. Use storage \"nfs\", with class = %q if claims ask for that name.", st.Class))
	case schema.LocalPathStorage, schema.OpenEBSStorage:
		st.Path = s.str("path")
	case schema.LonghornStorage:
		st.Replicas = cmp.Or(s.integer("replicas"), max(1, min(3, len(l.bp.Workers))))
	case schema.ClassStorage:
		if st.Provisioner = s.str("provisioner"); st.Provisioner == "" {
			st.ReclaimPolicy = ""
		}
		st.Parameters = s.strMap("parameters")
	}
	if kind != schema.ClassStorage && kind != schema.VSphereStorage {
		st.Chart = l.chart(s, schema.DefaultChart("storage", kind))
	}
	l.bp.Storages = append(l.bp.Storages, st)
	l.storages = append(l.storages, &builtStorage{Storage: st, sec: s})
}
