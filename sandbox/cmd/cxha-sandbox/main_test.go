package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/expertflow/cxha/sandbox/console"
	"github.com/expertflow/cxha/sandbox/console/consoletest"
)

func TestMain(m *testing.M) { consoletest.Main(m, main) }

func TestCommandLineMistakes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	consoletest.Mistakes(t, dir, map[string]consoletest.Mistake{
		"unknown flag":      {Args: []string{"up", "--wokers", "2"}, Message: "unknown flag: --wokers", Code: 2},
		"too many workers":  {Args: []string{"up", "--workers", "1000"}, Message: "room for 0 to 220", Code: 2},
		"negative latency":  {Args: []string{"up", "--latency", "-1s"}, Message: "cannot be negative", Code: 2},
		"negative webhook":  {Args: []string{"up", "--webhook-delay", "-1s"}, Message: "cannot be negative", Code: 2},
		"strange address":   {Args: []string{"arp", "add", "soon"}, Message: "is no address", Code: 2},
		"strange arp":       {Args: []string{"arp", "put", "10.10.1.50"}, Message: "add or remove", Code: 2},
		"missing example":   {Args: []string{"up", "--example", "/nonexistent"}, Message: "no such file", Code: 2},
		"host missing":      {Args: []string{"kill"}, Message: "name of a host is missing", Code: 2},
		"command missing":   {Args: []string{"exec", "w1"}, Message: "a host and a command", Code: 2},
		"not running":       {Args: []string{"status"}, Message: "nothing is running here", Code: 1},
		"kill, not running": {Args: []string{"kill", "w1"}, Message: "nothing is running here", Code: 1},
		"strange delay":     {Args: []string{"latency", "soon"}, Message: "is no delay", Code: 2},
		"too many words":    {Args: []string{"down", "now"}, Message: "unknown command", Code: 2},
	})
	if got := consoletest.Run(t, "--dir", dir, "down"); got.Code != 0 || !strings.Contains(got.Stdout, "There is no sandbox") {
		t.Errorf("down of nothing: %+v", got)
	}
}

func TestHelpNamesExitCodes(t *testing.T) {
	t.Parallel()
	consoletest.HelpNamesExitCodes(t, program().Root(console.Streams{}))
}

// TestIntegrationUp goes through the life of a sandbox, its server killed in between.
func TestIntegrationUp(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	dir, err := os.MkdirTemp("", "cxha-sandbox") // t.TempDir's names are too long to be nice to sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if got := consoletest.Run(t, "--dir", dir, "down"); got.Code != 0 {
			t.Errorf("down: %+v", got)
		}
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("down left something: %v", err)
		}
	})
	do := func(want int, args ...string) consoletest.Output {
		t.Helper()
		return consoletest.Do(t, dir, want, args...)
	}
	if got := do(0, "up", "--workers", "1"); !strings.Contains(got.Stdout, "2 hosts behind the bastion") {
		t.Errorf("up: %+v", got)
	}
	if got := do(0, "up"); !strings.Contains(got.Stdout, "is up already (2 hosts)") {
		t.Errorf("second up: %+v", got)
	}
	if got := do(9, "exec", "w1", "--", "echo", "$(hostname);", "echo kept > /var/kept; chown ops /var/kept; exit 9"); got.Stdout != "w1\n" {
		t.Errorf("exec: %+v", got)
	}
	do(2, "kill", "w7")
	if charts := consoletest.Status(t, dir).Charts; charts == nil || !strings.Contains(do(0, "status").Stdout, charts.Registry) {
		t.Errorf("status shows no charts: %+v", charts)
	}
	do(0, "arp", "add", "10.10.1.50", "10.10.1.51")
	do(0, "arp", "remove", "10.10.1.51")
	if foreign := consoletest.Status(t, dir).Foreign; len(foreign) != 1 || foreign[0].String() != "10.10.1.50" {
		t.Errorf("foreign machines: %v", foreign)
	}
	do(1, "kubeconfig")
	startControlPlane(t, dir)
	children := childrenOf(t, consoletest.Status(t, dir).PID)
	if len(children) < 4 {
		t.Errorf("only %v run as processes of their own", children)
	}
	if err := syscall.Kill(consoletest.Status(t, dir).PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "linux" { // elsewhere the components notice that their parent is gone a little later
		consoletest.Wait(t, "the killed server's children are gone", func() bool { return !anyAlive(children) })
	}
	do(1, "status")
	do(0, "up", "--workers", "1")
	if got := do(0, "exec", "w1", "--", "cat /var/kept; stat -c %U /var/kept"); got.Stdout != "kept\nops\n" {
		t.Errorf("files after the kill: %+v", got)
	}
	consoletest.Wait(t, "the control plane is back", func() bool { return consoletest.Run(t, "--dir", dir, "kubeconfig").Code == 0 })
	children = childrenOf(t, consoletest.Status(t, dir).PID)
	do(0, "kill", "cp1")
	if anyAlive(children) {
		t.Error("the killed host's components live on")
	}
	if got := do(0, "down", "--keep"); !strings.Contains(got.Stdout, "files are kept") {
		t.Errorf("down --keep: %+v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "hosts", "w1", "root", "var", "kept")); err != nil {
		t.Error(err)
	}
}

// startControlPlane installs RKE2 on cp1 and waits until its API can be reached.
func startControlPlane(t *testing.T, dir string) {
	t.Helper()
	got := consoletest.Run(t, "--dir", dir, "exec", "cp1", "--", `set -eu
mkdir -p /etc/rancher/rke2
printf 'token: secret\nnode-name: cp1\nnode-ip: 10.10.1.10\n' > /etc/rancher/rke2/config.yaml
curl -sfL http://mirror.sandbox.internal/install.sh -o /tmp/install.sh
INSTALL_RKE2_METHOD=tar INSTALL_RKE2_ARTIFACT_URL=http://mirror.sandbox.internal/releases/download INSTALL_RKE2_VERSION=v1.35.7+rke2r1 sh /tmp/install.sh
systemctl enable --now rke2-server`)
	if got.Code != 0 {
		t.Fatalf("install: %+v", got)
	}
	if got := consoletest.Run(t, "--dir", dir, "kubeconfig"); got.Code != 0 || !strings.Contains(got.Stdout, "https://127.0.0.1:") {
		t.Fatalf("kubeconfig: %+v", got)
	}
}

// childrenOf lists the processes whose parent is pid.
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		t.Skipf("needs ps: %v", err)
	}
	var children []int
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 2 && f[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			children = append(children, child)
		}
	}
	return children
}

func anyAlive(pids []int) bool {
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			return true
		}
	}
	return false
}
