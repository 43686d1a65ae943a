package main

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/console"
	"github.com/expertflow/cxha/sandbox/console/consoletest"
	"github.com/expertflow/cxha/sandbox/lab"
)

func TestMain(m *testing.M) { consoletest.Main(m, main) }

func TestCommandLineMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	consoletest.Mistakes(t, dir, map[string]consoletest.Mistake{
		"unknown flag":       {Args: []string{"up", "--wokers", "2"}, Message: "unknown flag: --wokers", Code: 2},
		"too many workers":   {Args: []string{"up", "--workers", "1000"}, Message: "room for 0 to 220", Code: 2},
		"three sites":        {Args: []string{"up", "--sites", "3"}, Message: "the lab has two", Code: 2},
		"latency":            {Args: []string{"up", "--latency", "5ms"}, Message: "netem", Code: 2},
		"webhook":            {Args: []string{"up", "--webhook-delay", "5s"}, Message: "the real one", Code: 2},
		"missing programs":   {Args: []string{"up", "--programs", "/nonexistent"}, Message: "make lab-programs", Code: 2},
		"missing example":    {Args: []string{"up", "--example", "/nonexistent"}, Message: "no such file", Code: 2},
		"one end of a link":  {Args: []string{"cut-link", "w1"}, Message: "accepts 2 arg", Code: 2},
		"no rate":            {Args: []string{"slow", "w1", "w2"}, Message: "accepts 3 arg", Code: 2},
		"not running":        {Args: []string{"status"}, Message: "nothing is running here", Code: 1},
		"reboot, no host":    {Args: []string{"reboot"}, Message: "name of a host is missing", Code: 2},
		"reboot, no lab":     {Args: []string{"reboot", "w1"}, Message: "nothing is running here", Code: 1},
		"wipe is for down":   {Args: []string{"up", "--wipe"}, Message: "unknown flag: --wipe", Code: 2},
		"keep is no flag":    {Args: []string{"down", "--keep"}, Message: "unknown flag: --keep", Code: 2},
		"strange address":    {Args: []string{"arp", "add", "soon"}, Message: "is no address", Code: 2},
		"command is missing": {Args: []string{"exec", "router"}, Message: "a host and a command", Code: 2},
	})
}

func TestHelpNamesExitCodes(t *testing.T) {
	t.Parallel()
	consoletest.HelpNamesExitCodes(t, program().Root(console.Streams{}))
}

// newLab is a directory for a lab that is wiped at the end of the test; the test is skipped where no lab can be.
func newLab(t *testing.T) string {
	t.Helper()
	if testing.Short() || os.Getenv("CXHA_LAB") != "1" {
		t.Skip("needs the lab: CXHA_LAB=1, Linux, root, and no -short")
	}
	if err := lab.CheckMachine(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "cxha-lab") // t.TempDir's names are too long to be nice to sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range []string{"server.log", "hosts/w1/console.log"} {
				if text, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
					t.Logf("%s:\n%s", name, text)
				}
			}
		}
		consoletest.Do(t, dir, 0, "down", "--wipe")
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("down --wipe left something: %v", err)
		}
	})
	return dir
}

// ssh runs a command on a host as the operator does, with a stock client.
func ssh(t *testing.T, dir, host, command string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("ssh", "-F", filepath.Join(dir, "ssh", "config"), "-o", "BatchMode=yes", host, command)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ssh %s %s: %v\n%s%s", host, command, err, out, stderr.Bytes())
	}
	return string(out)
}

