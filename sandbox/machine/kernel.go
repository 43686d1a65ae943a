package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const kernelRelease = "6.1.0-40-amd64"

// defaultSysctls are a fresh Debian kernel's values of what Kubernetes' hosts are asked about.
func defaultSysctls() map[string]string {
	return map[string]string{
		"fs.file-max": "9223372036854775807", "fs.inotify.max_queued_events": "16384",
		"fs.inotify.max_user_instances": "128", "fs.inotify.max_user_watches": "65536", "fs.nr_open": "1048576",
		"fs.may_detach_mounts": "0", "kernel.hung_task_timeout_secs": "120",
		"kernel.keys.root_maxbytes": "25000000", "kernel.keys.root_maxkeys": "1000000", "kernel.panic": "0",
		"kernel.panic_on_oops": "0", "kernel.pid_max": "4194304", "kernel.threads-max": "63432",
		"net.core.netdev_max_backlog": "1000", "net.core.rmem_default": "212992", "net.core.rmem_max": "212992",
		"net.core.somaxconn": "4096", "net.core.wmem_default": "212992", "net.core.wmem_max": "212992",
		"net.ipv4.conf.all.forwarding": "0", "net.ipv4.conf.all.rp_filter": "2", "net.ipv4.conf.all.arp_ignore": "0",
		"net.ipv4.conf.all.arp_announce": "0", "net.ipv4.conf.default.forwarding": "0",
		"net.ipv4.conf.default.rp_filter": "2", "net.ipv4.ip_forward": "0",
		"net.ipv4.ip_local_port_range": "32768\t60999", "net.ipv4.tcp_fin_timeout": "60",
		"net.ipv4.tcp_keepalive_intvl": "75", "net.ipv4.tcp_keepalive_probes": "9", "net.ipv4.tcp_keepalive_time": "7200",
		"net.ipv4.tcp_max_syn_backlog": "1024", "net.ipv4.tcp_retries2": "15", "net.ipv4.tcp_syn_retries": "6",
		"net.ipv4.neigh.default.gc_thresh1": "128", "net.ipv4.neigh.default.gc_thresh2": "512",
		"net.ipv4.neigh.default.gc_thresh3": "1024", "net.ipv6.conf.all.disable_ipv6": "0",
		"net.ipv6.conf.all.forwarding": "0", "net.ipv6.conf.default.disable_ipv6": "0",
		"net.ipv6.conf.default.forwarding": "0", "vm.dirty_background_ratio": "10", "vm.dirty_ratio": "20",
		"vm.max_map_count": "65530", "vm.min_free_kbytes": "67584", "vm.overcommit_memory": "0", "vm.panic_on_oom": "0",
		"vm.swappiness": "60", "vm.vfs_cache_pressure": "100",
	}
}

// kernelModules are the modules that modprobe finds, with the settings that appear when they are loaded.
func kernelModules() map[string]map[string]string {
	return map[string]map[string]string{
		"br_netfilter": {
			"net.bridge.bridge-nf-call-arptables": "1", "net.bridge.bridge-nf-call-ip6tables": "1",
			"net.bridge.bridge-nf-call-iptables": "1",
		},
		"nf_conntrack": {
			"net.netfilter.nf_conntrack_max":                     "65536",
			"net.netfilter.nf_conntrack_tcp_timeout_established": "432000",
			"net.netfilter.nf_conntrack_tcp_timeout_close_wait":  "60",
		},
		"overlay": {}, "ip_tables": {}, "iptable_nat": {}, "iptable_filter": {}, "ip_vs": {}, "ip_vs_rr": {}, "ip_vs_wrr": {},
		"ip_vs_sh": {}, "vxlan": {}, "wireguard": {}, "nfs": {}, "nfsv4": {}, "iscsi_tcp": {}, "dm_crypt": {}, "tun": {},
		"dummy": {}, "8021q": {}, "bonding": {},
	}
}

// linkedSysctls are settings that the kernel changes together.
func linkedSysctls() map[string]string {
	return map[string]string{
		"net.ipv4.ip_forward": "net.ipv4.conf.all.forwarding", "net.ipv4.conf.all.forwarding": "net.ipv4.ip_forward",
	}
}

// bootMounts is /proc/mounts after a boot.
const bootMounts = "/dev/vda1 / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\nsysfs /sys sysfs rw 0 0\n"

