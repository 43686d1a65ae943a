//go:build linux

package lab

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/expertflow/cxha/sandbox/site"
)

// owner is the user id of the accounts that the base system has besides root.
var owner = map[string]int{site.AdminUser: 1000, site.JumpUser: 1001}

// seed is a file or directory that makes a host what it is.
type seed struct {
	name string // below the root; a directory when text is nil
	text []byte
	mode fs.FileMode
	user int // owner and group
	link string
}

// prepareFiles makes a host's own layer of files, once: what it changes stays over boots.
func (h *host) prepareFiles(ctx context.Context) error {
	dir := h.lab.paths.Host(h.Name)
	upper := filepath.Join(dir, "upper")
	for _, sub := range []string{"work", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	if _, err := os.Stat(upper); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if out, err := exec.CommandContext(ctx, "cp", "-a", "-T", filepath.Join(h.lab.config.Base, "var/lib"), filepath.Join(dir, "lib")).CombinedOutput(); err != nil {
		return fmt.Errorf("copy of /var/lib: %w\n%s", err, out)
	}
	part := upper + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	seeds, err := h.seeds()
	if err != nil {
		return err
	}
	for _, s := range seeds {
		if err := s.write(part); err != nil {
			return err
		}
	}
	return os.Rename(part, upper)
}

func (s seed) write(root string) error {
	name := filepath.Join(root, s.name)
	switch {
	case s.link != "":
		return os.Symlink(s.link, name)
	case s.text == nil:
		if err := os.Mkdir(name, s.mode); err != nil {
			return err
		}
	default:
		if err := os.WriteFile(name, s.text, s.mode); err != nil {
			return err
		}
	}
	return errors.Join(os.Chown(name, s.user, s.user), os.Chmod(name, s.mode))
}

// seeds are what differs between hosts. Directories have the modes that they have in the base system.
func (h *host) seeds() ([]seed, error) {
	private, public, err := hostKey(h.Name)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	key := []byte(h.lab.key)
	all := []seed{
		{name: "", mode: 0o755}, {name: "etc", mode: 0o755}, {name: "etc/ssh", mode: 0o755}, {name: "home", mode: 0o755},
		{name: "etc/hostname", text: []byte(h.Name + "\n"), mode: 0o644},
		{name: "etc/machine-id", text: []byte(hex.EncodeToString(id) + "\n"), mode: 0o444},
		{name: "etc/hosts", text: h.hostsFile(), mode: 0o644},
		{name: "etc/ssh/ssh_host_ed25519_key", text: private, mode: 0o600}, {name: "etc/ssh/ssh_host_ed25519_key.pub", text: public, mode: 0o644},
	}
	if h.Name == site.BastionName {
		jump := "Match User " + site.JumpUser + "\n    PermitTTY no\n    X11Forwarding no\n    AllowAgentForwarding no\n    ForceCommand /usr/sbin/nologin\n"
		all = append(all, seed{name: "etc/ssh/sshd_config.d", mode: 0o755}, seed{name: "etc/ssh/sshd_config.d/zz-jump.conf", text: []byte(jump), mode: 0o644})
		return append(all, account("home/"+site.JumpUser, owner[site.JumpUser], key)...), nil
	}
	all = append(append(all, account("home/"+site.AdminUser, owner[site.AdminUser], key)...), account("root", 0, key)...)
	return append(all, differences(h.Name)...), nil
}

func account(home string, user int, key []byte) []seed {
	return []seed{
		{name: home, mode: 0o700, user: user}, {name: home + "/.ssh", mode: 0o700, user: user},
		{name: home + "/.ssh/authorized_keys", text: key, mode: 0o600, user: user},
	}
}

// differences make the hosts differ, so that there is something to find: the first worker has ufw running, the second
// NetworkManager.
func differences(name string) []seed {
	wants := []seed{{name: "etc/systemd", mode: 0o755}, {name: "etc/systemd/system", mode: 0o755}, {name: "etc/systemd/system/multi-user.target.wants", mode: 0o755}}
	enabled := func(unit string) seed {
		return seed{name: "etc/systemd/system/multi-user.target.wants/" + unit, link: "/lib/systemd/system/" + unit}
	}
	switch name {
	case "w1":
		return append(wants, enabled("ufw.service"), seed{name: "etc/ufw", mode: 0o755},
			seed{name: "etc/ufw/ufw.conf", text: []byte("ENABLED=yes\nLOGLEVEL=off\n"), mode: 0o644})
	case "w2":
		return append(wants, enabled("NetworkManager.service"))
	}
	return nil
}

func (h *host) hostsFile() []byte {
	return fmt.Appendf(nil, "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n%s %s\n%s %s\n", h.Address, h.Name, site.MirrorAddress, site.MirrorName)
}

func hostKey(name string) (private, public []byte, err error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, name)
	if err != nil {
		return nil, nil, err
	}
	line, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(block), ssh.MarshalAuthorizedKey(line), nil
}

// writeFiles makes the hosts' files and those of the operator: keys, ssh configuration, blueprint.
func (l *Lab) writeFiles(ctx context.Context) error {
	keys := map[string]ssh.PublicKey{}
	for _, h := range l.hosts {
		if err := h.prepareFiles(ctx); err != nil {
			return fmt.Errorf("host %s: %w", h.Name, err)
		}
		text, err := os.ReadFile(filepath.Join(l.paths.Host(h.Name), "upper/etc/ssh/ssh_host_ed25519_key.pub"))
		if err != nil {
			return err
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey(text)
		if err != nil {
			return fmt.Errorf("host %s: host key: %w", h.Name, err)
		}
		keys[h.Name] = key
	}
	return errors.Join(l.paths.WriteSSH(l.bastion.port, l.layout, keys), l.paths.WriteBlueprint(l.config.Example, l.bastion.port, l.charts.Sources(), l.layout))
}
