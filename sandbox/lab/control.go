//go:build linux

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/expertflow/cxha/sandbox/site"
)

var _ site.World = (*Lab)(nil)

// Places besides the hosts where exec runs commands: the machine outside of the hosts from which clients come, and the router.
// They see the base system's files.
const (
	placeOutside = "outside"
	placeRouter  = "router"
)

// Exec implements site.World.
func (l *Lab) Exec(ctx context.Context, name string, req site.ExecRequest) (site.ExecResult, error) {
	switch name {
	case placeOutside:
		return l.execWithin(ctx, l.outside, req)
	case placeRouter:
		return l.execWithin(ctx, l.router, req)
	}
	h, err := l.find(name)
	if err != nil {
		return site.ExecResult{}, err
	}
	return h.exec(ctx, req)
}

// exec runs a command on the host as its console would: in all its namespaces, and with its end.
func (h *host) exec(ctx context.Context, req site.ExecRequest) (site.ExecResult, error) {
	h.mu.Lock()
	proc, groups := h.proc, h.groups
	h.mu.Unlock()
	if proc == nil {
		return site.ExecResult{}, fmt.Errorf("host %s: its power is off", h.Name)
	}
	pid, err := leader(proc.Pid)
	if err != nil {
		return site.ExecResult{}, fmt.Errorf("host %s: %w", h.Name, err)
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", consoleScript, "sh", strconv.Itoa(pid), req.Command}, groups...)...)
	return capture(cmd, req.Stdin, cmd.Start)
}

// consoleScript goes into the control groups and the namespaces of a host and runs a command there. $1 is the host's first
// process, $2 the command, and the rest are the control groups.
const consoleScript = `leader=$1 command=$2
shift 2
for group; do echo 0 > "$group/cgroup.procs"; done
exec nsenter --target "$leader" --mount --uts --ipc --net --pid --cgroup --root --wd -- /bin/sh -c "$command"`

// placeScript runs a command with the base system's programs, which it cannot change. $1 is the base system, $2 the command.
const placeScript = `set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
mount --bind /proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t sysfs sysfs "$1/sys"
mount -t tmpfs tmpfs "$1/tmp"
exec chroot "$1" /bin/sh -c "$2"`

// execWithin runs a command on a machine that has nothing but its network.
func (l *Lab) execWithin(ctx context.Context, ns *namespace, req site.ExecRequest) (site.ExecResult, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", placeScript, "sh", l.config.Base, req.Command)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return capture(cmd, req.Stdin, func() error { return ns.within(cmd.Start) })
}

// consoleEnv is what root has at a console.
var consoleEnv = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "USER=root", "LOGNAME=root", "LANG=C.UTF-8"}

// capture runs a command to its end. What it leaves in the background does not hold the caller.
func capture(cmd *exec.Cmd, stdin []byte, start func() error) (site.ExecResult, error) {
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.Env = consoleEnv
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := start(); err != nil {
		return site.ExecResult{}, err
	}
	err := cmd.Wait()
	res := site.ExecResult{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Code: cmd.ProcessState.ExitCode()}
	if signal := cmd.ProcessState.Sys().(syscall.WaitStatus); signal.Signaled() {
		res.Code = 128 + int(signal.Signal())
	}
	if _, ended := errors.AsType[*exec.ExitError](err); ended || errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	return res, err
}

// Do implements site.World.
func (l *Lab) Do(ctx context.Context, a site.Action) ([]byte, error) {
	want := map[string]int{
		site.Kubeconfig: 0, site.ResetStats: 0, site.Kill: 1, site.Start: 1, site.Reboot: 1, site.Cut: 1, site.Mend: 1,
		site.AddArp: 1, site.RemoveArp: 1, site.CutLink: 2, site.MendLink: 2, site.Slow: 3,
	}
	n, known := want[a.Verb]
	switch {
	case a.Verb == site.Latency:
		return nil, fmt.Errorf("latency: %w by the lab: the machine's kernel would need netem", site.ErrUnsupported)
	case !known:
		return nil, fmt.Errorf("%s: %w by the lab", a.Verb, site.ErrUnsupported)
	case len(a.Args) != n:
		return nil, fmt.Errorf("%s: %d arguments are needed", a.Verb, n)
	}
	switch a.Verb {
	case site.Kubeconfig:
		return l.kubeconfig(ctx)
	case site.ResetStats:
		l.resetStats()
		return nil, nil
	case site.CutLink:
		return nil, l.setLink(ctx, link{a: a.Args[0], b: a.Args[1], cut: true})
	case site.MendLink:
		return nil, l.mendLink(ctx, a.Args[0], a.Args[1])
	case site.Slow:
		return nil, l.setLink(ctx, link{a: a.Args[0], b: a.Args[1], rate: a.Args[2]})
	case site.AddArp, site.RemoveArp:
		addr, err := netip.ParseAddr(a.Args[0])
		if err != nil {
			return nil, err
		}
		if a.Verb == site.AddArp {
			return nil, l.addForeign(ctx, addr)
		}
		return nil, l.removeForeign(ctx, addr)
	}
	return nil, l.toHost(ctx, a.Verb, a.Args[0])
}

// toHost does a verb to a host.
func (l *Lab) toHost(ctx context.Context, verb, name string) error {
	h, err := l.find(name)
	if err != nil {
		return err
	}
	switch verb {
	case site.Kill:
		return h.powerOff()
	case site.Start:
		return h.powerOn(ctx)
	case site.Reboot:
		return h.reboot(ctx)
	default:
		return h.setCut(ctx, verb == site.Cut)
	}
}

const kubeconfigFile = "/etc/rancher/rke2/rke2.yaml"

// kubeconfig is the admin kubeconfig of the first host that runs a control plane, with the lab's own port as the server.
func (l *Lab) kubeconfig(ctx context.Context) ([]byte, error) {
	for _, h := range l.layout {
		res, err := l.Exec(ctx, h.Name, site.ExecRequest{Command: "systemctl is-active -q rke2-server && cat " + kubeconfigFile})
		if err != nil || res.Code != 0 || len(res.Stdout) == 0 {
			continue
		}
		text := strings.Replace(string(res.Stdout), "https://127.0.0.1:6443", fmt.Sprintf("https://127.0.0.1:%d", l.api.port), 1)
		l.setControlPlane(h.Address)
		return []byte(text), nil
	}
	return nil, errors.New("no host runs a control plane yet: rke2-server is not active anywhere")
}

func (l *Lab) setControlPlane(addr netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.controlPlane = addr
}

// apiServer is where the port of the API server leads: to the host that the last kubeconfig was taken from.
func (l *Lab) apiServer() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	addr := l.controlPlane
	if !addr.IsValid() {
		addr = l.layout[0].Address
	}
	return net.JoinHostPort(addr.String(), "6443")
}