// TestIntegrationLife goes through the life of a lab, and everything that it does to its hosts.
func TestIntegrationLife(t *testing.T) {
	t.Parallel()
	dir := newLab(t)
	do := func(want int, args ...string) string {
		t.Helper()
		return consoletest.Do(t, dir, want, args...).Stdout
	}
	exec := func(host, command string) string {
		t.Helper()
		return do(0, "exec", host, "--", command)
	}
	if got := do(0, "up", "--bare", "--timeout", "10m"); !strings.Contains(got, "3 hosts behind the bastion") {
		t.Errorf("up: %s", got)
	}
	if got := do(0, "up", "--bare"); !strings.Contains(got, "is up already (3 hosts)") {
		t.Errorf("second up: %s", got)
	}

	// It is what it says that it is, and the numbers are those of what was done.
	do(0, "reset-stats")
	if got, want := ssh(t, dir, "w1", "hostname; id -un; sudo -n id -un; getent hosts mirror.sandbox.internal | cut -d' ' -f1"), "w1\nops\nroot\n10.10.0.2\n"; got != want {
		t.Errorf("w1: %q, want %q", got, want)
	}
	if got, want := ssh(t, dir, "w2", "systemctl is-system-running; systemctl is-active NetworkManager; sudo modprobe br_netfilter && echo built in; curl -sf mirror.sandbox.internal/install.sh | head -c 9"), "running\nactive\nbuilt in\n#!/bin/sh"; got != want {
		t.Errorf("w2: %q, want %q", got, want)
	}
	exec("w1", "true")
	checkStatus(t, dir)
	checkMachine(t)

	// A limit of the whole machine that a host sets is the host's own.
	before := exec("w2", "cat /proc/sys/vm/overcommit_memory")
	exec("w1", "sysctl -q -w vm.overcommit_memory=2 kernel.panic=33; test $(cat /proc/sys/kernel/panic) = 33")
	if after := exec("w2", "cat /proc/sys/vm/overcommit_memory"); after != before {
		t.Errorf("w1's setting came to w2: %s, was %s", after, before)
	}
	// It reads as the kernel's settings do: a shell that asks byte by byte, as Debian's does, gets the first digit.
	const read = "cat /proc/sys/vm/max_map_count; read -r byte < /proc/sys/vm/max_map_count; echo $byte"
	if got := exec("w1", "sysctl -q -w vm.max_map_count=262144; "+read+"; echo many > /proc/sys/vm/max_map_count || echo refused"); got != "262144\n2\nrefused\n" {
		t.Errorf("a setting of the host's own reads %q", got)
	}
	if got := consoletest.Run(t, "--dir", dir, "exec", "w1", "--", "echo out; echo err >&2; exit 9"); got != (consoletest.Output{Stdout: "out\n", Stderr: "err\n", Code: 9}) {
		t.Errorf("exec: %+v", got)
	}
	do(2, "kill", "w7")
	do(2, "latency", "5ms")
	do(1, "kubeconfig")
	power(t, dir)
	lines(t, dir)
	foreign(t, dir)
	killServer(t, dir)
	wipe(t, dir)
}

