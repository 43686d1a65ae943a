package host_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/internal/shell"
	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/footprint"
	"github.com/expertflow/cxha/providers/host"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

func TestCompile(t *testing.T) {
	t.Parallel()
	const want = `control_plane.cp1/host.endpoint
control_plane.cp1/host.firewall
control_plane.cp1/host.modules
control_plane.cp1/host.network_manager
control_plane.cp1/host.sysctl <-
    control_plane.cp1/host.modules
worker.w1/host.arp["first-pool"]
worker.w1/host.directory["/srv/data"]
worker.w1/host.endpoint <-
    control_plane.cp1/rke2.token
worker.w1/host.file["/srv/data/empty"] <-
    worker.w1/host.directory["/srv/data"]
worker.w1/host.file["/srv/data/motd"] <-
    worker.w1/host.directory["/srv/data"]
worker.w1/host.file["/srv/secret"]
worker.w1/host.firewall
worker.w1/host.modules
worker.w1/host.network_manager
worker.w1/host.nfs["nfs"] <-
    worker.w1/host.tools
worker.w1/host.sysctl <-
    worker.w1/host.modules
worker.w1/host.tools
`
	bp := sample()
	bp.Workers = bp.Workers[:1]
	if d := cmp.Diff(want, providertest.Text(providertest.Compile(t, host.New(), bp))); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestCompileLeavesOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*blueprint.Blueprint)
		gone   string
	}{
		"endpoint that is an address": {func(bp *blueprint.Blueprint) { bp.Cluster.Endpoint = "10.10.1.10" }, "host.endpoint"},
		"no modules":                  {func(bp *blueprint.Blueprint) { bp.Cluster.Modules, bp.Storages = nil, nil }, "host.modules"},
		"no settings":                 {func(bp *blueprint.Blueprint) { bp.Cluster.Sysctl = nil }, "host.sysctl"},
		"no storage":                  {func(bp *blueprint.Blueprint) { bp.Storages = nil }, "host.tools"},
		"no export":                   {func(bp *blueprint.Blueprint) { bp.Storages = bp.Storages[1:] }, `host.nfs["nfs"]`},
		"no load balancer":            {func(bp *blueprint.Blueprint) { bp.LoadBalancers = nil }, `host.arp["first-pool"]`},
		"kept firewalls":              {func(bp *blueprint.Blueprint) { bp.Cluster.Firewall = schema.FirewallKeep }, "host.firewall"},
		"another CNI":                 {func(bp *blueprint.Blueprint) { bp.Cluster.CNI = "cilium" }, "host.network_manager"},
	} {
		bp := sample()
		c.change(bp)
		for addr := range providertest.Compile(t, host.New(), bp) {
			if strings.HasSuffix(addr, c.gone) {
				t.Errorf("%s: %s is compiled", name, addr)
			}
		}
	}
}

func TestRefusedPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/etc/hosts": "Path belongs to cxha", "/var/lib/cxha/owned/x": "Path belongs to cxha", "/etc/rancher/rke2/config.yaml": "Path belongs to cxha",
		"relative": "Invalid path", "/a/../b": "Invalid path", "/a//b": "Invalid path", "/": "Invalid path",
	} {
		bp := providertest.Blueprint()
		bp.Workers[1].Files = []blueprint.File{{Path: path, Content: cty.StringVal(""), Owner: "root:root", Mode: "0644", Source: providertest.Source(30)}}
		_, diags := host.New().Compile(bp)
		if len(diags) != 1 || diags[0].Summary != want || diags[0].Subject.Start.Line != 30 {
			t.Errorf("%s: the diagnostics are %v, want one, %q", path, diags, want)
		}
	}
}

func TestAnswersAreNotTrusted(t *testing.T) {
	t.Parallel()
	for name, c := range cases(t) {
		for _, reply := range []providers.Reply{{}, {Stdout: "garbage\n"}, {Stdout: "file=yes\nhosts\n", Exit: 2}} {
			if v, err := c.Kind.Answer(c.Resource, reply); err == nil {
				t.Errorf("%s: %q was read as %#v, want an error", name, reply.Stdout, v)
			}
		}
	}
}

