package host_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

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
