package blueprint_test

import (
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

const example = "../../examples/worker-ha"

// home is the environment of most tests.
var home = []string{"HOME=/home/me"}

// load loads files, given as name and text, and fails the test if anything is said about them.
func load(t *testing.T, opts blueprint.LoadOptions, files map[string]string) *blueprint.Blueprint {
	t.Helper()
	bp, diags := loadAll(t, opts, files)
	if len(diags) > 0 {
		t.Fatal(render(t, bp.Dir, bp, diags))
	}
	return bp
}

func loadAll(t *testing.T, opts blueprint.LoadOptions, files map[string]string) (*blueprint.Blueprint, hcl.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), []byte(text))
	}
	opts.Env = append(slices.Clone(home), opts.Env...)
	return blueprint.Load(dir, opts)
}

// base returns the good blueprint of testdata with more text behind it.
func base(t *testing.T, more string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("testdata/base.hcl")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{"main.cxha.hcl": string(text), "more.cxha.hcl": more}
}

// directory reads the files of a directory of the tree, by name.
func directory(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func TestExampleIsTheGuidesCluster(t *testing.T) {
	t.Parallel()
	bp, diags := blueprint.Load(example, blueprint.LoadOptions{Env: home})
	if len(diags) > 0 {
		t.Fatal(render(t, example, bp, diags))
	}
	var got []string
	for _, n := range bp.Nodes() {
		got = append(got, strings.Join([]string{n.Addr.String(), n.Name, n.Address.String(), n.Site}, " "))
	}
	want := []string{"control_plane.cp1 cp1 10.10.1.10 a", "worker.w1 w1 10.10.1.11 a", "worker.w2 w2 10.10.2.11 b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	c := bp.Cluster
	if c.Name != "cx" || c.Version != "v1.35.7+rke2r1" || c.Endpoint != "cp.cx.internal" || c.CNI != "canal" || c.Install.Script != "https://get.rke2.io" {
		t.Errorf("cluster: %+v", c)
	}
	if want := (blueprint.SSH{User: "ops", Port: 22, KnownHosts: "/home/me/.ssh/known_hosts", Agent: true}); c.SSH != want {
		t.Errorf("ssh = %+v, want %+v", c.SSH, want)
	}
	if f := bp.ControlPlane.Files; len(f) != 1 || f[0].Path != "/etc/profile.d/rke2.sh" {
		t.Errorf("files = %v", f)
	}
}

// TestExampleTakesTheSandboxValues loads the example with the values that cxha-sandbox writes beside it.
func TestExampleTakesTheSandboxValues(t *testing.T) {
	t.Parallel()
	files := map[string]string{"sandbox.auto.cxhavars": `
ssh = {
  user        = "ops"
  key         = "keys/id"
  known_hosts = "known_hosts"
  bastion     = { address = "127.0.0.1", port = 4022, user = "jump", key = "keys/bastion" }
}
install       = { script = "http://10.10.1.2/install.sh", artifacts = "http://10.10.1.2/rke2" }
extra_workers = { w3 = { address = "10.10.2.12", site = "b" }, w4 = { address = "10.10.1.12", site = "a" } }
`}
	for name, text := range directory(t, example) {
		files[name] = string(text)
	}
	bp := load(t, blueprint.LoadOptions{}, files)
	wantSSH := blueprint.SSH{
		User: "ops", Port: 22, Key: filepath.Join(bp.Dir, "keys/id"), KnownHosts: filepath.Join(bp.Dir, "known_hosts"),
		Bastion: &blueprint.Bastion{Address: "127.0.0.1", User: "jump", Port: 4022, Key: filepath.Join(bp.Dir, "keys/bastion")},
	}
	if diff := cmp.Diff(wantSSH, bp.Workers[0].SSH); diff != "" {
		t.Errorf("ssh of %s (-want +got):\n%s", bp.Workers[0].Addr, diff)
	}
	if want := (blueprint.Install{Script: "http://10.10.1.2/install.sh", Artifacts: "http://10.10.1.2/rke2"}); bp.Cluster.Install != want {
		t.Errorf("install = %+v", bp.Cluster.Install)
	}
	w3 := bp.Workers[0]
	if w3.Addr != (schema.BlockAddr{Type: "worker", Name: "extra", Key: "w3"}) || w3.Name != "w3" || w3.Site != "b" || len(bp.Workers) != 4 {
		t.Errorf("%d workers, the first is %s %s at site %q", len(bp.Workers), w3.Addr, w3.Name, w3.Site)
	}
}

// TestValues computes expressions and compares the output "x".
func TestValues(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]cty.Value{
		`upper("a") + 1`:                      cty.NilVal, // a mistake, to show that the test can fail
		`worker.w1.address`:                   cty.StringVal("10.10.1.11"),
		`worker["w1"].name`:                   cty.StringVal("w1"),
		`worker.w1.site`:                      cty.StringVal("a"),
		`site[worker.w1.site].subnets[0]`:     cty.StringVal("10.10.1.0/24"),
		`control_plane.cp1.schedulable`:       cty.False,
		`cluster.cx.pod_cidr`:                 cty.StringVal("10.42.0.0/16"),
		`worker.w1.id`:                        cty.StringVal("worker.w1"),
		`join(",", [for w in worker : w.id])`: cty.StringVal("worker.w1"),
		`length(site)`:                        cty.NumberIntVal(2),
		`length("text")`:                      cty.NilVal,
		`local.sum`:                           cty.NumberIntVal(6),
		`try(var.map.nope, "other")`:          cty.StringVal("other"),
		`can(var.map.nope)`:                   cty.False,
		`env("NOPE", "d")`:                    cty.StringVal("d"),
		`env("HOME")`:                         cty.StringVal("/home/me"),
		`env("NOPE")`:                         cty.NilVal,
		`file("text")`:                        cty.StringVal("hello ${name}"),
		`file("nope")`:                        cty.NilVal,
		`file(".")`:                           cty.NilVal,
		`templatefile("text", { name = upper("you") })`: cty.StringVal("hello YOU"),
		`templatefile("text", {})`:                      cty.NilVal,
		`yamlencode({ b = [1], a = "x" })`:              cty.StringVal("a: x\nb:\n- 1\n"),
		`yamldecode("a: [1, x]").a[1]`:                  cty.StringVal("x"),
		`yamldecode("a: [")`:                            cty.NilVal,
		`jsonencode({ a = null })`:                      cty.StringVal(`{"a":null}`),
		`nonsensitive(sensitive("a"))`:                  cty.StringVal("a"),
		`toset(["b", "a", "b"])`:                        cty.SetVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")}),
	} {
		t.Run(expr, func(t *testing.T) {
			t.Parallel()
			files := base(t, "variable \"map\" {\n  default = { a = 1 }\n}\nlocals {\n  sum = local.b * 2\n  b = 3\n}\noutput \"x\" {\n  value = "+expr+"\n}\n")
			files["text"] = "hello ${name}"
			bp, diags := loadAll(t, blueprint.LoadOptions{}, files)
			if want == cty.NilVal {
				if len(diags) != 1 {
					t.Errorf("want one mistake:\n%s", render(t, bp.Dir, bp, diags))
				}
				return
			}
			if diags.HasErrors() || !bp.Outputs[0].Value.RawEquals(want) {
				t.Errorf("got %#v, want %#v\n%s", bp.Outputs[0].Value, want, render(t, bp.Dir, bp, diags))
			}
		})
	}
}

// TestPrecedence gives one variable a value from each source in turn, from the weakest to the strongest.
func TestPrecedence(t *testing.T) {
	t.Parallel()
	files := base(t, "variable \"v\" {\n  type = string\n  default = \"default\"\n}\noutput \"v\" {\n  value = var.v\n}\n")
	var opts blueprint.LoadOptions
	check := func(want string) {
		t.Helper()
		bp := load(t, opts, files)
		if got := bp.Outputs[0].Value.AsString(); got != want {
			t.Errorf("var.v = %q, want %q", got, want)
		}
	}
	check("default")
	opts.Env = []string{"CXHA_VAR_v=env"}
	check("env")
	files["a.auto.cxhavars"] = `v = "auto a"`
	check("auto a")
	files["b.auto.cxhavars"] = `v = "auto b"`
	check("auto b")
	for _, name := range []string{"first", "second"} {
		path := filepath.Join(t.TempDir(), name)
		writeFile(t, path, []byte(`v = "file `+name+`"`))
		opts.VarFiles = append(opts.VarFiles, path)
		check("file " + name)
	}
	opts.Vars = append(opts.Vars, "v=option")
	check("option")
	opts.Vars = append(opts.Vars, "v=last = one")
	check("last = one")
}

// TestTypedValues gives values as text, the way the environment and --var do.
func TestTypedValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		typ, text string
		want      cty.Value
	}{
		"string":   {"string", `["a"]`, cty.StringVal(`["a"]`)},
		"number":   {"number", "12", cty.NumberIntVal(12)},
		"bool":     {"bool", "true", cty.True},
		"list":     {"list(string)", `["a", 1]`, cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("1")})},
		"any":      {"any", `"a"`, cty.StringVal("a")},
		"optional": {"object({ a = optional(number, 3), b = optional(string) })", "{}", cty.ObjectVal(map[string]cty.Value{"a": cty.NumberIntVal(3), "b": cty.NullVal(cty.String)})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := base(t, "variable \"v\" {\n  type = "+c.typ+"\n}\noutput \"v\" {\n  value = var.v\n}\n")
			for source, opts := range map[string]blueprint.LoadOptions{"option": {Vars: []string{"v=" + c.text}}, "environment": {Env: []string{"CXHA_VAR_v=" + c.text}}} {
				if got := load(t, opts, files).Outputs[0].Value; !got.RawEquals(c.want) {
					t.Errorf("%s: got %#v, want %#v", source, got, c.want)
				}
			}
		})
	}
}