func TestFullDirectoriesStay(t *testing.T) {
	t.Parallel()
	r := cases(t)["directory"].Resource
	r.Desired = cty.NullVal(r.Desired.Type())
	k := providertest.Kind(t, host.New(), "host.directory")
	run := providertest.Relocated(t)
	providertest.Converge(t, run, k, cases(t)["directory"].Resource)
	if _, err := run(t.Context(), "echo mine > /srv/data/mine\n"); err != nil {
		t.Fatal(err)
	}
	change, ok := providertest.Changes(t, run, k, r)
	if !ok || change.Action != plans.Delete || !strings.Contains(change.Reason.Text, "the directory stays") {
		t.Fatalf("planned is %s (%s), want a delete that says what stays", change.Action, change.Reason.Text)
	}
	s, err := k.Commands(change)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := run(t.Context(), "set -eu\n"+s.Text()+"cat /srv/data/mine\n")
	if err != nil || reply.Stdout != "mine\n" {
		t.Errorf("the file in the directory is %q (%v, %s), want it kept", reply.Stdout, err, reply.Stderr)
	}
	if _, ok := providertest.Changes(t, run, k, r); ok {
		t.Error("the directory is planned for removal again")
	}
}

func TestHostsFileKeepsItsOtherLines(t *testing.T) {
	t.Parallel()
	others := "# mine\n127.0.0.1\tlocalhost # always\n\n10.0.0.1 cp.cx.internal.example # cxha too\n# say # cxha\n#cxha\n10.0.0.2 acxha\n10.0.0.3 a #cxha # b\n"
	for name, before := range map[string]string{
		"no line":             "",
		"its line":            "10.9.9.9 cp.cx.internal # cxha\n",
		"cloud-init's":        "10.9.9.9\tcp.cx.internal# cxha\n",
		"without any space":   "10.9.9.9 cp.cx.internal#cxha\n",
		"with spaces":         " 10.9.9.9 cp.cx.internal   #  cxha \n",
		"twice, in two forms": "10.9.9.9 cp.cx.internal # cxha\n10.9.9.9\tcp.cx.internal# cxha\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := providertest.Relocated(t)
			if _, err := run(t.Context(), "cat > /etc/hosts <<'E'\n"+others+before+"E\n"); err != nil {
				t.Fatal(err)
			}
			c := cases(t)["endpoint"]
			providertest.Converge(t, run, c.Kind, c.Resource)
			reply, err := run(t.Context(), "cat /etc/hosts\n")
			if err != nil {
				t.Fatal(err)
			}
			if want := "10.10.1.10 cp.cx.internal # cxha\n" + others; reply.Stdout != want {
				t.Errorf("the hosts file is\n%s\nwant\n%s", reply.Stdout, want)
			}
		})
	}
}

// What cloud-init made of the line is the line.
func TestLineThatCloudInitWrote(t *testing.T) {
	t.Parallel()
	run, c := providertest.Relocated(t), cases(t)["endpoint"]
	providertest.Converge(t, run, c.Kind, c.Resource)
	if _, err := run(t.Context(), "printf '127.0.0.1\tlocalhost\n10.10.1.10\tcp.cx.internal# cxha\n' > /etc/hosts\n"); err != nil {
		t.Fatal(err)
	}
	if change, ok := providertest.Changes(t, run, c.Kind, c.Resource); ok {
		t.Errorf("planned is %s of %#v, want nothing", change.Action, change.Before)
	}
	c.Resource.Desired = cty.NullVal(c.Resource.Desired.Type())
	if change, ok := providertest.Changes(t, run, c.Kind, c.Resource); !ok || change.Action != plans.Delete {
		t.Errorf("planned is %s without the endpoint, want its removal", change.Action)
	}
}

