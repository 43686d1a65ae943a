package blueprint_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// compared leaves out where things were written, and compares values of cty by their content.
var compared = cmp.Options{
	cmpopts.IgnoreTypes(blueprint.Source{}),
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b cty.Value) bool { return same(a, b) }),
	cmp.Transformer("To", func(r blueprint.Ref) string { return r.To.String() }),
}

// same takes a missing value and a null of any type as one.
func same(a, b cty.Value) bool {
	absent := func(v cty.Value) bool { return v == cty.NilVal || !schema.IsSensitive(v) && v.IsNull() }
	if absent(a) || absent(b) {
		return absent(a) && absent(b)
	}
	return a.RawEquals(b)
}

func common(t *testing.T, block string, namespace string, timeout time.Duration) blueprint.Common {
	t.Helper()
	addr, err := schema.ParseBlockAddr(block)
	if err != nil {
		t.Fatal(err)
	}
	return blueprint.Common{Addr: addr, Namespace: namespace, Timeout: timeout}
}

func TestReleases(t *testing.T) {
	t.Parallel()
	files := base(t, `
variable "password" {
  sensitive = true
  default   = "hunter2"
}

helm_release "cx_core" {
  chart      = "oci://registry.cx.internal:5000/charts/cx"
  version    = "v1.4.2+build.1"
  values     = { replicas = 2, db = { password = var.password }, gone = null }
  depends_on = [worker.w1, helm_release.extra, cluster.cx]
}

helm_release "extra" {
  for_each   = { b = "1.1.0", a = "1.0.0" }
  chart      = "cx"
  repository = "https://charts.cx.internal"
  version    = each.value
  namespace  = "extra"
  timeout    = "90s"
  keep       = each.key == "a"
}

helm_release "local" {
  chart = "./chart.tgz"
  name  = "mine"
}

output "namespace" {
  value = helm_release.extra["a"].namespace
}
`)
	files["chart.tgz"] = "an archive"
	bp := load(t, blueprint.LoadOptions{}, files)
	core := common(t, "helm_release.cx_core", "cx-core", 10*time.Minute)
	core.DependsOn = []blueprint.Ref{{To: schema.BlockAddr{Type: "worker", Name: "w1"}}, {To: schema.BlockAddr{Type: "helm_release", Name: "extra", Key: "a"}},
		{To: schema.BlockAddr{Type: "helm_release", Name: "extra", Key: "b"}}, {To: schema.BlockAddr{Type: "cluster", Name: "cx"}}}
	kept := common(t, `helm_release.extra["a"]`, "extra", 90*time.Second)
	kept.Keep = true
	want := []blueprint.Release{
		{Common: core, Name: "cx-core", Chart: blueprint.Chart{Name: "oci://registry.cx.internal:5000/charts/cx", Version: "v1.4.2+build.1"}, Values: cty.ObjectVal(map[string]cty.Value{
			"replicas": cty.NumberIntVal(2), "db": cty.ObjectVal(map[string]cty.Value{"password": schema.Secret("hunter2")}), "gone": cty.NullVal(cty.DynamicPseudoType),
		}), Apply: schema.ApplyAuto},
		{Common: kept, Name: "a", Chart: blueprint.Chart{Name: "cx", Repository: "https://charts.cx.internal", Version: "1.0.0"}, Apply: schema.ApplyAuto},
		{Common: common(t, `helm_release.extra["b"]`, "extra", 90*time.Second), Name: "b", Chart: blueprint.Chart{Name: "cx", Repository: "https://charts.cx.internal", Version: "1.1.0"}, Apply: schema.ApplyAuto},
		{Common: common(t, "helm_release.local", "local", 10*time.Minute), Name: "mine", Chart: blueprint.Chart{Name: filepath.Join(bp.Dir, "chart.tgz")}, Apply: schema.ApplyAuto},
	}
	if diff := cmp.Diff(want, bp.Releases, compared); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
	if got := bp.Outputs[0].Value; !got.RawEquals(cty.StringVal("extra")) {
		t.Errorf("reference to a release's namespace = %#v", got)
	}
	if s := bp.Releases[0].Source; s.Attr("values").Start.Line != 10 || s.Attr("timeout") != s.Block {
		t.Errorf("source = %+v", s)
	}
}