// bootKernel makes /proc and /sys as after a boot and empties what does not survive one.
func (m *Machine) bootKernel(now time.Time) error {
	m.fs.disk.mounts.Store(nil)
	d := m.fs.disk
	for _, dir := range []string{"/proc", "/sys", "/run", "/tmp"} {
		if err := d.clear(dir); err != nil {
			return err
		}
	}
	files := map[string]string{
		"/proc/modules": "", "/proc/uptime": "12.00 40.00\n", "/proc/loadavg": "0.08 0.03 0.01 1/123 456\n",
		"/proc/version": "Linux version " + kernelRelease + " (cxha sandbox)\n", "/proc/swaps": "Filename Type Size Used Priority\n",
		"/proc/meminfo":                   "MemTotal:        8130012 kB\nMemAvailable:    7442000 kB\nSwapTotal:             0 kB\n",
		"/proc/cpuinfo":                   strings.Repeat("model name\t: cxha sandbox\n\n", 4),
		"/proc/mounts":                    bootMounts,
		"/proc/filesystems":               "nodev\tproc\nnodev\tsysfs\n\text4\n",
		"/proc/sys/kernel/hostname":       m.hostname() + "\n",
		"/proc/sys/kernel/osrelease":      kernelRelease + "\n",
		"/proc/sys/kernel/random/boot_id": randomUUID() + "\n",
		"/proc/stat":                      fmt.Sprintf("btime %d\n", now.Unix()),
	}
	for key, value := range defaultSysctls() {
		files[sysctlPath(key)] = value + "\n"
	}
	made := map[string]bool{}
	for name, text := range files {
		if dir := path.Dir(name); !made[dir] {
			if err := d.plantDir(dir, 0o755); err != nil {
				return err
			}
			made[dir] = true
		}
		if err := d.plant(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return d.plantDir("/sys/module", 0o755)
}

func kernelFile(k *FS, name, text string) error {
	if err := k.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	return k.WriteFile(name, []byte(text), 0o644)
}

func sysctlPath(key string) string {
	return "/proc/sys/" + strings.ReplaceAll(strings.ReplaceAll(key, ".", "/"), "//", "/")
}

func (m *Machine) sysctl(key string) (string, error) {
	data, err := m.fs.ReadFile(sysctlPath(key))
	return strings.TrimRight(string(data), "\n"), err
}

// setSysctl changes a setting of the running kernel; numbers stay numbers.
func (m *Machine) setSysctl(key, value string) error {
	old, err := m.sysctl(key)
	if err != nil {
		return err
	}
	value = strings.Join(strings.Fields(value), "\t")
	if _, err := strconv.ParseInt(old, 10, 64); err == nil {
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return syscall.EINVAL
		}
	}
	keys := []string{key}
	if linked, ok := linkedSysctls()[strings.ReplaceAll(key, "/", ".")]; ok {
		keys = append(keys, linked)
	}
	for _, k := range keys {
		if err := m.fs.asKernel().WriteFile(sysctlPath(k), []byte(value+"\n"), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// loadModule loads a kernel module; its settings appear in /proc/sys.
func (m *Machine) loadModule(name string) error {
	name = strings.ReplaceAll(name, "-", "_")
	settings, ok := kernelModules()[name]
	if !ok {
		return fs.ErrNotExist
	}
	k := m.fs.asKernel()
	m.kernel.Lock()
	defer m.kernel.Unlock()
	if _, err := k.Stat("/sys/module/" + name); err == nil {
		return nil
	}
	loaded, err := k.ReadFile("/proc/modules")
	if err != nil {
		return err
	}
	for key, value := range settings {
		if err := kernelFile(k, sysctlPath(key), value+"\n"); err != nil {
			return err
		}
	}
	if err := kernelFile(k, "/sys/module/"+name+"/refcnt", "0\n"); err != nil {
		return err
	}
	line := name + " 16384 0 - Live 0x0000000000000000\n"
	return k.WriteFile("/proc/modules", append([]byte(line), loaded...), 0o444)
}

// unloadModule is modprobe -r.
func (m *Machine) unloadModule(name string) error {
	name = strings.ReplaceAll(name, "-", "_")
	k := m.fs.asKernel()
	m.kernel.Lock()
	defer m.kernel.Unlock()
	if _, err := k.Stat("/sys/module/" + name); err != nil {
		return err
	}
	loaded, err := k.ReadFile("/proc/modules")
	if err != nil {
		return err
	}
	lines := slices.DeleteFunc(slices.Collect(strings.Lines(string(loaded))), func(l string) bool {
		return strings.HasPrefix(l, name+" ")
	})
	for key := range kernelModules()[name] {
		if err := k.Remove(sysctlPath(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := k.RemoveAll("/sys/module/" + name); err != nil {
		return err
	}
	return k.WriteFile("/proc/modules", []byte(strings.Join(lines, "")), 0o444)
}

// configFiles are the files of directories such as sysctl.d: sorted by name, and a name in an earlier directory hides
// the same name in a later one.
func (m *Machine) configFiles(kind string) []string {
	chosen := map[string]string{}
	for _, dir := range []string{"/etc/", "/run/", "/usr/local/lib/", "/usr/lib/"} {
		entries, err := m.fs.ReadDir(dir + kind)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if _, hidden := chosen[e.Name()]; !hidden && strings.HasSuffix(e.Name(), ".conf") {
				chosen[e.Name()] = dir + kind + "/" + e.Name()
			}
		}
	}
	files := make([]string, 0, len(chosen))
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		files = append(files, chosen[name])
	}
	return files
}

// setting is one "key = value" of a sysctl file.
type setting struct {
	key, value string
	optional   bool // written with a leading "-": errors are ignored
}

// parseSysctls reads a file of sysctl.d; lines that are no settings are reported.
func parseSysctls(text string) (settings []setting, bad []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		name, optional := strings.CutPrefix(key, "-")
		if !ok || name == "" {
			bad = append(bad, line)
			continue
		}
		settings = append(settings, setting{key: name, value: strings.TrimSpace(value), optional: optional})
	}
	return settings, bad
}

// applyBootFiles loads the modules and applies the settings that are configured for every boot. As at a real boot, what
// does not work is left out.
func (m *Machine) applyBootFiles() []error {
	var failed []error
	for _, file := range m.configFiles("modules-load.d") {
		data, err := m.fs.ReadFile(file)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		for line := range strings.Lines(string(data)) {
			name := strings.TrimSpace(line)
			if name == "" || name[0] == '#' || name[0] == ';' {
				continue
			}
			if err := m.loadModule(name); err != nil {
				failed = append(failed, fmt.Errorf("module %s: %w", name, err))
			}
		}
	}
	for _, file := range m.configFiles("sysctl.d") {
		data, err := m.fs.ReadFile(file)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		settings, _ := parseSysctls(string(data))
		for _, s := range settings {
			if err := m.setSysctl(s.key, s.value); err != nil && !s.optional {
				failed = append(failed, fmt.Errorf("sysctl %s: %w", s.key, err))
			}
		}
	}
	return failed
}
