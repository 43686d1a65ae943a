package machine_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/expertflow/cxha/sandbox/machine"
)

func TestBootResetsTheKernelAndAppliesFiles(t *testing.T) {
	t.Parallel()
	m, client := host(t)
	r := script(t, client, `
sysctl -n net.ipv4.ip_forward vm.swappiness
sysctl -w net.ipv4.ip_forward=1; sysctl -q -w vm.swappiness=10
cat /proc/sys/net/ipv4/ip_forward; sysctl -n net.ipv4.conf.all.forwarding
sysctl net.bridge.bridge-nf-call-iptables 2>/dev/null; echo $?
modprobe br-netfilter; modprobe nonsense 2>/dev/null; echo $?
sysctl net.bridge.bridge-nf-call-iptables; lsmod | grep -c br_netfilter; [ -d /sys/module/br_netfilter ] && echo loaded
sysctl -w vm.swappiness=many; echo $?
sysctl -w no.such=1; echo $?
sysctl -e -q -w no.such=1; echo $?
printf '# mine\nvm.max_map_count = 262144\n-no.such = 1\nnet.ipv4.ip_forward=1\n' > /etc/sysctl.d/90-x.conf
printf 'overlay\n' > /etc/modules-load.d/x.conf
sysctl -p /etc/sysctl.d/90-x.conf | head -n 1; sysctl --system >/dev/null; echo $?
echo x > /run/x; echo x > /tmp/x; echo x > /var/tmp/x; echo 99 > /proc/sys/vm/swappiness; sysctl -n vm.swappiness
mkdir /proc/new 2>/dev/null || echo no; rm -rf /sys/module/br_netfilter 2>/dev/null || echo no
`)
	want := "0\n60\nnet.ipv4.ip_forward = 1\n1\n1\n1\n1\nnet.bridge.bridge-nf-call-iptables = 1\n1\nloaded\n1\n1\n0\n" +
		"vm.max_map_count = 262144\n0\n99\nno\nno\n"
	if r.stdout != want {
		t.Errorf("got %q\nstderr %s\nwant %q", r.stdout, r.stderr, want)
	}
	must(t, m.PowerOff(), m.PowerOn(t.Context()))
	got := console(t, m, "sysctl -n vm.swappiness net.ipv4.ip_forward net.ipv4.conf.all.forwarding vm.max_map_count; cut -d' ' -f1 /proc/modules; ls -A /run /tmp /var/tmp")
	if want := "60\n1\n1\n262144\noverlay\n/run:\n\n/tmp:\n\n/var/tmp:\nx\n"; got.stdout != want {
		t.Errorf("after a boot: got %q, want %q", got.stdout, want)
	}
}

func TestPowerCutEndsEverything(t *testing.T) {
	t.Parallel()
	d := newDaemon()
	close(d.ready)
	m, client := host(t, withDaemon(d))
	must(t, m.Units().Start(t.Context(), "app-server"))
	s, err := client.NewSession()
	must(t, err)
	out, err := s.StdoutPipe()
	must(t, err)
	must(t, s.Start(`echo started; sleep 1000; echo survived > /home/ops/survived`))
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	must(t, m.PowerOff())
	if len(d.causes) != 1 || !errors.Is(d.causes[0], machine.ErrPowerOff) {
		t.Errorf("the program was told %v", d.causes)
	}
	if m.IsOn() || m.Units().IsActive("app-server") || m.Units().IsActive("ssh") {
		t.Error("something is on")
	}
	if _, err := m.FS().Stat("/home/ops/survived"); err == nil {
		t.Error("a command went on after the power cut")
	}
	if _, err := m.Run(t.Context(), "true", nil, nil, nil); !errors.Is(err, machine.ErrPowerOff) {
		t.Errorf("a command on a machine that is off: %v", err)
	}
	if err := m.Units().Start(t.Context(), "app-server"); err == nil {
		t.Error("a unit was started on a machine that is off")
	}
	must(t, m.PowerOn(t.Context()))
	// The old connection dies when the new kernel hears of it.
	if err := s.Wait(); err == nil {
		t.Error("the session ended well")
	} else if exit := (*ssh.ExitError)(nil); errors.As(err, &exit) {
		t.Errorf("the session had an exit status: %v", err)
	}
}

// TestReinstallKeepsFiles makes a machine again from the same directory, as the server does after it was killed.
func TestReinstallKeepsFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.machine("w1", "10.10.1.11")
	key := hostKey(t, m)
	console(t, m, "echo mine > /etc/mine; chown ops:ops /etc/mine; cp /etc/machine-id /root/id")
	opts := machine.Options{Name: "w1", Dir: w.dir + "/w1", Net: w.net.Attach("again", m.Net().Addrs()[0].Next())}
	again, err := machine.New(opts)
	must(t, err)
	must(t, again.PowerOn(t.Context()))
	r := console(t, again, "cat /etc/mine; stat -c %U /etc/mine; cmp /etc/machine-id /root/id; systemctl is-active ssh")
	if r.stdout != "mine\nops\nactive\n" {
		t.Errorf("got %+v", r)
	}
	if !bytes.Equal(hostKey(t, again).Marshal(), key.Marshal()) {
		t.Error("the host key changed")
	}
	must(t, again.PowerOff(), again.Close())
}

func TestFirewalls(t *testing.T) {
	t.Parallel()
	for _, firewall := range []string{"ufw", "firewalld"} {
		t.Run(firewall, func(t *testing.T) {
			t.Parallel()
			_, client := host(t, func(o *machine.Options) { o.Firewall = firewall })
			r := script(t, client, strings.ReplaceAll("systemctl is-active F; systemctl is-enabled F; systemctl disable --now F 2>/dev/null; systemctl is-active F; systemctl is-enabled F", "F", firewall))
			if r.stdout != "active\nenabled\ninactive\ndisabled\n" {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestResolveAndCurl(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.machine("w1", "10.10.1.11")
	w.machine("w2", "10.10.2.11")
	r := console(t, m, `echo '10.10.2.11 two.internal two # comment' >> /etc/hosts
getent hosts two; getent hosts nothing; echo $?
curl -s http://nothing/; echo $?; curl -sS http://two:81/ 2>&1; echo $?; curl -s -m 0.05 http://10.10.9.9/; echo $?`)
	want := "10.10.2.11      two.internal two\n2\n6\ncurl: (7) Failed to connect to two:81: Connection refused\n7\n28\n"
	if r.stdout != want {
		t.Errorf("got %+v, want %q", r, want)
	}
	if addr, err := m.Resolve("TWO.internal"); err != nil || addr.String() != "10.10.2.11" {
		t.Errorf("resolve: %v, %v", addr, err)
	}
	conn, err := m.Dial(t.Context(), "two:22")
	must(t, err)
	must(t, conn.Close())
}
