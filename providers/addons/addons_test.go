package addons_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"sigs.k8s.io/yaml"

	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/expertflow/cxha/providers/addons"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

func common(typ, name, namespace string) blueprint.Common {
	return blueprint.Common{Addr: schema.BlockAddr{Type: typ, Name: name}, Source: providertest.Source(20), Namespace: namespace}
}

func object(attrs map[string]cty.Value) cty.Value { return cty.ObjectVal(attrs) }

func loadBalancer() blueprint.LoadBalancer {
	vip := netip.MustParseAddr("10.10.1.50")
	return blueprint.LoadBalancer{
		Common: common("load_balancer", "metallb", "metallb-system"), Kind: "metallb",
		Chart: blueprint.Chart{Name: "metallb", Repository: "https://metallb.github.io/metallb", Version: "0.16.1"},
		Pools: []blueprint.Pool{{Name: "first-pool", AutoAssign: true, Addresses: []blueprint.AddressRange{{Text: "10.10.1.50/32", First: vip, Last: vip}}}},
		L2:    []blueprint.L2{{Name: "example", Pools: []string{"first-pool"}, Nodes: []string{"w1"}}},
	}
}

// cases are blueprints with one addon each.
func cases() map[string]*blueprint.Blueprint {
	made := map[string]*blueprint.Blueprint{}
	with := func(name string, change func(bp *blueprint.Blueprint)) {
		bp := providertest.Blueprint()
		bp.ControlPlane.Schedulable = true
		change(bp)
		made[name] = bp
	}
	with("kept clean", func(bp *blueprint.Blueprint) { bp.ControlPlane.Schedulable = false })
	with("metallb l2", func(bp *blueprint.Blueprint) { bp.LoadBalancers = []blueprint.LoadBalancer{loadBalancer()} })
	with("metallb bgp", func(bp *blueprint.Blueprint) {
		lb := loadBalancer()
		lb.L2 = nil
		lb.BGP = []blueprint.BGP{{Name: "routers", AggregationLength: 32, Peers: []string{"r1"}, LocalPref: 100, Nodes: []string{bp.ControlPlane.Name}}}
		lb.Peers = []blueprint.Peer{{Name: "r1", Address: netip.MustParseAddr("10.10.1.1"), ASN: 64500, MyASN: 64501, Port: 179, Password: schema.Secret("bgp-password"), HoldTime: "90s"}}
		bp.LoadBalancers = []blueprint.LoadBalancer{lb}
	})
	with("traefik", func(bp *blueprint.Blueprint) {
		bp.Ingresses = []blueprint.Ingress{{
			Common: common("ingress", "traefik", "kube-system"), Kind: "traefik", Default: true, TrafficPolicy: "Local", NginxClass: true,
			Address: netip.MustParseAddr("10.10.1.50"), Values: object(map[string]cty.Value{"logs": object(map[string]cty.Value{"level": cty.StringVal("DEBUG")})}),
		}}
	})
	with("nginx community", func(bp *blueprint.Blueprint) {
		bp.LoadBalancers = []blueprint.LoadBalancer{loadBalancer()}
		bp.Ingresses = []blueprint.Ingress{{
			Common: common("ingress", "nginx", "ingress-nginx"), Kind: "nginx", Preset: "community", Class: "nginx", Default: true, TrafficPolicy: "Cluster",
			Values: object(map[string]cty.Value{"controller": object(map[string]cty.Value{"allowSnippetAnnotations": cty.True})}),
		}}
	})
	with("nginx f5", func(bp *blueprint.Blueprint) {
		bp.Ingresses = []blueprint.Ingress{{Common: common("ingress", "nginx", "nginx-ingress"), Kind: "nginx", Preset: "f5", Class: "nginx", TrafficPolicy: "Cluster"}}
	})
	chart := blueprint.Chart{Name: "a-chart", Version: "1.0.0"}
	for _, s := range []blueprint.Storage{
		{Kind: "nfs", Provisioner: "nfs.csi.k8s.io", Class: "cx-nfs", Default: true, Chart: chart, Server: "10.10.1.60", Path: "/export/cx", MountOptions: []string{"nfsvers=4.1", "hard"}, OnDelete: "retain", ReclaimPolicy: "Delete"},
		{Kind: "nfs_subdir", Class: "nfs-client", Chart: chart, Server: "10.10.1.60", Path: "/export/cx", MountOptions: []string{"hard"}, ReclaimPolicy: "Delete"},
		{Kind: "local_path", Class: "local-path", Chart: chart, Path: "/srv/volumes", ReclaimPolicy: "Delete"},
		{Kind: "openebs_hostpath", Provisioner: "openebs.io/local", Class: "openebs-hostpath", Chart: chart, Path: "/var/openebs/local", ReclaimPolicy: "Delete"},
		{Kind: "longhorn", Provisioner: "driver.longhorn.io", Class: "longhorn", Chart: chart, Replicas: 2, ReclaimPolicy: "Retain"},
		{Kind: "vsphere", Provisioner: "csi.vsphere.vmware.com", Class: "vsphere-csi", ReclaimPolicy: "Delete", Values: object(map[string]cty.Value{"cpi": object(map[string]cty.Value{"vCenter": object(map[string]cty.Value{"host": cty.StringVal("vc")})})})},
		{Kind: "class", Class: "fast", Provisioner: "csi.example", Parameters: map[string]string{"tier": "ssd"}, ReclaimPolicy: "Delete"},
		{Kind: "class", Class: "there-already"},
	} {
		s.Common = common("storage", s.Kind, "storage-system")
		with(s.Kind+" "+s.Class, func(bp *blueprint.Blueprint) { bp.Storages = []blueprint.Storage{s} })
	}
	return made
}

