package machine

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

const (
	hostKeyFile = "/etc/ssh/ssh_host_ed25519_key"
	multiFile   = "/usr/lib/cxha-sandbox/commands"
)

// install puts a small Debian 12 on an empty disk; a disk that has one is left alone. The host key is written last, so that
// an installation that was broken off is done again.
func (m *Machine) install(opts Options) error {
	if _, err := m.fs.Stat(hostKeyFile); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := m.installDirs(); err != nil {
		return err
	}
	for name, f := range baseFiles(opts) {
		if err := m.fs.disk.plant(name, []byte(f.Text), fromOctal(f.Mode)); err != nil {
			return err
		}
	}
	for name, f := range opts.Files {
		if err := m.fs.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		if err := m.fs.WriteFile(name, []byte(f.Text), fromOctal(f.Mode)); err != nil {
			return err
		}
	}
	if err := m.installCommands(); err != nil {
		return err
	}
	if err := m.installUsers(opts); err != nil {
		return err
	}
	if err := m.installUnits(opts); err != nil {
		return err
	}
	return m.installHostKey()
}

func (m *Machine) installDirs() error {
	for dir, mode := range map[string]uint32{
		"/etc/systemd/system/multi-user.target.wants": 0o755, "/etc/sysctl.d": 0o755, "/etc/modules-load.d": 0o755,
		"/etc/sudoers.d": 0o750, "/etc/ssh": 0o755, "/etc/default": 0o755, "/root": 0o700, "/home": 0o755, "/var/log": 0o755,
		"/var/lib": 0o755, "/var/tmp": 0o1777, "/tmp": 0o1777, "/run": 0o755, "/opt": 0o755, "/mnt": 0o755, "/srv": 0o755,
		"/usr/bin": 0o755, "/usr/sbin": 0o755, "/usr/lib/systemd/system": 0o755, "/usr/lib/cxha-sandbox": 0o755,
		"/usr/local/bin": 0o755, "/usr/local/sbin": 0o755, "/usr/local/lib/systemd/system": 0o755, "/usr/local/share": 0o755,
		"/var/lib/dpkg": 0o755, "/proc": 0o555, "/sys": 0o555, "/dev": 0o755,
	} {
		if err := m.fs.disk.plantDir(dir, fromOctal(mode)); err != nil {
			return err
		}
	}
	for link, target := range map[string]string{
		"/bin": "usr/bin", "/sbin": "usr/sbin", "/lib": "usr/lib", "/var/run": "/run", "/etc/mtab": "../proc/self/mounts",
	} {
		if err := m.fs.disk.plantLink(target, link); err != nil {
			return err
		}
	}
	for _, device := range []string{"null", "zero", "random", "urandom", "full", "stdin", "stdout", "stderr"} {
		if err := m.fs.disk.plant("/dev/"+device, nil, 0o666); err != nil {
			return err
		}
	}
	return nil
}

func baseFiles(opts Options) map[string]InstalledFile {
	hosts := "127.0.0.1\tlocalhost\n127.0.1.1\t" + opts.Name + "\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	for _, name := range slices.Sorted(maps.Keys(opts.Hosts)) {
		hosts += fmt.Sprintf("%s\t%s\n", opts.Hosts[name], name)
	}
	passwd := "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" +
		"sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n"
	groups := "root:x:0:\nadm:x:4:\nsudo:x:27:\nnogroup:x:65534:\n"
	for n, u := range opts.Users {
		shell := u.Shell
		if shell == "" {
			shell = "/bin/sh"
		}
		id := 1000 + n
		passwd += fmt.Sprintf("%s:x:%d:%d::/home/%s:%s\n", u.Name, id, id, u.Name, shell)
		groups += fmt.Sprintf("%s:x:%d:\n", u.Name, id)
	}
	return map[string]InstalledFile{
		"/etc/os-release": {"PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n" +
			"VERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\nVARIANT=\"cxha sandbox\"\n", 0o644},
		"/etc/debian_version": {"12.11\n", 0o644}, "/etc/hostname": {opts.Name + "\n", 0o644}, "/etc/hosts": {hosts, 0o644},
		"/etc/machine-id": {strings.ReplaceAll(randomUUID(), "-", "") + "\n", 0o444}, "/etc/passwd": {passwd, 0o644},
		"/etc/group": {groups, 0o644}, "/etc/resolv.conf": {"# the sandbox has no name server: see /etc/hosts\n", 0o644},
		"/etc/sysctl.conf": {"", 0o644}, "/etc/sudoers": {"root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n", 0o440},
		dpkgStatus: {statusText(), 0o644}, "/etc/fstab": {"/dev/vda1 / ext4 defaults 0 1\n", 0o644},
	}
}