func TestNode(t *testing.T) {
	t.Parallel()
	bp := load(t, blueprint.LoadOptions{}, base(t, `
worker "w2" {
  name       = "worker-2"
  address    = "10.10.2.11"
  site       = "b"
  labels     = { b = 2, a = true }
  config     = { kubelet-arg = ["max-pods=200"] }
  depends_on = [worker.w1, worker.set]
  ssh {
    user = "root"
    key  = "~/.ssh/cx"
  }
  taint {
    key    = "dedicated"
    value  = "db"
    effect = "NoSchedule"
  }
  file "/etc/b" {
    content = sensitive("secret")
    mode    = 600
  }
  file "/etc/a" {
    content = ""
    owner   = "ops:adm"
  }
  directory "/srv/cx" {
  }
  drop_in "z.yaml" {
    content = "debug: true\n"
  }
}

worker "set" {
  for_each = toset(["w4", "w3"])
  address  = { w3 = "10.10.2.13", w4 = "10.10.2.14" }[each.key]
}
`))
	i := slices.IndexFunc(bp.Workers, func(n blueprint.Node) bool { return n.Addr.Name == "w2" })
	got := bp.Workers[i]
	if s := got.Source; s.Attr("ssh.user").Start.Line != 10 || s.Attr("schedulable") != s.Block || s.Block.Start.Line != 2 {
		t.Errorf("source = %+v", s)
	}
	if c := got.Files[1].Content; !schema.IsSensitive(c) || schema.Plain(c).AsString() != "secret" {
		t.Errorf("content of %s = %#v", got.Files[1].Path, c)
	}
	if !got.Config.RawEquals(cty.ObjectVal(map[string]cty.Value{"kubelet-arg": cty.TupleVal([]cty.Value{cty.StringVal("max-pods=200")})})) {
		t.Errorf("config = %#v", got.Config)
	}
	var depends []string
	for _, r := range got.DependsOn {
		depends = append(depends, r.To.String())
	}
	if want := []string{"worker.w1", `worker.set["w3"]`, `worker.set["w4"]`}; !slices.Equal(depends, want) {
		t.Errorf("depends on %v, want %v", depends, want)
	}
	got.Source, got.Config, got.DependsOn, got.Files[0].Content, got.Files[1].Content = blueprint.Source{}, cty.NilVal, nil, cty.NilVal, cty.NilVal
	got.Files[0].Source, got.Files[1].Source, got.Directories[0].Source, got.DropIns[0].Source = blueprint.Source{}, blueprint.Source{}, blueprint.Source{}, blueprint.Source{}
	want := blueprint.Node{
		Addr: schema.BlockAddr{Type: "worker", Name: "w2"}, Role: blueprint.Worker, Name: "worker-2", Address: netip.MustParseAddr("10.10.2.11"), Site: "b",
		SSH:         blueprint.SSH{User: "root", Port: 22, Key: "/home/me/.ssh/cx", KnownHosts: "/home/me/.ssh/known_hosts"},
		Schedulable: true, Labels: map[string]string{"a": "true", "b": "2"}, Taints: []blueprint.Taint{{Key: "dedicated", Value: "db", Effect: "NoSchedule"}},
		DropIns:     []blueprint.DropIn{{Name: "z.yaml", Content: "debug: true\n"}},
		Files:       []blueprint.File{{Path: "/etc/a", Owner: "ops:adm", Mode: "0644"}, {Path: "/etc/b", Owner: "root:root", Mode: "0600"}},
		Directories: []blueprint.Directory{{Path: "/srv/cx", Owner: "root:root", Mode: "0755"}},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b cty.Value) bool { return a == cty.NilVal && b == cty.NilVal }), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("node (-want +got):\n%s", diff)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	bp := load(t, blueprint.LoadOptions{Vars: []string{"token=0123456789abcdef"}}, map[string]string{"main.cxha.hcl": `
variable "token" {
  type      = string
  sensitive = true
}

cluster "cx" {
  version      = "v1.36.3+rke2r1"
  pod_cidr     = "172.20.0.0/16"
  token        = var.token
  agent_token  = "abcdef0123456789"
  modules      = ["ip_vs", "overlay"]
  sysctl       = { "vm.max_map_count" = 262144, "net.ipv4.ip_forward" = null }
  config       = { kubelet-arg = ["a=b"], debug = false }
  registries   = { mirrors = {} }
  cni          = "multus,canal"
  token_copy {
    path       = "tokens.age"
    recipients = ["age1qqqqqqqqqqqq"]
  }
}

control_plane "cp1" {
  address = "10.10.1.10"
  config  = { debug = true, disable = ["rke2-metrics-server"] }
}

worker "w1" {
  address = "10.10.1.11"
}

standby "s1" {
  address = "10.10.1.12"
}
`})
	c := bp.Cluster
	if c.Endpoint != "cp.cx.internal" || c.PodCIDR.String() != "172.20.0.0/16" || c.ServiceCIDR.String() != "10.43.0.0/16" || c.CNI != "multus,canal" {
		t.Errorf("cluster: %+v", c)
	}
	for name, token := range map[string]cty.Value{"0123456789abcdef": c.Token, "abcdef0123456789": c.AgentToken} {
		if !schema.IsSensitive(token) || schema.Plain(token).AsString() != name {
			t.Errorf("token = %#v", token)
		}
	}
	if want := []string{"br_netfilter", "ip_vs", "overlay"}; !slices.Equal(c.Modules, want) {
		t.Errorf("modules = %v, want %v", c.Modules, want)
	}
	if want := map[string]string{"vm.max_map_count": "262144", "fs.inotify.max_user_instances": "8192", "fs.inotify.max_user_watches": "524288"}; !maps.Equal(c.Sysctl, want) {
		t.Errorf("sysctl = %v, want %v", c.Sysctl, want)
	}
	if c.TokenCopy.Path != filepath.Join(bp.Dir, "tokens.age") || len(c.TokenCopy.Recipients) != 1 {
		t.Errorf("token copy = %+v", c.TokenCopy)
	}
	got := slices.Sorted(maps.Keys(bp.ControlPlane.Config.AsValueMap()))
	if want := []string{"debug", "disable", "kubelet-arg"}; !slices.Equal(got, want) || bp.ControlPlane.Config.GetAttr("debug").False() {
		t.Errorf("config of the control plane = %#v", bp.ControlPlane.Config)
	}
	if len(bp.Standbys) != 1 || bp.Standbys[0].Role != blueprint.Standby || len(bp.Nodes()) != 2 {
		t.Errorf("standbys = %+v", bp.Standbys)
	}
}

