package remote_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/expertflow/cxha/internal/remote"
	"github.com/expertflow/cxha/internal/remote/sshtest"
)

// futureKey is what OpenSSH 10.6 writes by itself: a type of key that this build does not know.
const futureKey = "ssh-mldsa44-ed25519 AAAAE3NzaC1tbGRzYTQ0LWVkMjU1MTkAAAAgZ2VuZXJhdGVkIGJ5IGEgdGVzdCwgbm8gcmVhbCBrZXk="

// badLines are lines that ssh skips too, by what the warning says of them. Each is about every host.
func badLines(t testing.TB) map[string]string {
	key := authorized(sshtest.NewKey(t).PublicKey())
	return map[string]string{
		`key type "ssh-mldsa44-ed25519" is not known to cxha`:     "* " + futureKey,
		"its key is not base64":                                   "* ssh-ed25519 AAAA!",
		"its key cannot be read":                                  "* ssh-ed25519 AAAAC3NzaC1lZDI1NTE5",
		`its key is of type ssh-ed25519, not "ssh-rsa"`:           strings.Replace("* "+key, "ssh-ed25519", "ssh-rsa", 1),
		"it is not complete":                                      "* ssh-ed25519",
		`its marker "@trusted" is not known`:                      "@trusted * " + key,
		"it has two markers":                                      "@cert-authority @revoked " + key,
		"its hashed name has a form":                              "|2|aGVsbG8=|d29ybGQ= " + key,
		"its hashed name is not base64":                           "|1|aGVsbG8=|?? " + key,
		`the host "[127.0.0.1" in it is not [NAME]:PORT`:          "[127.0.0.1 " + key,
		"negated and has no name":                                 "!,* " + key,
		"it has more than":                                        "* " + key + strings.Repeat(" x", 40<<10),
		`its key type "ssh-mldsa44-ed25519" is not known to cxha`: "@revoked * " + futureKey,
	}
}

func TestBrokenKnownHostsLinesAreSkipped(t *testing.T) {
	t.Parallel()
	for what, bad := range badLines(t) {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			h := w.Host("w1", sshtest.Options{})
			rewrite(t, w.KnownHosts(), "# mine\n\n"+bad+"\n"+h.KnownHostsLine())
			c := connector(t, remote.Options{})
			connect(t, c, w.Spec(h))
			got := strings.Join(c.Warnings(), "\n")
			if !strings.Contains(got, w.KnownHosts()+":3 is skipped: ") || !strings.Contains(got, what) || strings.Contains(got, ":4 ") {
				t.Errorf("the warning is %q, want line 3 and %q", got, what)
			}
			if again := c.Warnings(); len(again) > 0 {
				t.Errorf("warned again: %q", again)
			}
			rewrite(t, w.KnownHosts(), bad) // alone it makes nothing known
			_, err := connector(t, remote.Options{}).Connect(t.Context(), w.Spec(h))
			if e := as[*remote.HostKeyError](t, err); e.Problem != remote.KeyUnknown {
				t.Errorf("without the host's own line: %s, %v; want an unknown key", e.Problem, err)
			}
		})
	}
}

// Among lines that are skipped, the others mean what they always did.
func TestSkippedLinesLeaveTheOthers(t *testing.T) {
	t.Parallel()
	other := sshtest.NewKey(t).PublicKey()
	for what, test := range map[string]struct {
		lines   func(h *sshtest.Host) string
		problem remote.KeyProblem // empty: none
		says    string
	}{
		"hashed": {func(h *sshtest.Host) string {
			return strings.Replace(h.KnownHostsLine(), knownhosts.Normalize(h.Addr()), knownhosts.HashHostname(knownhosts.Normalize(h.Addr())), 1)
		}, "", ""},
		"changed": {func(h *sshtest.Host) string {
			return strings.Replace(h.KnownHostsLine(), authorized(h.HostKey()), authorized(other), 1)
		}, remote.KeyChanged, "known_hosts:4)"},
		"revoked":   {func(h *sshtest.Host) string { return h.KnownHostsLine() + "\n@revoked * " + authorized(h.HostKey()) }, remote.KeyRevoked, ""},
		"authority": {func(*sshtest.Host) string { return "@cert-authority * " + authorized(other) }, remote.KeyRejected, ""},
		"revocation that cannot be read": {func(h *sshtest.Host) string {
			return h.KnownHostsLine() + "\n@revoked " + knownhosts.Normalize(h.Addr()) + " ssh-ed25519 AAAA"
		},
			remote.KeyRejected, "marks a key of the host as @revoked cannot be read"},
		"another host's revocation": {func(h *sshtest.Host) string { return h.KnownHostsLine() + "\n@revoked other.example ssh-ed25519 AAAA" }, "", ""},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := sshtest.NewWorld(t)
			h := w.Host("w1", sshtest.Options{})
			rewrite(t, w.KnownHosts(), "* "+futureKey+"\n* ssh-ed25519 broken\n\n"+test.lines(h))
			_, err := connector(t, remote.Options{}).Connect(t.Context(), w.Spec(h))
			if test.problem == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := as[*remote.HostKeyError](t, err); e.Problem != test.problem || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: %v; want %s and %q", e.Problem, err, test.problem, test.says)
			}
		})
	}
}

func TestManySkippedLinesAreOneWarning(t *testing.T) {
	t.Parallel()
	w := sshtest.NewWorld(t)
	h := w.Host("w1", sshtest.Options{})
	rewrite(t, w.KnownHosts(), strings.Repeat("* "+futureKey+"\n", 200)+h.KnownHostsLine())
	c := connector(t, remote.Options{})
	connect(t, c, w.Spec(h))
	if got := c.Warnings(); len(got) != 1 || !strings.Contains(got[0], "197 more lines of that file are skipped too") {
		t.Errorf("warned %q", got)
	}
}

// A line that is not skipped is one that the library reads: otherwise it would refuse the whole file.
func FuzzKnownHostsLine(f *testing.F) {
	for _, line := range badLines(f) {
		if len(line) < 1000 {
			f.Add(line)
		}
	}
	key := authorized(sshtest.NewKey(f).PublicKey())
	for _, hosts := range []string{"w1", "@revoked *", "@cert-authority *.example", "[w1]:2222,!w2", "|1|aGVsbG8=|d29ybGQ=", "w1\t"} {
		f.Add(hosts + " " + key + " comment\r")
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") || remote.Unusable(line) != "" {
			return
		}
		file := filepath.Join(t.TempDir(), "known_hosts")
		rewrite(t, file, line)
		if _, err := knownhosts.New(file); err != nil {
			t.Errorf("%q is not skipped, and the library says %v", line, err)
		}
	})
}