func TestManifests(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a [b] *") // its name must not be read as a pattern
	for name, text := range map[string]string{
		"base.cxha.hcl": base(t, "")["main.cxha.hcl"], "b.yaml": "b: 1", "dir/z.json": "{}", "dir/a.yml": "a: 1", "dir/README": "no", "dir/.hidden.yaml": "no", "dir/sub/deep.yaml": "no",
		"more/1.yaml": "one", "more/2.yaml": "two", "more/notes.txt": "no", "plain.txt": "kind: List", "overlay/kustomization.yml": "", "main.cxha.hcl": `
manifest "all" {
  files     = ["b.yaml", "dir", "more/*", "more/1.yaml", "plain.txt"]
  content   = sensitive("kind: Secret")
  namespace = "cx"
  timeout   = "1h"
}

manifest "each" {
  for_each = toset(["x"])
  content  = "name: ${each.key}"
  keep     = true
}

kustomization "y" {
  path       = "overlay/../overlay"
  depends_on = [manifest.all, manifest.each["x"]]
}
`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, []byte(text))
	}
	bp, diags := blueprint.Load(dir, blueprint.LoadOptions{Env: home})
	if len(diags) > 0 {
		t.Fatal(render(t, dir, bp, diags))
	}
	text := func(name, content string) blueprint.Text {
		return blueprint.Text{Name: name, Content: cty.StringVal(content)}
	}
	kept := common(t, `manifest.each["x"]`, "default", 5*time.Minute)
	kept.Keep = true
	want := []blueprint.Manifest{
		{Common: common(t, "manifest.all", "cx", time.Hour), Texts: []blueprint.Text{
			text("b.yaml", "b: 1"), text("dir/a.yml", "a: 1"), text("dir/z.json", "{}"), text("more/1.yaml", "one"), text("more/2.yaml", "two"), text("plain.txt", "kind: List"),
			{Name: "content", Content: schema.Secret("kind: Secret")},
		}},
		{Common: kept, Texts: []blueprint.Text{text("content", "name: x")}},
	}
	if diff := cmp.Diff(want, bp.Manifests, compared); diff != "" {
		t.Errorf("manifests (-want +got):\n%s", diff)
	}
	y := common(t, "kustomization.y", "default", 5*time.Minute)
	y.DependsOn = []blueprint.Ref{{To: schema.BlockAddr{Type: "manifest", Name: "all"}}, {To: schema.BlockAddr{Type: "manifest", Name: "each", Key: "x"}}}
	if diff := cmp.Diff([]blueprint.Kustomization{{Common: y, Path: filepath.Join(dir, "overlay")}}, bp.Kustomizations, compared); diff != "" {
		t.Errorf("kustomizations (-want +got):\n%s", diff)
	}
}

func TestManifestMustBeText(t *testing.T) {
	t.Parallel()
	files := base(t, "manifest \"m\" {\n  files = [\"a.yaml\"]\n}\n")
	files["a.yaml"] = "\xff\xfe"
	bp, diags := loadAll(t, blueprint.LoadOptions{}, files)
	if len(diags) != 1 || diags[0].Summary != "Not a text" {
		t.Error(render(t, bp.Dir, bp, diags))
	}
}

