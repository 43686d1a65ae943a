package machine_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/expertflow/cxha/sandbox/machine"
	"github.com/expertflow/cxha/sandbox/network"
)

// BenchmarkInstallAndBoot is what a new host costs.
func BenchmarkInstallAndBoot(b *testing.B) {
	n := network.New()
	dir := b.TempDir()
	addr := netip.MustParseAddr("10.20.0.0")
	for k := 0; b.Loop(); k++ {
		addr = addr.Next()
		m, err := machine.New(machine.Options{Name: "h", Dir: fmt.Sprintf("%s/%d", dir, k), Net: n.Attach("h", addr)})
		if err != nil {
			b.Fatal(err)
		}
		if err := m.PowerOn(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := m.PowerOff(); err != nil {
				b.Error(err)
			}
		})
	}
}

// BenchmarkScript is what a script of a few commands costs on a host.
func BenchmarkScript(b *testing.B) {
	m, err := machine.New(machine.Options{Name: "h", Dir: b.TempDir(), Net: network.New().Attach("h", netip.MustParseAddr("10.20.0.1"))})
	if err != nil {
		b.Fatal(err)
	}
	if err := m.PowerOn(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.PowerOff(); err != nil {
			b.Error(err)
		}
	})
	script := "set -eu; cat /etc/os-release; stat -c '%a %U' /etc/hosts; sha256sum /etc/passwd | cut -d' ' -f1; sysctl -n vm.swappiness; systemctl show -p ActiveState ssh\n"
	for b.Loop() {
		var out, errs bytes.Buffer
		if code, err := m.Run(b.Context(), script, nil, &out, &errs); err != nil || code != 0 {
			b.Fatal(code, err, errs.String())
		}
	}
}