func TestHostsFileThatCloudInitWritesAnew(t *testing.T) {
	t.Parallel()
	note := func(value, file string) string {
		return "cloud-init writes /etc/hosts of w1 anew at every boot (manage_etc_hosts is " + value + " in " + file + "), and the line with cp.cx.internal is gone then: " +
			"RKE2 on that host does not find the control plane until the next apply. Set manage_etc_hosts to false, or to localhost."
	}
	const dirs = "mkdir -p /etc/cloud/cloud.cfg.d /var/lib/cloud/instance\n"
	for name, test := range map[string]struct{ prepare, want string }{
		"no cloud-init": {"", ""},
		"not managed":   {dirs + "echo 'preserve_hostname: true' > /etc/cloud/cloud.cfg\n", ""},
		"false":         {dirs + "echo 'manage_etc_hosts: false' > /etc/cloud/cloud.cfg\n", ""},
		"localhost":     {dirs + "echo 'manage_etc_hosts: localhost' > /etc/cloud/cloud.cfg\n", ""},
		"comment":       {dirs + "echo '# manage_etc_hosts: true' > /etc/cloud/cloud.cfg\n", ""},
		"true":          {dirs + "echo 'manage_etc_hosts: true' > /etc/cloud/cloud.cfg\n", note("true", "/etc/cloud/cloud.cfg")},
		"quoted":        {dirs + "echo 'manage_etc_hosts: \"True\" # always' > /etc/cloud/cloud.cfg\n", note("true", "/etc/cloud/cloud.cfg")},
		"template":      {dirs + "echo 'manage_etc_hosts: template' > /etc/cloud/cloud.cfg.d/50-a.cfg\n", note("template", "/etc/cloud/cloud.cfg.d/50-a.cfg")},
		"user data":     {dirs + "echo 'manage_etc_hosts: false' > /etc/cloud/cloud.cfg\necho 'manage_etc_hosts: true' > /var/lib/cloud/instance/cloud-config.txt\n", note("true", "/var/lib/cloud/instance/cloud-config.txt")},
		"a later file":  {dirs + "echo 'manage_etc_hosts: true' > /etc/cloud/cloud.cfg.d/50-a.cfg\necho 'manage_etc_hosts: false' > /etc/cloud/cloud.cfg.d/60-a.cfg\n", ""},
		"switched off":  {dirs + "echo 'manage_etc_hosts: true' > /etc/cloud/cloud.cfg\n: > /etc/cloud/cloud-init.disabled\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := notes(t, providertest.Relocated(t), cases(t)["endpoint"], test.prepare); got != test.want {
				t.Errorf("noted is\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestNoNetworkManagerNothingToDo(t *testing.T) {
	t.Parallel()
	c := cases(t)["network manager"]
	if change, ok := providertest.Changes(t, providertest.Relocated(t), c.Kind, c.Resource); ok {
		t.Errorf("planned is %s on a host without NetworkManager, want nothing", change.Action)
	}
}

// What NetworkManager goes by is all its files together.
func TestNetworkManagerThatAnotherFileChanges(t *testing.T) {
	t.Parallel()
	note := func(missing, by string) string {
		return "NetworkManager of w1 manages interfaces that the CNI makes (" + missing + "), although /etc/NetworkManager/conf.d/rke2-canal.conf says otherwise: " +
			by + " is read after it and sets unmanaged-devices. Take the line out there, or add to the list by unmanaged-devices+=."
	}
	const all = "interface-name:flannel*, interface-name:cali*, interface-name:tunl*, interface-name:vxlan.calico, " +
		"interface-name:vxlan-v6.calico, interface-name:wireguard.cali, interface-name:wg-v6.cali"
	later := func(name, line string) string {
		return "mkdir -p /etc/NetworkManager/conf.d\nprintf '[keyfile]\\n%s\\n' '" + line + "' > /etc/NetworkManager/conf.d/" + name + "\n"
	}
	for name, test := range map[string]struct{ prepare, want string }{
		"no other file":   {"", ""},
		"an earlier file": {later("10-globally-managed-devices.conf", "unmanaged-devices=*,except:type:wifi"), ""},
		"a later file":    {later("zz.conf", "unmanaged-devices=interface-name:eth9"), note(all, "/etc/NetworkManager/conf.d/zz.conf")},
		"everything":      {later("zz.conf", "unmanaged-devices=*"), ""},
		"all but one":     {later("zz.conf", "unmanaged-devices = *;except:interface-name:cali*"), note("interface-name:cali*", "/etc/NetworkManager/conf.d/zz.conf")},
		"more":            {later("zz.conf", "unmanaged-devices+=interface-name:eth9"), ""},
		"less":            {later("zz.conf", "unmanaged-devices-=interface-name:cali*"), note("interface-name:cali*", "/etc/NetworkManager/conf.d/zz.conf")},
		"other section":   {later("zz.conf", "[device]"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, inPlace := range []bool{false, true} {
				run, c := providertest.Relocated(t), cases(t)["network manager"]
				prepare := test.prepare
				if inPlace {
					if reply, err := run(t.Context(), c.Prepare); err != nil || reply.Exit != 0 {
						t.Fatal(reply, err)
					}
					providertest.Converge(t, run, c.Kind, c.Resource)
				}
				if got := notes(t, run, c, prepare); got != test.want {
					t.Errorf("file in its place: %v; noted is\n%s\nwant\n%s", inPlace, got, test.want)
				}
			}
		})
	}
}

// A host that an older cxha prepared gets the line that adds to the list.
func TestNetworkManagerFileThatReplacesTheList(t *testing.T) {
	t.Parallel()
	run, c := providertest.Relocated(t), cases(t)["network manager"]
	old := strings.Replace(c.Resource.Desired.GetAttr("content").AsString(), "+=", "=", 1)
	if reply, err := run(t.Context(), c.Prepare+"mkdir -p /etc/NetworkManager/conf.d\ncat > /etc/NetworkManager/conf.d/rke2-canal.conf <<'E'\n"+old+"E\n"); err != nil || reply.Exit != 0 {
		t.Fatal(reply, err)
	}
	if change, ok := providertest.Changes(t, run, c.Kind, c.Resource); !ok || change.Action != plans.Update {
		t.Errorf("planned is %s, want an update", change.Action)
	}
	providertest.Converge(t, run, c.Kind, c.Resource)
}

// NetworkManager refuses to reload now and then. What it has not read must not look as if it were in place.
func TestNetworkManagerRefusesToReload(t *testing.T) {
	t.Parallel()
	c := cases(t)["network manager"]
	for name, tt := range map[string]struct {
		refusals int
		want     string
	}{
		"for a moment": {refusals: 3},
		"for good":     {refusals: 1000, want: "Job for NetworkManager.service failed."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := providertest.Relocated(t)
			prepare := c.Prepare + fmt.Sprintf("echo %d > run/units/NetworkManager/refusals\nln -s /bin/true run/bin/sleep\n", tt.refusals)
			if reply, err := run(t.Context(), prepare); err != nil || reply.Exit != 0 {
				t.Fatal(reply, err)
			}
			change, ok := providertest.Changes(t, run, c.Kind, c.Resource)
			if !ok {
				t.Fatal("nothing is planned")
			}
			script, err := c.Kind.Commands(change)
			if err != nil {
				t.Fatal(err)
			}
			reply, err := run(t.Context(), "set -eu\n"+script.Text())
			if err != nil || (reply.Exit != 0) != (tt.want != "") || !strings.HasPrefix(reply.Stderr, tt.want) {
				t.Errorf("%+v, %v, want %q", reply, err, tt.want)
			}
			if again, ok := providertest.Changes(t, run, c.Kind, c.Resource); ok != (tt.want != "") {
				t.Errorf("the next plan: %t, %s", ok, again.Action)
			}
		})
	}
}

// A firewall that cxha switched off is switched on again as it was: when the blueprint keeps it, and when the node goes.
func TestFirewallsComeBack(t *testing.T) {
	t.Parallel()
	c := cases(t)["firewall"]
	for name, test := range map[string]struct{ prepare, want string }{
		"active and enabled": {unit("ufw", "active", "enabled"), "active enabled"},
		"only active":        {unit("ufw", "active", "disabled"), "active disabled"},
		"only enabled":       {unit("ufw", "inactive", "enabled"), "inactive enabled"},
		"was off":            {unit("ufw", "inactive", "disabled") + unit("firewalld", "active", "enabled"), "inactive disabled"},
	} {
		for how, removal := range map[string]func(t *testing.T, run providertest.Runner) string{
			"kept": func(t *testing.T, run providertest.Runner) string {
				r := c.Resource
				r.Desired = cty.NullVal(r.Desired.Type())
				change, ok := providertest.Changes(t, run, c.Kind, r)
				if !ok || change.Action != plans.Delete || !strings.Contains(change.Reason.Text, "switched on again") {
					t.Fatalf("planned is %s (%s)", change.Action, change.Reason.Text)
				}
				s, err := c.Kind.Commands(change)
				if err != nil {
					t.Fatal(err)
				}
				return s.Text()
			},
			"node gone": func(*testing.T, providertest.Runner) string {
				var s shell.Script
				footprint.Remove(&s)
				return s.Text()
			},
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				run := providertest.Relocated(t)
				if reply, err := run(t.Context(), test.prepare); err != nil || reply.Exit != 0 {
					t.Fatal(reply, err)
				}
				change, ok := providertest.Changes(t, run, c.Kind, c.Resource)
				if ok && !strings.Contains(change.Reason.Text, `firewall = "keep" in the cluster block`) {
					t.Errorf("the reason does not say how to keep it: %s", change.Reason.Text)
				}
				providertest.Converge(t, run, c.Kind, c.Resource)
				again := removal(t, run)
				for range 2 {
					reply, err := run(t.Context(), "set -eu\n"+again+"echo $(cat run/units/ufw/active run/units/ufw/enabled)\n")
					if err != nil || reply.Exit != 0 || strings.TrimSpace(reply.Stdout) != test.want {
						t.Fatalf("ufw is %q (%d, %v, %s), want %q", reply.Stdout, reply.Exit, err, reply.Stderr, test.want)
					}
				}
				if reply, err := run(t.Context(), "rm -rf run/units/ufw\nset -eu\n"+again); err != nil || reply.Exit != 0 {
					t.Errorf("without ufw: %v, %+v", err, reply)
				}
			})
		}
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add("file=yes\nline=# c\nline=net.ipv4.ip_forward = 1\nkernel:net.ipv4.ip_forward=1\nloaded=overlay\n")
	f.Add("Unit=firewalld\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\nUnit=ufw\nLoadState=not-found\n")
	f.Add("hosts\n10.10.1.10 cp.cx.internal # cxha\n127.0.0.1 localhost\n")
	f.Add("LoadState=loaded\nfile 644 root:root 0:0 3 =YWJj\n")
	f.Add("directory 755 root:root 0:0 4096\nentries\n")
	rs := providertest.Compile(f, host.New(), sample())
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range rs {
			k := providertest.Kind(t, host.New(), r.Addr.Type)
			for _, desired := range []cty.Value{r.Desired, cty.NullVal(k.Type().Object)} {
				r.Desired = desired
				v, err := k.Answer(r, providers.Reply{Stdout: text})
				if err != nil {
					continue
				}
				if !schema.Plain(v).Type().Equals(k.Type().Object) {
					t.Errorf("%s: the value has the type %#v", r.Addr, v.Type())
				}
			}
		}
	})
}
