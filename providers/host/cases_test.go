package host_test

import (
	"net/netip"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers/host"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// sample is the guide's cluster with files and directories on a worker.
func sample() *blueprint.Blueprint {
	bp := providertest.Blueprint()
	w := &bp.Workers[0]
	w.Directories = []blueprint.Directory{{Path: "/srv/data", Owner: "root:root", Mode: "750", Source: providertest.Source(8)}}
	w.Files = []blueprint.File{
		{Path: "/srv/data/motd", Content: cty.StringVal("it's here\nCXHA_END\nend"), Owner: "root:root", Mode: "0644", Source: providertest.Source(9)},
		{Path: "/srv/secret", Content: schema.Secret("s3cret\n"), Owner: "root", Mode: "0600", Source: providertest.Source(10)},
		{Path: "/srv/data/empty", Content: cty.StringVal(""), Owner: "root:root", Mode: "0400", Source: providertest.Source(11)},
	}
	vip := netip.MustParseAddr("10.10.1.50")
	bp.LoadBalancers = []blueprint.LoadBalancer{{
		Common: blueprint.Common{Addr: schema.BlockAddr{Type: "load_balancer", Name: "metallb"}, Source: providertest.Source(12), Namespace: "metallb-system"},
		Pools:  []blueprint.Pool{{Name: "first-pool", Source: providertest.Source(13), Addresses: []blueprint.AddressRange{{Text: "10.10.1.50/32", First: vip, Last: vip}}}},
		L2:     []blueprint.L2{{Name: "example"}},
	}}
	bp.Storages = []blueprint.Storage{
		{Common: blueprint.Common{Addr: schema.BlockAddr{Type: "storage", Name: "nfs"}, Source: providertest.Source(14)}, Kind: "nfs", Class: "cx-nfs",
			Server: "10.10.1.60", Path: "/export/cx", MountOptions: []string{"nfsvers=4.1", "hard"}},
		{Common: blueprint.Common{Addr: schema.BlockAddr{Type: "storage", Name: "longhorn"}, Source: providertest.Source(15)}, Kind: "longhorn", Class: "longhorn"},
	}
	return bp
}

func cases(t *testing.T) map[string]providertest.HostCase {
	t.Helper()
	rs := providertest.Compile(t, host.New(), sample())
	one := func(addr string) providertest.HostCase {
		r, ok := rs["worker.w1/"+addr]
		if !ok {
			t.Fatalf("%s was not compiled", addr)
		}
		return providertest.HostCase{Kind: providertest.Kind(t, host.New(), r.Addr.Type), Resource: r}
	}
	modules, sysctl, nm, firewall, endpoint := one("host.modules"), one("host.sysctl"), one("host.network_manager"), one("host.firewall"), one("host.endpoint")
	directory, motd, secret, empty := one(`host.directory["/srv/data"]`), one(`host.file["/srv/data/motd"]`), one(`host.file["/srv/secret"]`), one(`host.file["/srv/data/empty"]`)

	modules.Drifts = map[string]string{
		"unloaded": "rm -rf /sys/module/overlay\n",
		"unlisted": "echo overlay > /etc/modules-load.d/cxha.conf\n",
		"more":     "echo zfs >> /etc/modules-load.d/cxha.conf\n",
		"removed":  "rm /etc/modules-load.d/cxha.conf\n",
	}
	sysctl.Prepare = "mkdir -p /proc/sys/net/ipv4\necho 0 > /proc/sys/net/ipv4/ip_forward\nprintf '32768\\t60999\\n' > /proc/sys/net/ipv4/ip_local_port_range\n"
	sysctl.Drifts = map[string]string{
		"kernel":  "echo 0 > /proc/sys/net/ipv4/ip_forward\n",
		"value":   "sed 's/ip_forward = 1/ip_forward = 0/' /etc/sysctl.d/90-cxha.conf > /etc/n\nmv /etc/n /etc/sysctl.d/90-cxha.conf\n",
		"more":    "echo vm.swappiness=0 >> /etc/sysctl.d/90-cxha.conf\n",
		"garbage": "echo garbage >> /etc/sysctl.d/90-cxha.conf\n",
	}
	nm.Prepare, nm.Stays = unit("NetworkManager", "active", "enabled"), true
	nm.Drifts = map[string]string{"changed": "echo '[keyfile]' > /etc/NetworkManager/conf.d/rke2-canal.conf\n", "removed": "rm /etc/NetworkManager/conf.d/rke2-canal.conf\n"}
	firewall.Prepare = unit("firewalld", "active", "enabled")
	firewall.Drifts = map[string]string{"enabled": unit("firewalld", "inactive", "enabled"), "running": unit("firewalld", "active", "disabled"), "ufw": unit("ufw", "active", "enabled")}
	endpoint.Prepare = "printf '127.0.0.1 localhost\\n127.0.1.1 cp.cx.internal here # mine\\n' > /etc/hosts\n"
	endpoint.Drifts = map[string]string{
		"removed":    "echo 127.0.0.1 localhost > /etc/hosts\n",
		"address":    "echo '10.9.9.9 cp.cx.internal # cxha' > /etc/hosts\n",
		"overridden": "(echo 10.9.9.9 cp.cx.internal; cat /etc/hosts) > /etc/n\nmv /etc/n /etc/hosts\n",
		"twice":      "cat /etc/hosts /etc/hosts > /etc/n\nmv /etc/n /etc/hosts\n",
	}
	directory.Drifts = map[string]string{"mode": "chmod 777 /srv/data\n", "removed": "rmdir /srv/data\n", "owner": "chown 1000:1000 /srv/data\n"}
	motd.Drifts = map[string]string{
		"mode": "chmod 600 /srv/data/motd\n", "owner": "chown 1000:1000 /srv/data/motd\n", "content": "echo >> /srv/data/motd\n",
		"binary": "printf '\\377\\000' > /srv/data/motd\n", "removed": "rm /srv/data/motd\n",
	}
	tools, nfs, arp := one("host.tools"), one(`host.nfs["nfs"]`), one(`host.arp["first-pool"]`)
	tools.Stays = true
	tools.Drifts = map[string]string{"service stopped": unit("iscsid", "inactive", "enabled")}
	nfs.Drifts = map[string]string{"record gone": "rm -r /var/lib/cxha/trials\n"}
	arp.Prepare = "mkdir -p run/neighbours\necho 02:00:00:00:00:11 > run/neighbours/10.10.1.11\n"
	const again = "rm -r /var/lib/cxha/trials\nmkdir -p run/neighbours\n"
	arp.Drifts = map[string]string{
		"record gone, and announced":                        again + "echo 02:00:00:00:00:11 > run/neighbours/10.10.1.50\n",
		"record gone, and announced from another interface": again + "echo 02:00:00:00:03:12 > run/neighbours/10.10.1.50\necho '-A KUBE-SERVICES -d 10.10.1.50/32 -j KUBE-EXT-X' > run/iptables\n",
	}
	secret.Uncut, empty.Uncut = true, true
	secret.Drifts = map[string]string{"content": "echo other > /srv/secret\n"}
	return map[string]providertest.HostCase{
		"modules": modules, "sysctl": sysctl, "network manager": nm, "firewall": firewall, "endpoint": endpoint,
		"tools": tools, "nfs trial": nfs, "arp trial": arp, "directory": directory, "file": motd, "secret file": secret, "empty file": empty,
	}
}

// unit makes the throw-away host know a unit.
func unit(name, active, enabled string) string {
	dir := "run/units/" + name
	return "mkdir -p " + dir + "\necho " + active + " > " + dir + "/active\necho " + enabled + " > " + dir + "/enabled\n"
}