func TestAddons(t *testing.T) {
	t.Parallel()
	sections := map[string]string{}
	for name, bp := range cases() {
		sections[name] = written(t, bp)
	}
	providertest.Golden(t, "testdata/addons.txt", sections)
}

// written is everything that the addons make of a blueprint, as text.
func written(t *testing.T, bp *blueprint.Blueprint) string {
	t.Helper()
	var b strings.Builder
	for _, r := range addons.Releases(bp) {
		fmt.Fprintf(&b, "release %s/%s of %s, chart %s, after %v\n%s", r.Namespace, r.Name, r.Addr, r.Chart.Name, r.After, indent(yamlOf(t, r.Values)))
	}
	for _, m := range addons.Manifests(bp) {
		fmt.Fprintf(&b, "manifest of %s, after %v\n", m.Addr, m.After)
		for _, text := range m.Texts {
			if text.Content.HasMark(schema.Sensitive) {
				fmt.Fprintf(&b, "  %s: sensitive\n", text.Name)
				continue
			}
			fmt.Fprintf(&b, "  %s:\n%s", text.Name, indent(indent(text.Content.AsString())))
		}
	}
	for _, f := range addons.ServerManifests(bp) {
		fmt.Fprintf(&b, "file %s\n%s", f.Name, indent(f.Content))
	}
	fmt.Fprintf(&b, "options %v\n", addons.ServerOptions(bp))
	for _, n := range bp.Nodes() {
		fmt.Fprintf(&b, "node %s: labels %v, tools %v, modules %v\n", n.Name, addons.NodeLabels(bp, n), addons.Tools(bp, n), addons.Modules(bp, n))
	}
	for _, c := range addons.NFSChecks(bp) {
		fmt.Fprintf(&b, "nfs %s on %s: %s:%s %v\n", c.Addr, c.Host, c.Server, c.Path, c.Options)
	}
	for _, c := range addons.ARPChecks(bp) {
		fmt.Fprintf(&b, "arp %s on %s: %v, nodes %v\n", c.Addr, c.Host, c.Addresses, c.Nodes)
	}
	for _, d := range addons.Check(bp) {
		fmt.Fprintf(&b, "%s: %s\n", severity(d.Severity), d.Summary)
	}
	return b.String()
}

func severity(s hcl.DiagnosticSeverity) string {
	if s == hcl.DiagWarning {
		return "warning"
	}
	return "error"
}

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("  " + line)
	}
	return b.String()
}

func yamlOf(t *testing.T, v cty.Value) string {
	t.Helper()
	if v == cty.NilVal || v.IsNull() {
		return "no values\n"
	}
	b, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		t.Fatal(err)
	}
	if b, err = yaml.JSONToYAML(b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSecretsInShownFilesAreRefused(t *testing.T) {
	t.Parallel()
	bp := providertest.Blueprint()
	bp.Ingresses = []blueprint.Ingress{{Common: common("ingress", "traefik", "kube-system"), Kind: "traefik", Values: object(map[string]cty.Value{"key": schema.Secret("hush-hush")})}}
	diags := addons.Check(bp)
	if !diags.HasErrors() {
		t.Fatal("a secret in the values of RKE2's Traefik was accepted")
	}
	if strings.Contains(diags.Error(), "hush-hush") {
		t.Errorf("the diagnostic shows the secret: %v", diags)
	}
}

// What the author of the blueprint sets wins, and what is sensitive of it stays so.
func TestOwnValuesWin(t *testing.T) {
	t.Parallel()
	bp := providertest.Blueprint()
	lb := loadBalancer()
	lb.Values = object(map[string]cty.Value{
		"frrk8s":     object(map[string]cty.Value{"enabled": cty.True}),
		"controller": object(map[string]cty.Value{"logLevel": schema.Secret("debug")}),
	})
	bp.LoadBalancers = []blueprint.LoadBalancer{lb}
	v := addons.Releases(bp)[0].Values
	if got := v.GetAttr("frrk8s").GetAttr("enabled"); got != cty.True {
		t.Errorf("frrk8s.enabled is %#v, want the blueprint's true", got)
	}
	if !v.GetAttr("controller").GetAttr("logLevel").HasMark(schema.Sensitive) {
		t.Error("a sensitive value lost its mark")
	}
	if got := v.GetAttr("speaker").GetAttr("tolerateMaster"); got != cty.False {
		t.Errorf("speaker.tolerateMaster is %#v, want false", got)
	}
}

func TestClassOfSomebodyElseIsNoDefault(t *testing.T) {
	t.Parallel()
	bp := providertest.Blueprint()
	bp.Storages = []blueprint.Storage{{Common: common("storage", "class", ""), Kind: "class", Class: "theirs", Default: true}}
	if !addons.Check(bp).HasErrors() {
		t.Error("a class that is made by somebody else was accepted as the default")
	}
}

func TestBlueprintsFileTakesThePlaceOfOurs(t *testing.T) {
	t.Parallel()
	bp := providertest.Blueprint()
	bp.ControlPlane.Schedulable = false
	if n := len(addons.ServerManifests(bp)); n != 1 {
		t.Fatalf("%d files, want the one for CoreDNS", n)
	}
	bp.ControlPlane.Manifests = []blueprint.DropIn{{Name: "rke2-coredns-config.yaml"}}
	if files := addons.ServerManifests(bp); len(files) != 0 {
		t.Errorf("cxha's file is written besides the blueprint's: %v", files)
	}
}
