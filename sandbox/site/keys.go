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

	"github.com/expertflow/cxha/sandbox/machine"
)

// clientKey finds or makes the key pair that opens the hosts and returns the line for authorized_keys.
func (p Paths) clientKey() (string, error) {
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

// writeKnownHosts lists the bastion as [127.0.0.1]:PORT and the hosts by address.
func (p Paths) writeKnownHosts(bastion *machine.Machine, port int, hosts []*machine.Machine) error {
	key, err := bastion.HostKey()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintln(&b, knownhosts.Line([]string{fmt.Sprintf("[127.0.0.1]:%d", port)}, key))
	for _, m := range hosts {
		key, err := m.HostKey()
		if err != nil {
			return err
		}
		fmt.Fprintln(&b, knownhosts.Line([]string{m.Net().Addrs()[0].String()}, key))
	}
	return replaceFile(p.KnownHosts(), b.Bytes(), 0o644)
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
