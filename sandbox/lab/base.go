//go:build linux

package lab

import (
	"bufio"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// CacheDir holds the base systems, which all labs of the machine share.
const CacheDir = "/var/cache/cxha-lab"

// basePackages are what hosts have besides debootstrap's minimum. RKE2 asks for iptables' tools, conntrack and ethtool; ufw and
// NetworkManager are there to be found on one host each; isal has a fast gzip.
var basePackages = []string{
	"systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2", "iptables", "nftables", "iputils-ping", "curl", "sudo", "ca-certificates",
	"procps", "kmod", "conntrack", "ethtool", "socat", "zstd", "ufw", "network-manager", "libpam-systemd", "isal",
}

var (
	//go:embed files/base.sh
	baseScript string
	//go:embed files/init.sh
	initScript string
)

// needed are the programs of the machine that the lab calls, with their Debian packages.
var needed = []struct{ program, pkg string }{
	{"debootstrap", "debootstrap"}, {"systemd-nspawn", "systemd-container"}, {"ip", "iproute2"}, {"tc", "iproute2"}, {"nft", "nftables"},
	{"nsenter", "util-linux"}, {"mount", "mount"}, {"wget", "wget"},
}

// CheckMachine tells what this machine lacks to run a lab.
func CheckMachine() error {
	if os.Geteuid() != 0 {
		return errors.New("the lab needs root: it makes namespaces and mounts")
	}
	var packages []string
	for _, n := range needed {
		if _, err := exec.LookPath(n.program); err != nil && !strings.Contains(" "+strings.Join(packages, " ")+" ", " "+n.pkg+" ") {
			packages = append(packages, n.pkg)
		}
	}
	if len(packages) > 0 {
		list := strings.Join(packages, " ")
		return fmt.Errorf("the lab needs Debian packages that are not installed: %s. Install them: apt-get install -y --no-install-recommends %s", list, list)
	}
	return nil
}

// baseSpec is what a base system is made from.
type baseSpec struct {
	suite  string
	source aptSource
	proxy  string
	kernel string
	config []string // the kernel's configuration
}

// dir is where the base system is: another one for other packages, other scripts or another kernel.
func (b baseSpec) dir() string {
	sum := sha256.Sum256([]byte(strings.Join(append([]string{
		b.suite, runtime.GOARCH, b.kernel, baseScript, initScript, strings.Join(builtinModules(b.config), " "),
	}, basePackages...), "\n")))
	return filepath.Join(CacheDir, "base-"+hex.EncodeToString(sum[:6]))
}

// EnsureBase finds or makes the base system that all hosts lie over, and returns its directory. It tells of its progress, and waits
// where another process makes the same one.
func EnsureBase(ctx context.Context, progress io.Writer) (string, error) {
	if err := CheckMachine(); err != nil {
		return "", err
	}
	spec, err := readSpec(ctx)
	if err != nil {
		return "", err
	}
	dir := spec.dir()
	if err := os.MkdirAll(CacheDir, 0o755); err != nil {
		return "", err
	}
	lock, err := lockBase(ctx, dir+".lock", progress)
	if err != nil {
		return "", err
	}
	if _, err = os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		err = makeBase(ctx, spec, dir, progress)
	}
	return dir, errors.Join(err, lock.Close())
}

// lockBase waits for the lock, which the kernel frees when its holder dies.
func lockBase(ctx context.Context, name string, progress io.Writer) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for told := false; ; {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return f, err
		}
		if !told {
			if _, err := fmt.Fprintln(progress, "Another lab is making the base system; waiting for it."); err != nil {
				return nil, errors.Join(err, f.Close())
			}
			told = true
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), f.Close())
		}
	}
}

func readSpec(ctx context.Context) (baseSpec, error) {
	release, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return baseSpec{}, err
	}
	spec := baseSpec{}
	for line := range strings.Lines(string(release)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok {
			spec.suite = strings.Trim(value, `"`)
		}
	}
	files, err := readSources("/etc/apt")
	if err != nil {
		return spec, err
	}
	if spec.source, err = findSource(files, spec.suite); err != nil {
		return spec, err
	}
	scheme, _, _ := strings.Cut(spec.source.URI, ":")
	out, err := exec.CommandContext(ctx, "apt-config", "shell", "proxy", "Acquire::"+scheme+"::Proxy").Output()
	if err != nil {
		return spec, fmt.Errorf("apt-config: %w", err)
	}
	// proxy='URL', or nothing at all
	spec.proxy = strings.Trim(strings.TrimPrefix(strings.TrimSpace(string(out)), "proxy="), "'")
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return spec, err
	}
	spec.kernel = unix.ByteSliceToString(uts.Release[:])
	spec.config, err = kernelConfig()
	return spec, err
}

