package remote_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/remote/sshtest"
	"github.com/expertflow/cxha/providers"
)

func TestConnectReturnsOneConnection(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{Handler: echo})
	c := connector(t, remote.Options{})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			host, err := c.Connect(t.Context(), w.Spec(h))
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := host.Run(t.Context(), script("true")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if h.Connections() != 1 || h.Commands() != 20 {
		t.Errorf("%d connections and %d commands, want 1 and 20", h.Connections(), h.Commands())
	}
	want := remote.Stats{Connections: 1, Commands: 20, Hosts: map[string]remote.HostStats{"w1": {Connections: 1, Commands: 20}}}
	if diff := cmp.Diff(want, c.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

func TestConnectRefusesWrongHostKey(t *testing.T) {
	t.Parallel()
	other := sshtest.NewKey(t).PublicKey()
	name := func(h *sshtest.Host, key ssh.PublicKey) string {
		return strings.Replace(h.KnownHostsLine(), authorized(h.HostKey()), authorized(key), 1)
	}
	for what, test := range map[string]struct {
		known   func(h *sshtest.Host) string
		problem remote.KeyProblem
		says    []string // besides the fingerprint
	}{
		"unknown": {func(*sshtest.Host) string { return "" }, remote.KeyUnknown, []string{"echo '[127.0.0.1]:"}},
		"changed": {func(h *sshtest.Host) string { return name(h, other) }, remote.KeyChanged,
			[]string{"HAS CHANGED", ssh.FingerprintSHA256(other), "ssh-keygen -f ", "echo '[127.0.0.1]:"}},
		"revoked": {func(h *sshtest.Host) string { return "@revoked * " + authorized(h.HostKey()) }, remote.KeyRevoked, []string{"revoked"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			h := w.Host("w1", sshtest.Options{})
			rewrite(t, w.KnownHosts(), test.known(h))
			_, err := connector(t, remote.Options{}).Connect(t.Context(), w.Spec(h))
			e := as[*remote.HostKeyError](t, err)
			if e.Problem != test.problem || e.Got != ssh.FingerprintSHA256(h.HostKey()) {
				t.Errorf("problem %s with %s, want %s with %s", e.Problem, e.Got, test.problem, ssh.FingerprintSHA256(h.HostKey()))
			}
			for _, text := range append(test.says, "host w1 (127.0.0.1:", e.Got) {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error %q does not say %q", err, text)
				}
			}
			if h.Connections() != 0 {
				t.Error("the user was logged in all the same")
			}
		})
	}
}

// What the hint tells people to paste is what makes the host known.
func TestHintForUnknownHostKeyWorks(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{})
	if err := os.Remove(w.KnownHosts()); err != nil {
		t.Fatal(err)
	}
	_, err := connector(t, remote.Options{}).Connect(t.Context(), w.Spec(h))
	e := as[*remote.HostKeyError](t, err)
	rewrite(t, w.KnownHosts(), e.Line)
	connect(t, connector(t, remote.Options{}), w.Spec(h))
}

// A server that has more keys than known_hosts names must not look changed.
func TestConnectAsksForTheKnownKeyType(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{MoreHostKeys: []ssh.Signer{sshtest.Signer(t, private)}})
	second := strings.Replace(h.KnownHostsLine(), authorized(h.HostKey()), authorized(sshtest.Signer(t, private).PublicKey()), 1)
	rewrite(t, w.KnownHosts(), second)
	connect(t, connector(t, remote.Options{}), w.Spec(h))
}

func TestConnectRefusesHostWithoutKnownKeyType(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{})
	rewrite(t, w.KnownHosts(), strings.Replace(h.KnownHostsLine(), authorized(h.HostKey()), authorized(sshtest.Signer(t, private).PublicKey()), 1))
	_, err = connector(t, remote.Options{}).Connect(t.Context(), w.Spec(h))
	e := as[*remote.HostKeyError](t, err)
	if e.Problem != remote.KeyRejected || !strings.Contains(err.Error(), "known are keys of type ecdsa-sha2-nistp256, but the host has only ssh-ed25519") {
		t.Errorf("got %s: %v", e.Problem, err)
	}
}