func TestLoadBalancer(t *testing.T) {
	t.Parallel()
	bp := load(t, blueprint.LoadOptions{}, base(t, `
worker "many" {
  for_each = { x = "10.10.1.13", y = "10.10.1.12" }
  name     = "worker-${each.key}"
  address  = each.value
  site     = site.a
}

load_balancer "metallb" {
  repository = null
  depends_on = [worker.many]
  keep       = true
  pool "second" {
    addresses   = ["2001:db8::/120", "10.10.1.40-10.10.1.40"]
    auto_assign = false
  }
  pool "first" {
    addresses = ["10.10.1.60", "10.10.1.50 - 10.10.1.59"]
  }
  l2 "named" {
    pools      = ["first"]
    nodes      = [worker.w1, worker.many, control_plane.cp1, worker.many["x"]]
    interfaces = ["eth0"]
  }
  bgp "all" {
    communities = ["large:64500:1:2"]
    local_pref  = 100
    nodes       = [worker.many["y"]]
  }
  bgp "plain" {
    pools              = ["second"]
    peers              = ["r"]
    aggregation_length = 24
  }
  peer "r" {
    address   = "10.10.1.1"
    asn       = 4200000000
    my_asn    = 64500
    hold_time = "90s"
    password  = "secret of the session"
  }
}
`))
	single := func(text, addr string) blueprint.AddressRange {
		return blueprint.AddressRange{Text: text, First: netip.MustParseAddr(addr), Last: netip.MustParseAddr(addr)}
	}
	c := common(t, "load_balancer.metallb", "metallb-system", 10*time.Minute)
	c.Keep = true
	c.DependsOn = []blueprint.Ref{{To: schema.BlockAddr{Type: "worker", Name: "many", Key: "x"}}, {To: schema.BlockAddr{Type: "worker", Name: "many", Key: "y"}}}
	want := []blueprint.LoadBalancer{{
		Common: c, Kind: "metallb", Chart: blueprint.Chart{Name: "metallb", Repository: "https://metallb.github.io/metallb", Version: "0.16.1"},
		Pools: []blueprint.Pool{
			{Name: "first", AutoAssign: true, Addresses: []blueprint.AddressRange{
				single("10.10.1.60/32", "10.10.1.60"),
				{Text: "10.10.1.50-10.10.1.59", First: netip.MustParseAddr("10.10.1.50"), Last: netip.MustParseAddr("10.10.1.59")},
			}},
			{Name: "second", Addresses: []blueprint.AddressRange{
				{Text: "2001:db8::/120", First: netip.MustParseAddr("2001:db8::"), Last: netip.MustParseAddr("2001:db8::ff")},
				single("10.10.1.40/32", "10.10.1.40"),
			}},
		},
		L2: []blueprint.L2{{Name: "named", Pools: []string{"first"}, Nodes: []string{"cp1", "w1", "worker-x", "worker-y"}, Interfaces: []string{"eth0"}}},
		BGP: []blueprint.BGP{
			{Name: "all", Nodes: []string{"worker-y"}, Communities: []string{"large:64500:1:2"}, AggregationLength: 32, LocalPref: 100},
			{Name: "plain", Pools: []string{"second"}, Peers: []string{"r"}, AggregationLength: 24},
		},
		Peers: []blueprint.Peer{{Name: "r", Address: netip.MustParseAddr("10.10.1.1"), ASN: 4200000000, MyASN: 64500, Port: 179, HoldTime: "90s", Password: schema.Secret("secret of the session")}},
	}}
	if diff := cmp.Diff(want, bp.LoadBalancers, compared); diff != "" {
		t.Errorf("load balancers (-want +got):\n%s", diff)
	}
	if line := bp.LoadBalancers[0].Pools[0].Source.Attr("addresses").Start.Line; line != 18 {
		t.Errorf("addresses of the first pool are in line %d", line)
	}
}

const balancer = `
load_balancer "metallb" {
  pool "p" {
    addresses = ["10.10.1.50"]
  }
  l2 "p" {
  }
}
`

