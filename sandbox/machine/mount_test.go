package machine_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/machine"
)

const exportAddress = "10.10.1.60"

// withExport puts an NFS server on the network, whose export machines of the world can mount.
func (w *world) withExport() func(*machine.Options) {
	w.t.Helper()
	exports := machine.NewExports(w.dir+"/exports", exportAddress+":/export/cx")
	if err := exports.Open(); err != nil {
		w.t.Fatal(err)
	}
	listener, err := w.net.Attach("nfs", netip.MustParseAddr(exportAddress)).Listen(2049)
	if err != nil {
		w.t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if err := conn.Close(); err != nil {
				w.t.Error(err)
			}
		}
	}()
	w.t.Cleanup(func() {
		err := listener.Close()
		<-served
		if err := errors.Join(err, exports.Close()); err != nil {
			w.t.Error(err)
		}
	})
	return func(o *machine.Options) { o.Exports = exports }
}

// step is a script for a host, and what it has to do.
type step struct {
	host, script, stdout, stderr string // stderr is a part of what is printed
	code                         int
}

func walk(t *testing.T, hosts map[string]*machine.Machine, steps []step) {
	t.Helper()
	for _, s := range steps {
		got := console(t, hosts[s.host], s.script)
		if got.stdout != s.stdout || got.code != s.code || s.stderr == "" && got.stderr != "" || !strings.Contains(got.stderr, s.stderr) {
			t.Errorf("%s: %s\ngot  %q, exit code %d, stderr %q\nwant %q, exit code %d, stderr %q", s.host, s.script, got.stdout, got.code, got.stderr,
				s.stdout, s.code, s.stderr)
		}
	}
}

// TestMounts mounts an export on two hosts, which then see the same files.
func TestMounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	export := w.withExport()
	hosts := map[string]*machine.Machine{"w1": w.machine("w1", "10.10.1.11", export), "w2": w.machine("w2", "10.10.2.11", export)}
	const mount = "mount -t nfs -o nfsvers=4.1,hard " + exportAddress + ":/export/cx /mnt"
	walk(t, hosts, []step{
		{"w1", mount, "", "you might need a /sbin/mount.<type> helper program", 32},
		{"w1", "apt-get install -y -qq nfs-common && test -x /sbin/mount.nfs", "", "", 0},
		{"w2", "apt-get install -y -qq nfs-common", "", "", 0},
		{"w1", "mount -t nfs " + exportAddress + ":/export/other /mnt", "", "mount.nfs: access denied by server while mounting " + exportAddress + ":/export/other", 32},
		{"w1", "mount -t nfs " + exportAddress + ":/export/cx/none /mnt", "", "failed, reason given by server: No such file or directory", 32},
		{"w1", "mount -t nfs 10.10.2.11:/export/cx /mnt", "", "mount.nfs: Connection refused", 32},
		{"w1", "mount -t nfs " + exportAddress + ":/export/cx /nowhere", "", "mount: /nowhere: mount point does not exist.", 32},
		{"w1", "mount -t ext4 /dev/vdb /mnt", "", "unknown filesystem type 'ext4'", 32},
		{"w1", "mountpoint /mnt", "/mnt is not a mountpoint\n", "", 32},
		{"w1", "umount /mnt", "", "umount: /mnt: not mounted.", 32},
		{"w1", "echo below > /mnt/hidden; " + mount + "; mountpoint -q /mnt; echo $?; ls /mnt", "0\n", "", 0},
		{"w1", mount, "", "mount.nfs: /mnt is busy or already mounted", 32},
		{"w1", "tail -n 1 /proc/mounts", exportAddress + ":/export/cx /mnt nfs4 rw,relatime,nfsvers=4.1,hard 0 0\n", "", 0},
		{"w1", "cd /mnt; mkdir -p a/b; echo one > a/f.tmp; sync a/f.tmp; mv a/f.tmp a/f; ln -s f a/l; chmod 600 a/f; chown ops:ops a/f", "", "", 0},
		{"w2", mount + "; find /mnt | sort; cat /mnt/a/l; stat -c '%a %U' /mnt/a/f; readlink -f /mnt/a/l; du -s /mnt >/dev/null; [ -d /mnt/a ] && echo dir", "/mnt\n/mnt/a\n/mnt/a/b\n/mnt/a/f\n/mnt/a/l\none\n600 ops\n/mnt/a/f\ndir\n", "", 0},
		{"w2", "rm -rf /mnt 2>/dev/null; rmdir /mnt 2>/dev/null; mv /mnt /srv 2>/dev/null; cat /mnt/a/f", "one\n", "", 0},
		{"w2", "mv /mnt/a/f /srv/f", "", "nvalid cross-device link", 1},
		{"w2", "mkdir /srv/sub; mount " + exportAddress + ":/export/cx/a /srv/sub; cat /srv/sub/f; umount /srv/sub; ls /srv/sub", "one\n", "", 0},
		{"w2", "rm -r /mnt/a; umount /mnt; ls -A /mnt", "", "", 0},
		{"w1", "ls -A /mnt", "", "", 0},
		{"w1", "echo kept > /mnt/kept; umount /mnt; ls -A /mnt; tail -n 1 /proc/mounts", "hidden\nsysfs /sys sysfs rw 0 0\n", "", 0},
		{"w1", mount + "; cat /mnt/kept", "kept\n", "", 0},
	})
	if err := hosts["w1"].PowerOff(); err != nil {
		t.Fatal(err)
	}
	if err := hosts["w1"].PowerOn(t.Context()); err != nil {
		t.Fatal(err)
	}
	walk(t, hosts, []step{{"w1", "ls -A /mnt; mountpoint -q /mnt", "hidden\n", "", 32}})
}