// readSources reads apt's lists of sources by name.
func readSources(etc string) (map[string]string, error) {
	names, err := filepath.Glob(filepath.Join(etc, "sources.list.d", "*"))
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, name := range append(names, filepath.Join(etc, "sources.list")) {
		if !strings.HasSuffix(name, ".sources") && !strings.HasSuffix(name, ".list") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		files[name] = string(text)
	}
	return files, nil
}

// makeBase bootstraps into a directory beside dir, which it becomes when it is complete. Everything runs in namespaces of its own,
// so that nothing is left mounted or running when it is interrupted.
func makeBase(ctx context.Context, spec baseSpec, dir string, progress io.Writer) error {
	began, part := time.Now(), dir+".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(progress, "Making the base system of the hosts (%s, once; it is kept in %s):\n", spec.suite, CacheDir); err != nil {
		return err
	}
	args := []string{"--variant=minbase", "--merged-usr", "--include=" + strings.Join(basePackages, ",")}
	if spec.source.Keyring != "" {
		args = append(args, "--keyring="+spec.source.Keyring)
	}
	script := fmt.Sprintf("set -eu\nmount -t proc proc /proc\ndebootstrap \"$@\" </dev/null\nchroot %s /bin/sh -s\n", quote(part))
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", script, "sh"}, append(args, spec.suite, part, spec.source.URI)...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Cloneflags: syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	cmd.Stdin = strings.NewReader(baseScript)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	if spec.proxy != "" {
		cmd.Env = append(cmd.Env, "http_proxy="+spec.proxy, "https_proxy="+spec.proxy)
	}
	if err := runShowing(cmd, progress); err != nil {
		return fmt.Errorf("base system: %w", err)
	}
	if err := finishBase(spec, part); err != nil {
		return fmt.Errorf("base system: %w", err)
	}
	if err := os.Rename(part, dir); err != nil {
		return err
	}
	_, err := fmt.Fprintf(progress, "The base system is made (%.0f s).\n", time.Since(began).Seconds())
	return err
}

// finishBase adds what comes from the machine: the hosts' first process, and the list of what its kernel has built in.
func finishBase(spec baseSpec, root string) error {
	if err := os.WriteFile(filepath.Join(root, "usr/sbin/lab-init"), []byte(initScript), 0o755); err != nil {
		return err
	}
	modules := filepath.Join(root, "usr/lib/modules", spec.kernel)
	if err := os.MkdirAll(modules, 0o755); err != nil {
		return err
	}
	list := strings.Join(builtinModules(spec.config), "\n") + "\n"
	for name, text := range map[string]string{"modules.builtin": list, "modules.order": ""} {
		if err := os.WriteFile(filepath.Join(modules, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if out, err := exec.Command("chroot", root, "depmod", spec.kernel).CombinedOutput(); err != nil {
		return fmt.Errorf("depmod: %w\n%s", err, out)
	}
	return nil
}

// runShowing runs debootstrap and shows every two seconds how far it is; where it fails, its last lines are in the error.
func runShowing(cmd *exec.Cmd, progress io.Writer) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	var last []string
	counts, shown := map[string]int{}, time.Now()
	scan := bufio.NewScanner(out)
	for scan.Scan() {
		if last = append(last, scan.Text()); len(last) > 20 {
			last = last[1:]
		}
		phase, _, _ := strings.Cut(strings.TrimPrefix(scan.Text(), "I: "), " ")
		counts[phase]++
		if strings.HasPrefix(scan.Text(), "I: ") && time.Since(shown) > 2*time.Second {
			shown = time.Now()
			if _, err := fmt.Fprintf(progress, "  %s: %d packages\n", strings.ToLower(phase), counts[phase]); err != nil {
				break
			}
		}
	}
	if err := errors.Join(scan.Err(), cmd.Wait()); err != nil {
		return fmt.Errorf("%w\n%s", err, strings.Join(last, "\n"))
	}
	return nil
}

// quote makes a word of the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