func TestConnectWithoutLogin(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		options sshtest.Options
		change  func(t *testing.T, w *sshtest.World, s *providers.HostSpec)
		says    string
	}{
		"refused key":    {sshtest.Options{NoLogin: true}, nil, "does not accept the key ssh-ed25519 SHA256:"},
		"passwords only": {sshtest.Options{Passwords: true}, nil, "takes no keys, only password"},
		"no key file": {sshtest.Options{}, func(_ *testing.T, _ *sshtest.World, s *providers.HostSpec) { s.SSH.Key += ".not" },
			"cannot be read"},
		"no key in file": {sshtest.Options{}, func(_ *testing.T, w *sshtest.World, s *providers.HostSpec) { s.SSH.Key = w.KnownHosts() },
			"is no private key"},
		"passphrase": {sshtest.Options{}, func(t *testing.T, _ *sshtest.World, s *providers.HostSpec) { s.SSH.Key, _ = locked(t) },
			"set agent = true"},
		"no agent": {sshtest.Options{}, func(_ *testing.T, _ *sshtest.World, s *providers.HostSpec) { s.SSH.Key = "" },
			"SSH agent does not answer"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			spec := w.Spec(w.Host("w1", test.options))
			if test.change != nil {
				test.change(t, w, &spec)
			}
			_, err := connector(t, remote.Options{AgentSocket: filepath.Join(t.TempDir(), "none")}).Connect(t.Context(), spec)
			_ = as[*remote.AuthError](t, err)
			for _, text := range []string{"host w1 (127.0.0.1:", "no login as ops: ", test.says} {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("error %q does not say %q", err, text)
				}
			}
		})
	}
}

func TestConnectWithAgent(t *testing.T) {
	t.Parallel()
	key, signer := locked(t)
	old := oldForm(t)
	withPub := oldForm(t)
	rewrite(t, withPub+".pub", authorized(sshtest.Signer(t, signer).PublicKey()))
	six := []any{newPrivate(t), newPrivate(t), newPrivate(t), newPrivate(t), newPrivate(t), newPrivate(t)} // as many as a server bears
	for what, test := range map[string]struct {
		key  string
		keys []any // in the agent
		says string
	}{
		"the agent's key":         {"", []any{newPrivate(t), signer}, ""},
		"passphrase, key there":   {key, append(six, signer), ""},
		"too many keys":           {"", append(six, signer), "name the right one in the ssh block"},
		"old form with .pub":      {withPub, append(six, signer), ""},
		"old form without .pub":   {old, []any{newPrivate(t), signer}, ""},
		"wrong keys":              {"", six[:2], "does not accept any of the 2 keys"},
		"passphrase, key missing": {key, []any{newPrivate(t)}, "ssh-add " + key},
		"empty agent":             {"", nil, "holds no keys"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			h := w.Host("w1", sshtest.Options{UserKey: sshtest.Signer(t, signer).PublicKey()})
			spec := w.Spec(h)
			spec.SSH.Key, spec.SSH.Agent = test.key, true
			c := connector(t, remote.Options{AgentSocket: serveAgent(t, test.keys)})
			_, err := c.Connect(t.Context(), spec)
			if test.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			_ = as[*remote.AuthError](t, err)
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %q does not say %q", err, test.says)
			}
		})
	}
}

func TestConnectUnreachable(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		change func(t *testing.T, h *sshtest.Host, s *providers.HostSpec)
		says   string
		limit  time.Duration
	}{
		"off":           {func(_ *testing.T, h *sshtest.Host, _ *providers.HostSpec) { h.Off() }, "refused", 0},
		"silent":        {func(_ *testing.T, h *sshtest.Host, _ *providers.HostSpec) { h.Cut() }, "within 500ms", 500 * time.Millisecond},
		"no name":       {func(_ *testing.T, _ *sshtest.Host, s *providers.HostSpec) { s.Address = "no.such.host.invalid" }, "cannot be resolved", 0},
		"hangs up":      {func(t *testing.T, _ *sshtest.Host, s *providers.HostSpec) { s.SSH.Port = plain(t, "") }, "closed the connection during the handshake", 0},
		"other ciphers": {func(t *testing.T, _ *sshtest.Host, s *providers.HostSpec) { *s = narrow(t) }, "no common algorithm for client to server cipher", 0},
		"another one": {func(t *testing.T, _ *sshtest.Host, s *providers.HostSpec) {
			s.SSH.Port = plain(t, "220 mail ready\r\n")
		}, "handshake", 0},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			h := w.Host("w1", sshtest.Options{})
			spec := w.Spec(h)
			test.change(t, h, &spec)
			_, err := connector(t, remote.Options{Timeout: test.limit}).Connect(t.Context(), spec)
			e := as[*remote.UnreachableError](t, err)
			if !strings.HasPrefix(err.Error(), "host w1 (") || !strings.Contains(e.Reason, test.says) || e.Hint() == "" {
				t.Errorf("error %q does not say %q", err, test.says)
			}
		})
	}
}

