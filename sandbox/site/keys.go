package site

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// EnsureClientKey finds or makes the key pair that opens the hosts and returns the line for authorized_keys.
func (p Paths) EnsureClientKey() (string, error) {
	data, err := os.ReadFile(p.ClientKey() + ".pub")
	if err == nil {
		return string(data), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(p.ClientKey()), 0o700); err != nil {
		return "", err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(key, "cxha-sandbox")
	if err != nil {
		return "", err
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return "", err
	}
	line := ssh.MarshalAuthorizedKey(public)
	if err := replaceFile(p.ClientKey(), pem.EncodeToMemory(block), 0o600); err != nil {
		return "", err
	}
	return string(line), replaceFile(p.ClientKey()+".pub", line, 0o644)
}

// WriteSSH writes the file of known hosts, with the bastion as [127.0.0.1]:PORT and the hosts by address, and the configuration
// for a stock ssh. The public host keys are by host name, the bastion's among them.
func (p Paths) WriteSSH(port int, hosts []Host, keys map[string]ssh.PublicKey) error {
	var b bytes.Buffer
	line := func(name, address string) error {
		key, ok := keys[name]
		if !ok {
			return fmt.Errorf("host %s: it has no host key", name)
		}
		fmt.Fprintln(&b, knownhosts.Line([]string{address}, key))
		return nil
	}
	if err := line(BastionName, fmt.Sprintf("[127.0.0.1]:%d", port)); err != nil {
		return err
	}
	for _, h := range hosts {
		if err := line(h.Name, h.Address.String()); err != nil {
			return err
		}
	}
	return errors.Join(replaceFile(p.KnownHosts(), b.Bytes(), 0o644), p.writeSSHConfig(port, hosts))
}

// writeSSHConfig is for people with a stock ssh.
func (p Paths) writeSSHConfig(port int, hosts []Host) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Host sandbox-bastion\n  HostName 127.0.0.1\n  Port %d\n  User %s\n", port, JumpUser)
	for _, h := range hosts {
		fmt.Fprintf(&b, "Host %s\n  HostName %s\n  User %s\n  ProxyJump sandbox-bastion\n", h.Name, h.Address, AdminUser)
	}
	fmt.Fprintf(&b, "Host *\n  IdentityFile %q\n  IdentitiesOnly yes\n  UserKnownHostsFile %q\n", p.ClientKey(), p.KnownHosts())
	return replaceFile(p.SSHConfig(), b.Bytes(), 0o644)
}