// TestMountNeedsRoot asks as a user, and of a server that is not there.
func TestMountNeedsRoot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hosts := map[string]*machine.Machine{"w1": w.machine("w1", "10.10.1.11", w.withExport())}
	walk(t, hosts, []step{
		{"w1", "sudo -u guest mount -t nfs " + exportAddress + ":/export/cx /mnt", "", "must be superuser to use mount", 32},
		{"w1", "sudo -u guest umount /mnt", "", "must be superuser to unmount", 32},
		{"w1", "sudo -u guest apt-get install -y nfs-common", "", "Could not open lock file /var/lib/dpkg/lock-frontend", 100},
		{"w1", "apt-get install -y -qq nfs-common; mount -t nfs 10.10.9.9:/export/cx /mnt", "", "mount.nfs: Connection timed out", 32},
		{"w1", "mount -t nfs nowhere:/export/cx /mnt", "", "Failed to resolve server nowhere", 32},
	})
}

// TestLocksHoldBetweenHosts has one host wait for what another one has locked.
func TestLocksHoldBetweenHosts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	export := w.withExport()
	hosts := map[string]*machine.Machine{"w1": w.machine("w1", "10.10.1.11", export), "w2": w.machine("w2", "10.10.2.11", export)}
	prepare := "apt-get install -y -qq nfs-common; mount " + exportAddress + ":/export/cx /mnt"
	walk(t, hosts, []step{{"w1", prepare, "", "", 0}, {"w2", prepare, "", "", 0}})
	done := make(chan result, 1)
	go func() {
		done <- console(t, hosts["w1"], "flock /mnt/lock -c 'echo mine > /mnt/has; while [ ! -e /mnt/stop ]; do sleep 0.01; done'")
	}()
	eventually(t, "w1 has the lock", func() bool { return console(t, hosts["w2"], "cat /mnt/has 2>/dev/null").stdout == "mine\n" })
	walk(t, hosts, []step{
		{"w2", "flock -n /mnt/lock echo never", "", "", 1},
		{"w2", "flock -n -E 7 /mnt/lock echo never", "", "", 7},
		{"w2", "flock -w 0.05 /mnt/lock echo never", "", "", 1},
		{"w2", "touch /mnt/stop; flock -x /mnt/lock echo now; flock -s /mnt sh -c 'exit 3'", "now\n", "", 3},
	})
	if got := <-done; got.code != 0 {
		t.Errorf("the first lock's command: %+v", got)
	}
}