// TestFailedLoadHasSources: what is said about a blueprint that cannot be used must be shown with its lines, too.
func TestFailedLoadHasSources(t *testing.T) {
	t.Parallel()
	bp, diags := loadAll(t, blueprint.LoadOptions{}, map[string]string{"a.cxha.hcl": "worker {"})
	if !diags.HasErrors() || len(bp.Sources) != 1 {
		t.Errorf("%d sources, %v", len(bp.Sources), diags)
	}
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "nope"), "load_test.go"} {
		if bp, diags := blueprint.Load(dir, blueprint.LoadOptions{}); bp == nil || len(diags) != 1 {
			t.Errorf("%s: %v", dir, diags)
		}
	}
}

// TestSecretsAreNotShown looks for secrets in everything that is said about a blueprint full of mistakes with them.
func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	for name, c := range map[string]struct {
		text string
		opts blueprint.LoadOptions
	}{
		"token too short":     {text: "cluster \"cy\" {\n  version = \"v1.35.7+rke2r1\"\n  token = \"" + secret + "\"\n}"},
		"token of two texts":  {text: "cluster \"cy\" {\n  version = \"v1.35.7+rke2r1\"\n  token = \"" + secret + "\" + 1\n}"},
		"option":              {text: "variable \"s\" {\n  type = number\n  sensitive = true\n}", opts: blueprint.LoadOptions{Vars: []string{"s=" + secret}}},
		"option of an object": {text: "variable \"s\" {\n  type = object({a = number})\n  sensitive = true\n}", opts: blueprint.LoadOptions{Vars: []string{"s={a=\"" + secret + "\"}"}}},
		"option with a slip":  {text: "variable \"s\" {\n  type = object({a = number})\n  sensitive = true\n}", opts: blueprint.LoadOptions{Vars: []string{"s={a=\"" + secret}}},
		"environment":         {text: "variable \"s\" {\n  type = bool\n  sensitive = true\n}", opts: blueprint.LoadOptions{Env: []string{"CXHA_VAR_s=" + secret}}},
		"validation":          {text: "variable \"s\" {\n  sensitive = true\n  validation {\n    condition = var.s == \"\"\n    error_message = \"no\"\n  }\n}", opts: blueprint.LoadOptions{Vars: []string{"s=" + secret}}},
		"expression":          {text: "variable \"s\" {\n  sensitive = true\n}\nlocals {\n  x = var.s + 1\n  y = parseint(var.s, 10)\n  z = [for c in var.s : c]\n}", opts: blueprint.LoadOptions{Vars: []string{"s=" + secret}}},
		"check":               {text: "variable \"s\" {\n  sensitive = true\n}\ncheck \"c\" {\n  condition = var.s == \"\"\n  error_message = \"not ${var.s}\"\n}", opts: blueprint.LoadOptions{Vars: []string{"s=" + secret}}},
		"password of a peer":  {text: "load_balancer \"metallb\" {\n  peer \"r\" {\n    address = \"10.10.1.1\"\n    asn = 1\n    my_asn = 2\n    password = [\"" + secret + "\"]\n  }\n}"},
		"values":              {text: "variable \"s\" {\n  sensitive = true\n}\nhelm_release \"cx\" {\n  chart = \"oci://registry.cx.internal/cx\"\n  version = \"1.0.0\"\n  values = var.s\n}", opts: blueprint.LoadOptions{Vars: []string{"s=" + secret}}},
		"namespace":           {text: "variable \"s\" {\n  sensitive = true\n}\nmanifest \"m\" {\n  content = var.s\n  namespace = var.s\n}", opts: blueprint.LoadOptions{Vars: []string{"s=" + secret}}},
		"repository's login":  {text: "helm_release \"cx\" {\n  chart = \"cx\"\n  version = \"1.0.0\"\n  repository = \"https://u:" + secret + "@charts.cx.internal\"\n}"},
		"registry's login":    {text: "helm_release \"cx\" {\n  chart = \"oci://u:" + secret + "@registry.cx.internal/cx\"\n  version = \"1.0.0\"\n}"},
		"mirror with login":   {text: "cluster \"cy\" {\n  version = \"v1.35.7+rke2r1\"\n  install = {\n    script = \"https://u:" + secret + "@mirror/\"\n  }\n}"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bp, diags := loadAll(t, c.opts, base(t, c.text+"\n"))
			got := render(t, bp.Dir, bp, diags)
			if !diags.HasErrors() || strings.Contains(got, secret) {
				t.Errorf("want mistakes without the secret:\n%s", got)
			}
		})
	}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	got, diags := blueprint.Format("a.cxha.hcl", []byte("worker \"w1\" {\naddress=\"a\"\n  site = site.a\n}\n"))
	if want := "worker \"w1\" {\n  address = \"a\"\n  site    = site.a\n}\n"; diags.HasErrors() || string(got) != want {
		t.Errorf("got %q, %v", got, diags)
	}
	if _, diags := blueprint.Format("a.cxha.hcl", []byte("worker {")); !diags.HasErrors() {
		t.Error("source with a syntax error was formatted")
	}
}

func TestExamplesAreFormatted(t *testing.T) {
	t.Parallel()
	files, err := blueprint.Files(example)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, diags := blueprint.Format(path, src)
		if diff := cmp.Diff(string(src), string(got)); diags.HasErrors() || diff != "" {
			t.Errorf("%s (-file +formatted): %v\n%s", path, diags, diff)
		}
	}
}
