package lab_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/lab"
	"github.com/expertflow/cxha/sandbox/site"
)

func TestCgroupMount(t *testing.T) {
	t.Parallel()
	const hybrid = `24 21 0:22 / /sys/fs/cgroup rw - tmpfs cgroup rw,mode=755
25 24 0:23 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
26 24 0:24 /part /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
27 24 0:25 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
28 24 0:26 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
	for controllers, want := range map[string]string{
		"cpu": "/sys/fs/cgroup/cpu /", "cpu,cpuacct": "/sys/fs/cgroup/cpu /", "memory": "/sys/fs/cgroup/memory /part",
		"name=systemd": "/sys/fs/cgroup/systemd /", "": "/sys/fs/cgroup/unified /", "pids": " ",
	} {
		at, root := lab.CgroupMount(hybrid, controllers)
		if got := at + " " + root; got != want {
			t.Errorf("%q: %q, want %q", controllers, got, want)
		}
	}
}

func TestBuiltinModules(t *testing.T) {
	t.Parallel()
	got := lab.BuiltinModules([]string{"# CONFIG_VETH is not set", "CONFIG_VXLAN=y", "CONFIG_BRIDGE_NETFILTER=y", "CONFIG_IP_VS=m", "CONFIG_SOMETHING=y", ""})
	if diff := cmp.Diff([]string{"kernel/drivers/net/vxlan/vxlan.ko", "kernel/net/bridge/br_netfilter.ko"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnitStates(t *testing.T) {
	t.Parallel()
	got := lab.UnitStates("Id=rke2-server.service\nLoadState=not-found\nActiveState=inactive\n\nId=ufw.service\nLoadState=loaded\nActiveState=active\n\nId=NetworkManager.service\nLoadState=masked\nActiveState=failed\n")
	if diff := cmp.Diff(map[string]string{"ufw": "active", "NetworkManager": "failed"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestCountSessions(t *testing.T) {
	t.Parallel()
	since := time.UnixMicro(1_000_000)
	entry := func(sent, stored int, message string) string {
		source := ""
		if sent > 0 {
			source = fmt.Sprintf(`"_SOURCE_REALTIME_TIMESTAMP":"%d",`, sent)
		}
		return fmt.Sprintf("{%s\"__REALTIME_TIMESTAMP\":\"%d\",\"MESSAGE\":%s}\n", source, stored, message)
	}
	journal := entry(999_999, 1_000_001, `"Accepted publickey for ops from 10.10.0.1"`) + // sent before, stored after
		entry(0, 1_000_000, `"Accepted publickey for ops from 10.10.0.1"`) + entry(1_000_002, 1_000_003, `"Starting session: command for ops from 10.10.0.1"`) +
		entry(0, 1_000_004, `"Starting session: shell on pts/0 for ops"`) + entry(0, 1_000_005, `[1,2]`) + entry(0, 1_000_006, `null`)
	got, err := lab.CountSessions([]byte(journal), since)
	if want := (site.Stats{Connections: 1, Commands: 1}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if _, err := lab.CountSessions([]byte("no json\n"), since); err == nil {
		t.Error("something else than a journal was counted")
	}
}

func FuzzCountSessions(f *testing.F) {
	f.Add([]byte(`{"__REALTIME_TIMESTAMP":"5","MESSAGE":"Accepted publickey"}`))
	f.Fuzz(func(t *testing.T, journal []byte) {
		got, err := lab.CountSessions(journal, time.UnixMicro(0))
		if lines := uint64(strings.Count(string(journal), "\n") + 1); err == nil && got.Connections+got.Commands > lines {
			t.Errorf("%+v of %d lines", got, lines)
		}
	})
}

func TestFilter(t *testing.T) {
	t.Parallel()
	got, err := lab.Filter([3]string{"a", "b", ""}, [3]string{"w1", "cp1", "8mbit"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`iifname { "cp1-0", "cp1-1", "w1-0", "w1-1" } oifname { "w2-0", "w2-1" } drop`, `iifname { "w2-0", "w2-1" } oifname { "cp1-0", "cp1-1", "w1-0", "w1-1" } drop`,
		"ip saddr { 10.10.2.11, 10.10.3.12 } ip daddr { 10.10.1.10, 10.10.3.10, 10.10.1.11, 10.10.3.11 } drop",
		`iifname { "w1-0", "w1-1" } oifname { "cp1-0", "cp1-1" } meta priority set 1:11`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the rules lack %s:\n%s", want, got)
		}
	}
}

func TestWhoAnswers(t *testing.T) {
	t.Parallel()
	hosts, err := site.Layout(2)
	if err != nil {
		t.Fatal(err)
	}
	table := `[{"dst":"10.10.3.50","lladdr":"02:00:0a:0a:03:0c","state":["REACHABLE"]},{"dst":"10.10.3.51","state":["FAILED"]},
{"dst":"10.10.3.52","lladdr":"52:00:0a:0a:03:34","state":["REACHABLE"]},{"dst":"10.10.3.12","lladdr":"02:00:0a:0a:03:0c","state":["STALE"]}]`
	got, err := lab.WhoAnswers([]byte(table), hosts)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"10.10.3.50": "10.10.2.11"}
	if len(got) != len(want) || got[netip.MustParseAddr("10.10.3.50")].String() != want["10.10.3.50"] {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := lab.WhoAnswers([]byte("x"), hosts); err == nil {
		t.Error("something else than a table was read")
	}
}