func TestPackages(t *testing.T) {
	t.Parallel()
	m, _ := host(t)
	const query = `dpkg-query -W -f='${Package} ${db:Status-Status} ${Version}\n' `
	walk(t, map[string]*machine.Machine{"w1": m}, []step{
		{"w1", query + "mount nfs-common util-linux", "mount installed 2.38.1-5+deb12u3\nutil-linux installed 2.38.1-5+deb12u3\n", "dpkg-query: no packages found matching nfs-common", 1},
		{"w1", "systemctl is-active iscsid", "inactive\n", "", 3},
		{"w1", "apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y nfs-common open-iscsi",
			"Setting up nfs-common (1:2.6.2-4+deb12u1) ...\nSetting up open-iscsi (2.1.8-1) ...\n", "", 0},
		{"w1", query + "'nfs-*' open-iscsi", "nfs-common installed 1:2.6.2-4+deb12u1\nopen-iscsi installed 2.1.8-1\n", "", 0},
		{"w1", "systemctl is-active iscsid; systemctl is-enabled iscsid; command -v iscsiadm", "active\nenabled\n/usr/sbin/iscsiadm\n", "", 0},
		{"w1", "apt-get install -y nfs-common", "nfs-common is already the newest version (1:2.6.2-4+deb12u1).\n", "", 0},
		{"w1", "apt-get install -y nfs-comon", "", "E: Unable to locate package nfs-comon", 100},
		{"w1", "dpkg -s open-iscsi | grep ^Status", "Status: install ok installed\n", "", 0},
		{"w1", "apt-get remove -y open-iscsi nfs-common; systemctl is-active iscsid; ls /sbin/mount.nfs 2>/dev/null; " + query + "open-iscsi", "inactive\n", "no packages found matching open-iscsi", 1},
	})
}

// TestNeighbours asks for addresses that a host, a load balancer, a foreign machine and nobody have.
func TestNeighbours(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hosts := map[string]*machine.Machine{"w1": w.machine("w1", "10.10.1.11"), "w2": w.machine("w2", "10.10.2.11")}
	w.net.Announce(map[netip.Addr]netip.Addr{netip.MustParseAddr("10.10.1.50"): netip.MustParseAddr("10.10.2.11")})
	w.net.AddForeign(netip.MustParseAddr("10.10.1.51"))
	const quiet = "ping -q -c 1 -W 0.05 %s >/dev/null; echo $?; ip neigh show %s"
	ask := func(addr string) string { return strings.ReplaceAll(quiet, "%s", addr) }
	walk(t, hosts, []step{
		{"w1", "ip neigh show", "", "", 0},
		{"w1", ask("10.10.2.11"), "0\n10.10.2.11 dev eth0 lladdr 02:00:0a:0a:02:0b REACHABLE\n", "", 0},
		{"w1", ask("10.10.1.50"), "1\n10.10.1.50 dev eth0 lladdr 02:00:0a:0a:02:0b REACHABLE\n", "", 0},
		{"w1", ask("10.10.1.51"), "1\n10.10.1.51 dev eth0 lladdr 52:00:0a:0a:01:33 REACHABLE\n", "", 0},
		{"w1", ask("10.10.1.52"), "1\n10.10.1.52 dev eth0 FAILED\n", "", 0},
		{"w1", ask("10.10.1.11"), "0\n", "", 0},
		{"w1", "ip neigh del 10.10.1.50 dev eth0; ip -4 neighbour | wc -l; ip neigh flush all; ip neigh", "3\n", "", 0},
		{"w1", "ping -c 2 -i 0.01 127.0.0.1 | grep -c 'bytes from'", "2\n", "", 0},
		{"w1", "ping -c 1 nowhere", "", "ping: nowhere: Name or service not known", 2},
		{"w1", "sync /etc/hosts /nothing", "", "sync: error opening '/nothing': No such file or directory", 1},
	})
	if err := hosts["w2"].PowerOff(); err != nil {
		t.Fatal(err)
	}
	walk(t, hosts, []step{{"w1", ask("10.10.2.11") + "; " + ask("10.10.1.50"), "1\n10.10.2.11 dev eth0 FAILED\n1\n10.10.1.50 dev eth0 FAILED\n", "", 0}})
}
