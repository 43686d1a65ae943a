package rke2_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/providers/rke2"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// written returns the config.yaml that cxha would write on a node.
func written(t *testing.T, bp *blueprint.Blueprint, addr string) string {
	t.Helper()
	p := rke2.New(rke2.Options{})
	r := providertest.Compile(t, p, bp)[addr]
	s, err := providertest.Kind(t, p, "rke2.config").Commands(plans.Change{Addr: r.Addr, Action: plans.Create, Before: cty.NullVal(r.Desired.Type()), After: r.Desired})
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(s.Text(), "<<'CXHA_END'\n")
	text, _, ok := strings.Cut(text, "CXHA_END\n")
	if !ok {
		t.Fatalf("no here-document in\n%s", s.Text())
	}
	return text
}

func TestServerConfig(t *testing.T) {
	t.Parallel()
	const want = `# Written by cxha from the blueprint.
agent-token-file: /etc/rancher/rke2/agent-token
cluster-cidr: 10.42.0.0/16
cni:
- canal
disable:
- rke2-ingress-nginx
- rke2-security-responder
etcd-expose-metrics: true
etcd-s3-secret-key: k3y
etcd-snapshot-retention: 56
kube-controller-manager-arg:
- node-monitor-grace-period=40s
node-ip: 10.10.1.10
node-label:
- topology.kubernetes.io/zone=a
node-name: cp1
node-taint:
- node-role.kubernetes.io/control-plane=:NoSchedule
service-cidr: 10.43.0.0/16
tls-san:
- cp.cx.internal
- 10.10.1.10
- 10.10.2.10
token-file: /etc/rancher/rke2/server-token
write-kubeconfig-mode: "0600"
`
	if d := cmp.Diff(want, written(t, sample(), "control_plane.cp1/rke2.config")); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestIngressIsNeverRKE2s(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"v1.35.7+rke2r1": "- rke2-ingress-nginx", "v1.36.3+rke2r1": "ingress-controller:\n- none", "v1.37.0+rke2r1": "ingress-controller:\n- none"} {
		bp := sample()
		bp.Cluster.Version = version
		if got := written(t, bp, "control_plane.cp1/rke2.config"); !strings.Contains(got, want) {
			t.Errorf("%s: the configuration is\n%s\nwant %q in it", version, got, want)
		}
	}
}

func TestOwnConfig(t *testing.T) {
	t.Parallel()
	bp := sample()
	bp.Workers[0].Config = cty.ObjectVal(map[string]cty.Value{
		"node-label": cty.ListVal([]cty.Value{cty.StringVal("a=b")}), "protect-kernel-defaults": cty.True, "kubelet-arg+": cty.StringVal("v=2"),
	})
	got := written(t, bp, "worker.w1/rke2.config")
	for _, want := range []string{"node-label:\n- a=b\n", "protect-kernel-defaults: true\n", "kubelet-arg+:\n- v=2\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("the configuration is\n%s\nwant %q in it", got, want)
		}
	}
	if strings.Contains(got, "topology") {
		t.Error("a list that is given replaces cxha's")
	}
}

func TestConfigRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*blueprint.Blueprint)
		want   string
	}{
		"own option":    {func(bp *blueprint.Blueprint) { bp.Workers[0].Config = object("server", cty.StringVal("x")) }, "Option belongs to cxha"},
		"appended":      {func(bp *blueprint.Blueprint) { bp.Workers[0].Config = object("node-ip+", cty.StringVal("x")) }, "Option belongs to cxha"},
		"nested":        {func(bp *blueprint.Blueprint) { bp.Workers[0].Config = object("a", object("b", cty.True)) }, "Invalid option of RKE2"},
		"null":          {func(bp *blueprint.Blueprint) { bp.Workers[0].Config = object("a", cty.NullVal(cty.String)) }, "Invalid option of RKE2"},
		"long token":    {func(bp *blueprint.Blueprint) { bp.Cluster.Token = schema.Secret("K10abc::server:x") }, "Unusable token"},
		"token in line": {func(bp *blueprint.Blueprint) { bp.Cluster.AgentToken = schema.Secret("abc\n") }, "Unusable token"},
		"version":       {func(bp *blueprint.Blueprint) { bp.Cluster.Version = "1.x" }, "Invalid version"},
		"recipient": {func(bp *blueprint.Blueprint) {
			bp.Cluster.TokenCopy = blueprint.TokenCopy{Path: "/x", Recipients: []string{"bob"}}
		}, "Invalid recipient of the token copy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp := sample()
			c.change(bp)
			_, diags := rke2.New(rke2.Options{}).Compile(bp)
			if len(diags) != 1 || diags[0].Summary != c.want || diags[0].Subject == nil {
				t.Errorf("the diagnostics are %v, want one, %q, with a range", diags, c.want)
			}
		})
	}
}

func object(name string, v cty.Value) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{name: v})
}