func TestIngress(t *testing.T) {
	t.Parallel()
	vip := netip.MustParseAddr("10.10.1.50")
	traefik := common(t, "ingress.traefik", "kube-system", 10*time.Minute)
	nginx := func(namespace string) blueprint.Common { return common(t, "ingress.nginx", namespace, 10*time.Minute) }
	for name, c := range map[string]struct {
		text     string
		want     []blueprint.Ingress
		warnings int
	}{
		"traefik": {"ingress \"traefik\" {\n  address = \"10.10.1.50\"\n}\n" + balancer, []blueprint.Ingress{
			{Common: traefik, Kind: "traefik", Class: "traefik", Default: true, Address: vip, TrafficPolicy: "Cluster", NginxClass: true},
		}, 0},
		"traefik alone": {"ingress \"traefik\" {\n  default = false\n  nginx_class = false\n  traffic_policy = \"Local\"\n}\n", []blueprint.Ingress{
			{Common: traefik, Kind: "traefik", Class: "traefik", TrafficPolicy: "Local"},
		}, 0},
		"the guide's": {"ingress \"nginx\" {\n  values = { controller = { allowSnippetAnnotations = true } }\n}\n", []blueprint.Ingress{
			{Common: nginx("ingress-nginx"), Kind: "nginx", Preset: "community", Class: "nginx", Default: true, TrafficPolicy: "Cluster",
				Chart:  blueprint.Chart{Name: "ingress-nginx", Repository: "https://kubernetes.github.io/ingress-nginx", Version: "4.15.1"},
				Values: cty.ObjectVal(map[string]cty.Value{"controller": cty.ObjectVal(map[string]cty.Value{"allowSnippetAnnotations": cty.True})})},
		}, 1},
		"f5": {"ingress \"nginx\" {\n  preset = \"f5\"\n  class = \"f5\"\n}\n", []blueprint.Ingress{
			{Common: nginx("nginx-ingress"), Kind: "nginx", Preset: "f5", Class: "f5", Default: true, TrafficPolicy: "Cluster", Chart: blueprint.Chart{Name: "oci://ghcr.io/nginx/charts/nginx-ingress", Version: "2.6.4"}},
		}, 0},
		"mirror": {"ingress \"nginx\" {\n  repository = \"http://127.0.0.1:8080/charts\"\n}\n", []blueprint.Ingress{
			{Common: nginx("ingress-nginx"), Kind: "nginx", Preset: "community", Class: "nginx", Default: true, TrafficPolicy: "Cluster", Chart: blueprint.Chart{Name: "ingress-nginx", Repository: "http://127.0.0.1:8080/charts", Version: "4.15.1"}},
		}, 1},
		"own chart": {"ingress \"nginx\" {\n  chart = \"oci://registry.cx.internal/web\"\n  version = \"3.0.0\"\n  namespace = \"web\"\n}\n", []blueprint.Ingress{
			{Common: nginx("web"), Kind: "nginx", Preset: "community", Class: "nginx", Default: true, TrafficPolicy: "Cluster", Chart: blueprint.Chart{Name: "oci://registry.cx.internal/web", Version: "3.0.0"}},
		}, 0},
		"both": {"ingress \"traefik\" {\n  nginx_class = false\n}\ningress \"nginx\" {\n  preset = \"f5\"\n  default = false\n}\n", []blueprint.Ingress{
			{Common: nginx("nginx-ingress"), Kind: "nginx", Preset: "f5", Class: "nginx", TrafficPolicy: "Cluster", Chart: blueprint.Chart{Name: "oci://ghcr.io/nginx/charts/nginx-ingress", Version: "2.6.4"}},
			{Common: traefik, Kind: "traefik", Class: "traefik", Default: true, TrafficPolicy: "Cluster"},
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp, diags := loadAll(t, blueprint.LoadOptions{}, base(t, c.text))
			if diags.HasErrors() || len(diags) != c.warnings {
				t.Fatal(render(t, bp.Dir, bp, diags))
			}
			if diff := cmp.Diff(c.want, bp.Ingresses, compared); diff != "" {
				t.Errorf("ingresses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStorage(t *testing.T) {
	t.Parallel()
	of := func(kind, namespace string) blueprint.Common {
		return common(t, "storage."+kind, namespace, 10*time.Minute)
	}
	for name, c := range map[string]struct {
		text     string
		want     blueprint.Storage
		warnings int
	}{
		"nfs": {"storage \"nfs\" {\n  server = \"10.10.1.60\"\n  path = \"/export/cx\"\n  default = true\n}\n", blueprint.Storage{
			Common: of("nfs", "kube-system"), Kind: "nfs", Class: "cx-nfs", Default: true, Server: "10.10.1.60", Path: "/export/cx", MountOptions: []string{"nfsvers=4.1", "hard"},
			OnDelete: "retain", ReclaimPolicy: "Delete", Provisioner: "nfs.csi.k8s.io",
			Chart: blueprint.Chart{Name: "csi-driver-nfs", Repository: "https://raw.githubusercontent.com/kubernetes-csi/csi-driver-nfs/master/charts", Version: "4.13.4"},
		}, 0},
		"nfs with everything": {"storage \"nfs\" {\n  class = \"fast\"\n  server = \"nas.cx.internal\"\n  path = \"/x\"\n  mount_options = [\"nfsvers=4.2\"]\n  sub_dir = \"$${pvc.metadata.name}\"\n  on_delete = \"archive\"\n" +
			"  reclaim_policy = \"Retain\"\n  chart = \"oci://registry.cx.internal/csi-driver-nfs\"\n  version = \"4.13.5\"\n  namespace = \"nfs\"\n  values = {}\n}\n", blueprint.Storage{
			Common: of("nfs", "nfs"), Kind: "nfs", Class: "fast", Server: "nas.cx.internal", Path: "/x", MountOptions: []string{"nfsvers=4.2"}, SubDir: "${pvc.metadata.name}",
			OnDelete: "archive", ReclaimPolicy: "Retain", Provisioner: "nfs.csi.k8s.io", Chart: blueprint.Chart{Name: "oci://registry.cx.internal/csi-driver-nfs", Version: "4.13.5"}, Values: cty.EmptyObjectVal,
		}, 0},
		"nfs_subdir": {"storage \"nfs_subdir\" {\n  server = \"10.10.1.60\"\n  path = \"/export/cx\"\n}\n", blueprint.Storage{
			Common: of("nfs_subdir", "nfs-client"), Kind: "nfs_subdir", Class: "nfs-client", Server: "10.10.1.60", Path: "/export/cx", MountOptions: []string{"nfsvers=4.1", "hard"}, ReclaimPolicy: "Delete", Provisioner: "k8s-sigs.io/nfs-subdir-external-provisioner",
			Chart: blueprint.Chart{Name: "nfs-subdir-external-provisioner", Repository: "https://kubernetes-sigs.github.io/nfs-subdir-external-provisioner", Version: "4.0.18"},
		}, 1},
		"local_path": {"storage \"local_path\" {\n  chart = \"oci://registry.cx.internal/local-path-provisioner\"\n  version = \"0.0.37\"\n}\n", blueprint.Storage{
			Common: of("local_path", "local-path-storage"), Kind: "local_path", Class: "local-path", Path: "/opt/local-path-provisioner", ReclaimPolicy: "Delete", Provisioner: "rancher.io/local-path",
			Chart: blueprint.Chart{Name: "oci://registry.cx.internal/local-path-provisioner", Version: "0.0.37"},
		}, 0},
		"openebs_hostpath": {"storage \"openebs_hostpath\" {\n  path = \"/data\"\n}\n", blueprint.Storage{
			Common: of("openebs_hostpath", "openebs"), Kind: "openebs_hostpath", Class: "openebs-hostpath", Path: "/data", ReclaimPolicy: "Delete", Provisioner: "openebs.io/local",
			Chart: blueprint.Chart{Name: "localpv-provisioner", Repository: "https://openebs.github.io/dynamic-localpv-provisioner", Version: "4.4.0"},
		}, 0},
		"longhorn": {"storage \"longhorn\" {\n}\n", blueprint.Storage{
			Common: of("longhorn", "longhorn-system"), Kind: "longhorn", Class: "longhorn", Replicas: 1, ReclaimPolicy: "Delete", Provisioner: "driver.longhorn.io",
			Chart: blueprint.Chart{Name: "longhorn", Repository: "https://charts.longhorn.io", Version: "1.11.1"},
		}, 0},
		"vsphere": {"storage \"vsphere\" {\n  values = { csi = { vCenter = { host = \"vc\" } } }\n}\n", blueprint.Storage{
			Common: of("vsphere", ""), Kind: "vsphere", Class: "vsphere-csi", ReclaimPolicy: "Delete", Provisioner: "csi.vsphere.vmware.com",
			Values: cty.ObjectVal(map[string]cty.Value{"csi": cty.ObjectVal(map[string]cty.Value{"vCenter": cty.ObjectVal(map[string]cty.Value{"host": cty.StringVal("vc")})})}),
		}, 0},
		"class that is there": {"storage \"class\" {\n  class = \"vsan\"\n  default = true\n}\n", blueprint.Storage{Common: of("class", ""), Kind: "class", Class: "vsan", Default: true}, 0},
		"class to make": {"storage \"class\" {\n  class = \"vsan\"\n  provisioner = \"csi.example.com\"\n  parameters = { n = 1 }\n}\n", blueprint.Storage{
			Common: of("class", ""), Kind: "class", Class: "vsan", Provisioner: "csi.example.com", Parameters: map[string]string{"n": "1"}, ReclaimPolicy: "Delete",
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp, diags := loadAll(t, blueprint.LoadOptions{}, base(t, c.text))
			if diags.HasErrors() || len(diags) != c.warnings {
				t.Fatal(render(t, bp.Dir, bp, diags))
			}
			if diff := cmp.Diff([]blueprint.Storage{c.want}, bp.Storages, compared); diff != "" {
				t.Errorf("storage (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTenInvalidPoolsAreTenErrors: each in its own line, whatever else is wrong.
func TestTenInvalidPoolsAreTenErrors(t *testing.T) {
	t.Parallel()
	text := "load_balancer \"metallb\" {\n  l2 \"all\" {\n  }\n"
	for i, addresses := range []string{
		"x", "10.10.1.300", "10.10.1.50/24", "10.10.1.9-10.10.1.1", "10.10.1.50-::1", "127.0.0.1", "10.10.1.10", "10.42.0.1", "10.43.0.0/24", "192.0.2.1",
	} {
		text += "  pool \"p" + string(rune('a'+i)) + "\" {\n    addresses = [\"" + addresses + "\"]\n  }\n"
	}
	bp, diags := loadAll(t, blueprint.LoadOptions{}, base(t, text+"}\n"))
	var lines []int
	for _, d := range diags {
		lines = append(lines, d.Subject.Start.Line)
	}
	if want := []int{5, 8, 11, 14, 17, 20, 23, 26, 29, 32}; !slices.Equal(lines, want) {
		t.Errorf("errors in the lines %v, want %v\n%s", lines, want, render(t, bp.Dir, bp, diags))
	}
}

// TestPoolWhereNetworksAreNotKnown: without the networks of every worker's site, nobody can say that an address lies outside of them.
func TestPoolWhereNetworksAreNotKnown(t *testing.T) {
	t.Parallel()
	load(t, blueprint.LoadOptions{}, base(t, "worker \"w9\" {\n  address = \"192.0.2.9\"\n}\nload_balancer \"metallb\" {\n  pool \"p\" {\n    addresses = [\"198.51.100.1\"]\n  }\n  l2 \"p\" {\n  }\n}\n"))
}
