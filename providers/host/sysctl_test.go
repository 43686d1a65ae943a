package host_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
)

// TestSettingsOfTheRealKernel asks this machine's own /proc/sys: the stand-in of a relocated host is made of regular files, which
// can be read byte by byte, and the kernel's numbers cannot.
func TestSettingsOfTheRealKernel(t *testing.T) {
	t.Parallel()
	settings, file := map[string]cty.Value{}, ""
	for key, path := range map[string]string{
		"kernel.pid_max": "/proc/sys/kernel/pid_max", "vm.max_map_count": "/proc/sys/vm/max_map_count",
		"net.ipv4.ip_local_port_range": "/proc/sys/net/ipv4/ip_local_port_range", "kernel.ostype": "/proc/sys/kernel/ostype",
	} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Skipf("needs Linux: %v", err)
		}
		value := strings.TrimSpace(string(text))
		settings[key] = cty.StringVal(value)
		file += fmt.Sprintf("%s = %s\n", key, value)
	}
	c := cases(t)["sysctl"]
	c.Resource.Desired = cty.ObjectVal(map[string]cty.Value{"settings": cty.MapVal(settings)})
	providertest.EachRelocated(t, func(t *testing.T, host func(*testing.T) providertest.Runner) {
		run := host(t)
		// The dot keeps the path from being led below the host's own root.
		prepare := "set -e\nrmdir proc/sys\nln -s /./proc/sys proc/sys\nmkdir -p etc/sysctl.d\ncat > etc/sysctl.d/90-cxha.conf <<'E'\n" + file + "E\n"
		if reply, err := run(t.Context(), prepare); err != nil || reply.Exit != 0 {
			t.Fatal(reply, err)
		}
		if change, ok := providertest.Changes(t, run, c.Kind, c.Resource); ok {
			t.Errorf("planned is %s of %#v, want nothing: every setting has its value", change.Action, change.Before)
		}
	})
}

// notes returns what a kind notes of a host that was prepared by a script, without the host's own root in it.
func notes(t *testing.T, run providertest.Runner, c providertest.HostCase, prepare string) string {
	t.Helper()
	root := ""
	for _, script := range []string{"set -eu\n" + c.Prepare + prepare + "pwd\n", c.Kind.Question(c.Resource)} {
		reply, err := run(t.Context(), script)
		if err != nil || reply.Exit != 0 {
			t.Fatal(reply, err)
		}
		if root == "" {
			root = strings.TrimSpace(reply.Stdout)
			continue
		}
		if _, err := c.Kind.Answer(c.Resource, reply); err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(strings.Join(c.Kind.(providers.Noter).Notes(c.Resource, reply), "\n"), root+"/", "/")
	}
	return ""
}

// TestSettingsThatLoseAtBoot has files that systemd-sysctl reads after cxha's.
func TestSettingsThatLoseAtBoot(t *testing.T) {
	t.Parallel()
	const way = " is read after 90-cxha.conf and sets it. Take the line out there, or give the setting its value in the blueprint's sysctl."
	forward := func(value, file string) string {
		return `net.ipv4.ip_forward will be "` + value + `" after the next boot of w1, and not "1": ` + file + way
	}
	for name, test := range map[string]struct{ prepare, want string }{
		"none":             {"", ""},
		"another setting":  {"echo vm.swappiness=1 > /etc/sysctl.d/99-a.conf\n", ""},
		"the same value":   {"echo net.ipv4.ip_forward=1 > /etc/sysctl.d/99-a.conf\n", ""},
		"an earlier file":  {"echo net.ipv4.ip_forward=0 > /etc/sysctl.d/10-a.conf\n", ""},
		"a later file":     {"echo net.ipv4.ip_forward = 0 > /etc/sysctl.d/99-a.conf\n", forward("0", "/etc/sysctl.d/99-a.conf")},
		"sysctl.conf":      {"echo net.ipv4.ip_forward=0 > /etc/sysctl.conf\nln -s ../sysctl.conf /etc/sysctl.d/99-sysctl.conf\n", forward("0", "/etc/sysctl.d/99-sysctl.conf (a link to ../sysctl.conf)")},
		"a name":           {"echo net/ipv4/ip_forward=0 > /usr/lib/sysctl.d/vendor.conf\n", forward("0", "/usr/lib/sysctl.d/vendor.conf")},
		"optional":         {"echo '-net.ipv4.ip_forward=0' > /run/sysctl.d/95-a.conf\n", forward("0", "/run/sysctl.d/95-a.conf")},
		"the same setting": {"echo net.ipv4.conf.all.forwarding=0 > /etc/sysctl.d/99-a.conf\n", forward("0", "/etc/sysctl.d/99-a.conf")},
		"the last wins":    {"echo net.ipv4.ip_forward=0 > /etc/sysctl.d/98-a.conf\necho net.ipv4.ip_forward=1 > /usr/lib/sysctl.d/99-b.conf\n", ""},
		"several":          {"printf 'net.ipv4.ip_forward=1\\nnet.ipv4.ip_forward=2\\n' > /etc/sysctl.d/99-a.conf\n", forward("2", "/etc/sysctl.d/99-a.conf")},
		"masked":           {"echo net.ipv4.ip_forward=0 > /usr/lib/sysctl.d/99-a.conf\nln -s /dev/null /etc/sysctl.d/99-a.conf\n", ""},
		"overridden":       {"echo net.ipv4.ip_forward=0 > /usr/lib/sysctl.d/99-a.conf\n: > /etc/sysctl.d/99-a.conf\n", ""},
		"a glob":           {"echo 'net.ipv4.*=0' > /etc/sysctl.d/99-a.conf\n", ""},
		"a comment":        {"printf '# net.ipv4.ip_forward=0\\n;net.ipv4.ip_forward=0\\n' > /etc/sysctl.d/99-a.conf\n", ""},
		"a dead link":      {"ln -s /nonexistent/x /etc/sysctl.d/99-a.conf\n", ""},
		"no such name":     {"echo net.ipv4.ip_forward=0 > /etc/sysctl.d/99-a.disabled\n", ""},
		"two numbers":      {"printf 'net.ipv4.ip_local_port_range=10240\\t60999\\n' > /etc/sysctl.d/99-a.conf\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const dirs = "mkdir -p /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d\n"
			check := func(t *testing.T, host func(*testing.T) providertest.Runner) {
				if got := notes(t, host(t), cases(t)["sysctl"], dirs+test.prepare); got != test.want {
					t.Errorf("noted is\n%s\nwant\n%s", got, test.want)
				}
			}
			check(t, providertest.Relocated)
			if name == "sysctl.conf" {
				providertest.EachRelocated(t, check)
			}
		})
	}
}