// configDigest is what the service of the node must have been started with.
func configDigest(t *testing.T, bp *blueprint.Blueprint, block string) string {
	t.Helper()
	r := providertest.Compile(t, rke2.New(rke2.Options{}), bp)[block+"/rke2.service"]
	return schema.Plain(r.Desired.GetAttr("config")).AsString()
}

func TestWhatRestartsAService(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change   func(*blueprint.Blueprint)
		restarts bool
	}{
		"nothing":      {func(*blueprint.Blueprint) {}, false},
		"site":         {func(bp *blueprint.Blueprint) { bp.Workers[0].Site = "b" }, false},
		"label":        {func(bp *blueprint.Blueprint) { bp.Workers[0].Labels = map[string]string{"a": "b"} }, false},
		"sysctl":       {func(bp *blueprint.Blueprint) { bp.Cluster.Sysctl["vm.swappiness"] = "0" }, false},
		"other worker": {func(bp *blueprint.Blueprint) { bp.Workers = bp.Workers[:1] }, false},
		"endpoint":     {func(bp *blueprint.Blueprint) { bp.Cluster.Endpoint = "other.internal" }, true},
		"address":      {func(bp *blueprint.Blueprint) { bp.Workers[0].Address = netip.MustParseAddr("10.10.1.99") }, true},
		"config":       {func(bp *blueprint.Blueprint) { bp.Workers[0].Config = object("selinux", cty.True) }, true},
		"drop-in":      {func(bp *blueprint.Blueprint) { bp.Workers[0].DropIns[0].Content = "a: 1\n" }, true},
		"drop-in gone": {func(bp *blueprint.Blueprint) { bp.Workers[0].DropIns = nil }, true},
		"registries":   {func(bp *blueprint.Blueprint) { bp.Cluster.Registries = object("mirrors", cty.EmptyObjectVal) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp := sample()
			c.change(bp)
			if got := configDigest(t, bp, "worker.w1") != configDigest(t, sample(), "worker.w1"); got != c.restarts {
				t.Errorf("restarts is %v, want %v", got, c.restarts)
			}
		})
	}
}

func TestCommentsAndOrderAreNoDrift(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		same bool
	}{
		"as written":  {"a: 1\nb:\n- x\n- z\n", true},
		"reordered":   {"# mine\nb: [x, 'z']\n\na: \"1\"\n", true},
		"other value": {"a: 2\nb: [x, z]\n", false},
		"other order": {"a: 1\nb: [z, x]\n", false},
		"twice":       {"a: 1\na: 1\nb: [x, z]\n", false},
		"more":        {"a: 1\nb: [x, z]\nc: true\n", false},
		"octal":       {"a: 01\nb: [x, z]\n", true},
	} {
		want, _, err := rke2.ParseOptions([]byte("a: 1\nb: [x, z]\n"))
		if err != nil {
			t.Fatal(err)
		}
		got, syntax, err := rke2.ParseOptions([]byte(c.text))
		if same := err == nil && syntax == "valid" && cmp.Equal(want, got); same != c.same {
			t.Errorf("%s: the same is %v, want %v (%v, %v)", name, same, c.same, got, err)
		}
	}
}

func TestSecretsInALiveConfigStaySecret(t *testing.T) {
	t.Parallel()
	p := rke2.New(rke2.Options{})
	r := providertest.Compile(t, p, sample())["worker.w1/rke2.config"]
	v, err := providertest.Kind(t, p, "rke2.config").Answer(r, providers.Reply{Stdout: "file 600 root:root 0:0 30 =" + "dG9rZW46IHMzY3JldApub2RlLW5hbWU6IHcxCg==" + "\n"})
	if err != nil {
		t.Fatal(err)
	}
	options := v.GetAttr("options").AsValueMap()
	if !schema.IsSensitive(options["token"]) || schema.IsSensitive(options["node-name"]) {
		t.Errorf("the options are %#v, want token sensitive and node-name not", options)
	}
}

// FuzzOptions checks that what is written is read back as the same, whatever the options are.
func FuzzOptions(f *testing.F) {
	f.Add([]byte("a: 0600\nb: [1, yes, null, 'x: y']\nc: 1e3\nd: 0x10\ne: ~\nf: '0600'\ng: 12345678901234567890\n"))
	f.Add([]byte("write-kubeconfig-mode: \"0600\"\ntls-san: [a]\nn: {x: [1]}\n"))
	f.Add([]byte("s: |\n  two\n  lines\nt: \"\\u0085 \\t\"\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		o, _, err := rke2.ParseOptions(content)
		if err != nil {
			return
		}
		text, err := o.Text()
		if err != nil { // control characters
			return
		}
		again, _, err := rke2.ParseOptions([]byte(text))
		if err != nil {
			t.Fatalf("%v\nof\n%s", err, text)
		}
		if d := cmp.Diff(o, again); d != "" {
			t.Errorf("-read +read again\n%s\nof\n%s", d, text)
		}
	})
}