// narrow returns how to reach a host that speaks no cipher of ours.
func narrow(t testing.TB) providers.HostSpec {
	w := sshtest.NewWorld(t)
	return w.Spec(w.Host("w1", sshtest.Options{Ciphers: []string{ssh.InsecureCipherTripleDESCBC}}))
}

// A server that turns the first clients away, as sshd does beyond MaxStartups, is tried again.
func TestConnectTriesAgain(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { _ = l.Close() })
	all.Go(func() {
		for n := 0; ; n++ {
			near, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			if n < 2 {
				_ = near.Close()
				continue
			}
			far, err := net.Dial("tcp", h.Addr())
			if err != nil {
				t.Error(err)
				return
			}
			join(&all, near, far)
		}
	})
	spec := w.Spec(h)
	spec.SSH.Port = l.Addr().(*net.TCPAddr).Port
	_, port, _ := strings.Cut(h.Addr(), ":")
	rewrite(t, w.KnownHosts(), strings.Replace(h.KnownHostsLine(), port, fmt.Sprint(spec.SSH.Port), 1))
	_, err = connector(t, remote.Options{Retries: 1}).Connect(t.Context(), spec)
	_ = as[*remote.UnreachableError](t, err)
	connect(t, connector(t, remote.Options{Retries: 1}), spec)
}

func TestConnectStops(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{})
	h.Cut()
	ctx, cancel := context.WithCancel(t.Context())
	c := connector(t, remote.Options{})
	failed := make(chan error)
	go func() {
		_, err := c.Connect(ctx, w.Spec(h))
		failed <- err
	}()
	until(t, "the host sees the client", func() bool { return h.Clients() == 1 })
	cancel()
	select {
	case err := <-failed:
		if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "host w1 (") {
			t.Errorf("got %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Connect goes on")
	}
	h.Mend()
	connect(t, c, w.Spec(h)) // the dial that was called off leaves nothing behind
}

func TestClosedConnector(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	spec := w.Spec(w.Host("w1", sshtest.Options{}))
	c := remote.NewConnector(remote.Options{})
	host, err := c.Connect(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = host.Run(t.Context(), script("true"))
	_ = as[*remote.UnreachableError](t, err)
	_, err = c.Connect(t.Context(), spec)
	_ = as[*remote.UnreachableError](t, err)
}

func as[E error](t testing.TB, err error) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("got %T: %v, want %T", err, err, e)
	}
	return e
}

func authorized(k ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(k)))
}

func rewrite(t testing.TB, path, line string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(line+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func newPrivate(t testing.TB) any {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return private
}

// locked writes a private key with a passphrase and returns its path and the key.
func locked(t testing.TB) (path string, private any) {
	t.Helper()
	private = newPrivate(t)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(private.(*ecdsa.PrivateKey), "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "id")
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, private
}

// oldForm writes what begins like a private key with a passphrase in PEM's own form, which does not tell the public half.
func oldForm(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "id")
	block := &pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: []byte("x")}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serveAgent runs an SSH agent and returns its socket.
func serveAgent(t testing.TB, keys []any) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: k}); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "agent") // a short path: sockets' names are limited
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			go func() { _ = agent.ServeAgent(ring, c) }() // ends with the client
		}
	}()
	return l.Addr().String()
}

// plain listens, greets every client with text and hangs up. It returns the port.
func plain(t testing.TB, text string) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // the test is over
			}
			_, _ = c.Write([]byte(text))
			_ = c.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func TestClosedHostConnectsAnew(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{Handler: echo})
	c := connector(t, remote.Options{})
	old := connect(t, c, w.Spec(h))
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := old.Run(within(t), script("true"))
	_ = as[*remote.UnreachableError](t, err)
	if _, err := connect(t, c, w.Spec(h)).Run(within(t), script("true")); err != nil {
		t.Error(err)
	}
	until(t, "the old connection is gone", func() bool { return h.Clients() == 1 })
}
