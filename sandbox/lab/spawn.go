//go:build linux

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
)

// spawner starts processes that the kernel kills when this one ends. It does so by a thread, since it is the end of the thread
// that counts.
type spawner struct {
	work chan func()
	done sync.WaitGroup
}

func newSpawner() *spawner {
	s := &spawner{work: make(chan func())}
	s.done.Go(func() {
		runtime.LockOSThread()
		for f := range s.work {
			f()
		}
	})
	return s
}

func (s *spawner) start(cmd *exec.Cmd) error {
	result := make(chan error)
	s.work <- func() { result <- cmd.Start() }
	return <-result
}

func (s *spawner) close() {
	close(s.work)
	s.done.Wait()
}

// machineSysctls are settings of the whole machine that RKE2, the kubelet and cxha set: hosts have their own instead.
// Each is one number.
var machineSysctls = []string{
	"vm/overcommit_memory", "vm/panic_on_oom", "vm/max_map_count", "vm/swappiness", "kernel/panic", "kernel/panic_on_oops",
	"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "kernel/pid_max", "fs/inotify/max_user_instances", "fs/inotify/max_user_watches",
	"fs/file-max", "fs/nr_open", "fs/may_detach_mounts",
}

// bootScript is the first process of a host, as the machine sees it. It is in process and mount namespaces of its own, so that
// its end is the end of everything on the host, mounts and nspawn's own locks included. $1 is the overlay's options, $2 where the root file system is
// mounted; the rest, up to --, are control groups, and then comes the command.
const bootScript = `set -eu
mount --make-rprivate /
mount -t proc proc /proc
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mount -t overlay -o "$1" lab "$2"
shift 2
while [ "$1" != -- ]; do
    echo 0 > "$1/cgroup.procs"
    shift
done
shift
exec "$@"
`

// bind is a file or directory of the machine that a host sees.
type bind struct {
	from, to string
	readOnly bool
}

// bootCommand is the process of a host that boots: it ends with 133 when the host reboots.
func (h *host) bootCommand(groups []string) *exec.Cmd {
	dir := h.lab.paths.Host(h.Name)
	root := filepath.Join(dir, "root")
	args := []string{"-c", bootScript, "sh",
		fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", h.lab.config.Base, filepath.Join(dir, "upper"), filepath.Join(dir, "work")), root}
	args = append(append(args, groups...), "--", "systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--machine="+h.Name,
		"--directory="+root, "--capability=all", "--link-journal=no", "--resolv-conf=off", "--timezone=off", "--console=pipe",
		"--kill-signal=SIGRTMIN+3", "--network-namespace-path=/proc/self/fd/3", "--setenv=LAB_SYSCTLS="+strings.Join(machineSysctls, " "))
	for _, b := range h.lab.binds(dir) {
		option := "--bind="
		if b.readOnly {
			option = "--bind-ro="
		}
		args = append(args, option+b.from+":"+b.to)
	}
	cmd := exec.Command("/bin/sh", append(args, "/usr/sbin/lab-init")...)
	cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_USE_CGNS=1", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network", "SYSTEMD_SECCOMP=0", "SYSTEMD_LOG_TARGET=console")
	cmd.ExtraFiles = []*os.File{h.ns.file}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS,
	}
	return cmd
}

// binds are what every host sees of the machine. Container images cannot be unpacked on an overlay, so /var/lib is not on it.
func (l *Lab) binds(dir string) []bind {
	all := []bind{{from: filepath.Join(dir, "lib"), to: "/var/lib"}}
	for _, device := range []string{"/dev/kmsg", "/dev/fuse"} {
		if _, err := os.Stat(device); err == nil {
			all = append(all, bind{from: device, to: device})
		}
	}
	// A kernel with modules has them listed here; the base system has a list for one without.
	if modules := "/lib/modules/" + l.kernel; l.hasModules {
		all = append(all, bind{from: modules, to: modules, readOnly: true})
	}
	if l.config.Images != "" {
		all = append(all, bind{from: l.config.Images, to: imagesInHost, readOnly: true})
	}
	return all
}

// leader is the process id of the host's first process as its own system has it: the only child of nspawn.
func leader(pid int) (int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	var child int
	if _, err := fmt.Sscan(string(data), &child); err != nil {
		return 0, fmt.Errorf("process %d has no child yet", pid)
	}
	return child, nil
}
