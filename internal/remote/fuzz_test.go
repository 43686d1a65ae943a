package remote_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/remote/sshtest"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema/blueprint"
)

// No known_hosts file that lacks the host's key makes the host known.
func FuzzKnownHosts(f *testing.F) {
	w := sshtest.NewWorld(f)
	h := w.Host("w1", sshtest.Options{})
	other := authorized(sshtest.NewKey(f).PublicKey())
	for _, seed := range []string{"", "*", "* ssh-ed25519", "* " + other, "@cert-authority * " + other, "@revoked * " + other,
		"127.0.0.1 " + other, "|1|aGVsbG8=|d29ybGQ= " + other, "# comment\n\n* ssh-rsa AAAA", "* !127.0.0.1 " + other} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if strings.Contains(string(file), strings.Fields(authorized(h.HostKey()))[1]) {
			t.Skip("the host's key")
		}
		spec := w.Spec(h)
		spec.SSH.KnownHosts = t.TempDir() + "/known_hosts"
		if err := os.WriteFile(spec.SSH.KnownHosts, file, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := connector(t, remote.Options{}).Connect(t.Context(), spec)
		_ = as[*remote.HostKeyError](t, err)
	})
}

// Any address is either dialled or told as unreachable, with the host named first.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"127.0.0.1", "::1", "[::1]", "fe80::1%lo", "", "[", "a]b", "127.0.0.1:22", "-x", "%", "\x00"} {
		f.Add(seed, 1)
	}
	w := sshtest.NewWorld(f)
	f.Fuzz(func(t *testing.T, address string, port int) {
		if strings.Trim(address, "0123456789abcdef.:[]%\x00 ") != "" {
			t.Skip("would be looked up in the name service")
		}
		bastion := &blueprint.Bastion{Address: "127.0.0.1", Port: 1} // nothing listens there, so no host of any network is reached
		spec := providers.HostSpec{Name: "w1", Address: address, SSH: blueprint.SSH{Port: port, Key: w.KeyFile(), KnownHosts: w.KnownHosts(), Bastion: bastion}}
		_, err := connector(t, remote.Options{}).Connect(t.Context(), spec)
		var e *remote.UnreachableError
		if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "host w1 (") {
			t.Errorf("got %v", err)
		}
	})
}