// installCommands makes /usr/bin and /usr/sbin: every command is a link to one file, as with busybox.
func (m *Machine) installCommands() error {
	if err := m.fs.disk.plant(multiFile, []byte(interpreter+multicall+"\n"), 0o755); err != nil {
		return err
	}
	system := []string{"sysctl", "modprobe", "lsmod", "sshd", "useradd", "iptables", "ip"}
	daemons := slices.Collect(maps.Keys(daemonCommands()))
	for name := range m.base {
		dir := "/usr/bin/"
		if slices.Contains(system, name) {
			dir = "/usr/sbin/"
		} else if slices.Contains(daemons, name) {
			continue // comes with its unit
		}
		if err := m.fs.disk.plantLink("../lib/cxha-sandbox/commands", dir+name); err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) installUsers(opts Options) error {
	keys := []byte(strings.Join(opts.AuthorizedKeys, "\n") + "\n")
	for _, u := range append([]User{{Name: "root"}}, opts.Users...) {
		home := "/home/" + u.Name
		if u.Name == "root" {
			home = "/root"
		}
		as := m.fs
		if err := as.MkdirAll(home+"/.ssh", 0o700); err != nil {
			return err
		}
		if err := as.WriteFile(home+"/.ssh/authorized_keys", keys, 0o600); err != nil {
			return err
		}
		for _, name := range []string{home, home + "/.ssh", home + "/.ssh/authorized_keys"} {
			if err := as.Chown(name, u.Name, u.Name); err != nil {
				return err
			}
		}
		if u.Sudo {
			if err := as.WriteFile("/etc/sudoers.d/90-"+u.Name, []byte(u.Name+" ALL=(ALL) NOPASSWD:ALL\n"), 0o440); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Machine) installUnits(opts Options) error {
	daemons := map[string]string{"ssh": sshUnit, "systemd-timesyncd": timesyncUnit}
	if opts.NetworkManager {
		daemons["NetworkManager"] = networkManagerUnit
		if err := m.fs.MkdirAll("/etc/NetworkManager/conf.d", 0o755); err != nil {
			return err
		}
	} else {
		daemons["systemd-networkd"] = networkdUnit
	}
	switch opts.Firewall {
	case "ufw":
		daemons["ufw"] = ufwUnit
	case "firewalld":
		daemons["firewalld"] = firewalldUnit
	case "":
	default:
		return fmt.Errorf("firewall %q is not known", opts.Firewall)
	}
	for name, text := range daemons {
		if err := m.fs.WriteFile("/usr/lib/systemd/system/"+name+".service", []byte(text), 0o644); err != nil {
			return err
		}
		d, err := m.loadUnit(name + ".service")
		if err != nil {
			return err
		}
		for _, line := range append(append(slices.Clone(d.start), d.reload...), d.stop...) {
			if err := m.fs.MkdirAll(path.Dir(line.args[0]), 0o755); err != nil {
				return err
			}
			if err := m.fs.Symlink(multiFile, line.args[0]); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		}
		if err := m.units.Enable(name, func(string) {}); err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) installHostKey() error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(key, "root@"+m.name)
	if err != nil {
		return err
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := m.fs.WriteFile(hostKeyFile+".pub", ssh.MarshalAuthorizedKey(public), 0o644); err != nil {
		return err
	}
	return m.fs.WriteFile(hostKeyFile, pem.EncodeToMemory(block), 0o600)
}

// HostKey is the public host key of the machine's sshd, as on disk now.
func (m *Machine) HostKey() (ssh.PublicKey, error) {
	signer, err := m.hostSigner()
	if err != nil {
		return nil, err
	}
	return signer.PublicKey(), nil
}

func (m *Machine) hostSigner() (ssh.Signer, error) {
	data, err := m.fs.ReadFile(hostKeyFile)
	if err != nil {
		return nil, fmt.Errorf("host %s: host key: %w", m.name, err)
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err != nil {
		return nil, fmt.Errorf("host %s: host key: %w", m.name, err)
	}
	return signer, nil
}