func checkStatus(t *testing.T, dir string) {
	t.Helper()
	var got []string
	for _, h := range consoletest.Status(t, dir).Hosts {
		got = append(got, strings.Join([]string{h.Name, h.Address.String(), h.Site, h.Power, h.Network, string('0' + rune(h.Connections)), string('0' + rune(h.Commands)), h.Units["ufw"]}, " "))
	}
	want := []string{
		"cp1 10.10.1.10 a on up 0 0 inactive", "w1 10.10.1.11 a on up 1 1 active", "w2 10.10.2.11 b on up 1 1 inactive", "bastion 10.10.0.1  on up 2 0 inactive",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// checkMachine looks for addresses of the lab in the machine's own network: nothing may lead from here into it, or from it out.
func checkMachine(t *testing.T) {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	routes, err := os.ReadFile("/proc/net/fib_trie")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if strings.HasPrefix(a.String(), "10.10.") {
			t.Errorf("the machine itself has the address %s", a)
		}
	}
	if strings.Contains(string(routes), " 10.10.") {
		t.Errorf("the machine itself has a route into the lab:\n%s", routes)
	}
}

// power cuts and restores power, and reboots: files stay, and nothing else.
func power(t *testing.T, dir string) {
	t.Helper()
	do := func(want int, args ...string) string { t.Helper(); return consoletest.Do(t, dir, want, args...).Stdout }
	bootID := func() string { return do(0, "exec", "w1", "--", "cat /proc/sys/kernel/random/boot_id") }
	do(0, "exec", "w1", "--", "echo kept > /var/lib/kept; chown ops /var/lib/kept; echo kept > /etc/kept; sysctl -q -w net.ipv4.ip_forward=1; sleep 1000 > /dev/null 2>&1 & ip link add x0 type vxlan id 5 dstport 0")
	first := bootID()
	do(0, "kill", "w1")
	do(0, "kill", "w1")
	if h := consoletest.Status(t, dir).Hosts[1]; h.Power != "off" || len(h.Units) != 0 {
		t.Errorf("after the power cut: %+v", h)
	}
	do(1, "exec", "w1", "--", "true")
	do(1, "reboot", "w1")
	if got := do(1, "exec", "cp1", "--", "ping -c 1 -W 1 10.10.1.11 > /dev/null; ip neigh show 10.10.1.11; false"); !strings.Contains(got, "FAILED") && !strings.Contains(got, "INCOMPLETE") {
		t.Errorf("a host without power answers: %s", got)
	}
	do(0, "start", "w1")
	do(0, "start", "w1")
	const look = "cat /var/lib/kept /etc/kept; stat -c %U /var/lib/kept; cat /proc/sys/net/ipv4/ip_forward; pgrep -c sleep; ip -br link show type vxlan | wc -l"
	if got, want := do(0, "exec", "w1", "--", look), "kept\nkept\nops\n0\n0\n0\n"; got != want {
		t.Errorf("after the boot: %q, want %q", got, want)
	}
	second := bootID()
	do(0, "reboot", "w1")
	if third := bootID(); first == second || second == third {
		t.Errorf("boots: %s, %s, %s", first, second, third)
	}
	if got := ssh(t, dir, "w1", "cat /etc/kept"); got != "kept\n" {
		t.Errorf("after the reboot: %q", got)
	}
}

// lines cuts, mends and slows lines and links.
func lines(t *testing.T, dir string) {
	t.Helper()
	do := func(args ...string) { t.Helper(); consoletest.Do(t, dir, 0, args...) }
	reaches := func(from, to string) bool {
		t.Helper()
		return consoletest.Run(t, "--dir", dir, "exec", from, "--", "ping -c 1 -W 1 "+to).Code == 0
	}
	expect := func(when, from, to string, want bool) {
		t.Helper()
		if got := reaches(from, to); got != want {
			t.Errorf("%s: %s reaches %s: %v, want %v", when, from, to, got, want)
		}
	}
	expect("at first", "cp1", "10.10.2.11", true)
	expect("at first", "outside", "10.10.3.12", true)
	do("cut", "w2")
	expect("w2 cut", "cp1", "10.10.2.11", false)
	expect("w2 cut", "w2", "127.0.0.1", true)
	do("reboot", "w2") // a cut line stays cut
	if h := consoletest.Status(t, dir).Hosts[2]; h.Network != "cut" || h.Power != "on" {
		t.Errorf("w2: %+v", h)
	}
	do("mend", "w2")
	consoletest.Wait(t, "w2 is reached again", func() bool { return reaches("cp1", "10.10.2.11") })

	do("cut-link", "a", "b")
	expect("sites cut", "w1", "10.10.2.11", false)
	expect("sites cut", "w1", "10.10.3.12", false)
	expect("sites cut", "w1", "10.10.1.10", true)
	expect("sites cut", "outside", "10.10.2.11", true)
	do("mend-link", "b", "a")
	expect("sites mended", "w1", "10.10.2.11", true)

	do("slow", "w1", "cp1", "8mbit")
	if links := consoletest.Status(t, dir).Links; len(links) != 1 || links[0] != "link w1-cp1: 8mbit" {
		t.Errorf("links: %v", links)
	}
	do("exec", "cp1", "--", "socat -u TCP-LISTEN:7000 OPEN:/dev/null > /dev/null 2>&1 & until ss -Hltn | grep -q :7000; do sleep 0.05; done")
	// 4 MB take four seconds; what waits in queues makes it a little less.
	began := time.Now()
	do("exec", "w1", "--", "head -c 4000000 /dev/zero | socat -u - TCP:10.10.1.10:7000")
	if took := time.Since(began); took < 3*time.Second {
		t.Errorf("4 MB passed a link of 8 Mbit/s in %s", took)
	}
	do("mend-link", "w1", "cp1")
	for _, args := range [][]string{{"slow", "w1", "w2", "fast"}, {"cut-link", "w1", "a"}} {
		consoletest.Do(t, dir, 1, args...)
	}
	consoletest.Do(t, dir, 2, "cut-link", "w1", "w9")
}

// foreign puts a foreign machine on an address.
func foreign(t *testing.T, dir string) {
	t.Helper()
	do := func(want int, args ...string) string { t.Helper(); return consoletest.Do(t, dir, want, args...).Stdout }
	do(0, "arp", "add", "10.10.3.50", "10.10.1.51")
	do(0, "arp", "remove", "10.10.1.51")
	if got := do(0, "exec", "w1", "--", "ping -c 1 -W 1 10.10.3.50 > /dev/null; ip neigh show 10.10.3.50"); !strings.Contains(got, "52:00:0a:0a:03:32") {
		t.Errorf("foreign machine: %s", got)
	}
	if st := consoletest.Status(t, dir).Foreign; len(st) != 1 || st[0].String() != "10.10.3.50" {
		t.Errorf("foreign machines: %v", st)
	}
	do(1, "arp", "add", "10.10.1.11") // w1's
	do(1, "arp", "add", "192.0.2.1")
}

// killServer kills the server as nothing should: its hosts end with it, and the next up finds their files.
func killServer(t *testing.T, dir string) {
	t.Helper()
	st := consoletest.Status(t, dir)
	family := familyOf(t, st.PID)
	if err := syscall.Kill(st.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	consoletest.Wait(t, "the killed server's hosts are gone", func() bool { return len(family.alive(t)) == 0 })
	consoletest.Do(t, dir, 1, "status")
	consoletest.Do(t, dir, 0, "up", "--bare")
	if again := consoletest.Status(t, dir); again.BastionPort != st.BastionPort {
		t.Errorf("the bastion moved from port %d to %d", st.BastionPort, again.BastionPort)
	}
	if got := ssh(t, dir, "w1", "cat /etc/kept"); got != "kept\n" {
		t.Errorf("after the server's end: %q", got)
	}
}

// wipe ends the lab, once with its files kept and once for good, and looks for what is left.
func wipe(t *testing.T, dir string) {
	t.Helper()
	family := familyOf(t, consoletest.Status(t, dir).PID)
	if len(family.processes) < 20 || len(family.namespaces) < 20 {
		t.Errorf("only %d processes and %d namespaces were found", len(family.processes), len(family.namespaces))
	}
	if got := consoletest.Do(t, dir, 0, "down"); !strings.Contains(got.Stdout, "files are kept") {
		t.Errorf("down: %+v", got)
	}
	family.checkGone(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "hosts", "w1", "upper", "etc", "kept")); err != nil {
		t.Error(err)
	}
	consoletest.Do(t, dir, 0, "up", "--bare")
	family = familyOf(t, consoletest.Status(t, dir).PID)
	if got := consoletest.Do(t, dir, 0, "down", "--wipe"); !strings.Contains(got.Stdout, "down and removed") {
		t.Errorf("down --wipe: %+v", got)
	}
	family.checkGone(t, dir)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}
