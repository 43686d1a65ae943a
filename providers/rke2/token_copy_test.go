package rke2_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/providers/rke2"
	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// facts is a session in which only the tokens of the control plane can be had; with an empty reply it did not answer.
type facts struct{ reply string }

func (facts) Host(context.Context, string) (providers.Host, error) { return nil, os.ErrNotExist }
func (f facts) Fact(host, name string) (providers.Reply, bool) {
	return providers.Reply{Stdout: f.reply}, f.reply != "" && host == "cp1" && name == "rke2.tokens"
}
func (facts) Progress(schema.Addr, string) {}

func copyBlueprint(t *testing.T) (*blueprint.Blueprint, *age.X25519Identity, string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	bp := providertest.Blueprint()
	bp.Dir = t.TempDir()
	path := filepath.Join(bp.Dir, "tokens.age")
	bp.Cluster.TokenCopy = blueprint.TokenCopy{Path: path, Recipients: []string{id.Recipient().String()}}
	return bp, id, path
}

func TestTokenCopyKeepsTheContract(t *testing.T) {
	t.Parallel()
	bp, id, path := copyBlueprint(t)
	p := rke2.New(rke2.Options{CopyCost: 4})
	r := providertest.Compile(t, p, bp)["control_plane.cp1/rke2.token_copy"]
	if got := r.Desired.GetAttr("path").AsString(); got != "tokens.age" {
		t.Errorf("the path in plans is %q, want it relative to the blueprint", got)
	}
	write := func(content string) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	other, err := rke2.SealTokens(bp.Cluster.TokenCopy.Recipients, 4, "old", "tokens")
	if err != nil {
		t.Fatal(err)
	}
	someone, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := rke2.SealTokens([]string{someone.Recipient().String()}, 4, "s3rver", "ag3nt")
	if err != nil {
		t.Fatal(err)
	}
	providertest.RunCalls(t, providertest.CallCase{
		Provider: p, Blueprint: bp, Session: facts{state("s3rver\n") + state("ag3nt\n") + "absent\nabsent\n"},
		Resource: filled(r, map[string]string{"server_token": "s3rver", "agent_token": "ag3nt"}),
		Drifts: map[string]func(*testing.T){
			"of other tokens": write(string(other)), "for others": write(string(foreign)), "empty": write(""), "garbage": write("# digest: scrypt 99 x y\n"),
			"removed": func(t *testing.T) {
				t.Helper()
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
		},
		Tree: func(t *testing.T) string {
			t.Helper()
			b, err := os.ReadFile(path)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			return string(b)
		},
	})
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte("s3rver")) || bytes.Contains(content, []byte("ag3nt")) {
		t.Error("the copy holds a token in the clear")
	}
	_, sealed, _ := strings.Cut(string(content), armor.Header)
	plain, err := age.Decrypt(armor.NewReader(strings.NewReader(armor.Header+sealed)), id)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	if want := "server-token: s3rver\nagent-token: ag3nt\n"; string(text) != want {
		t.Errorf("decrypted is %q, want %q", text, want)
	}
}

func TestTokenCopyIsUnknownWithoutTheControlPlane(t *testing.T) {
	t.Parallel()
	bp, _, _ := copyBlueprint(t)
	p := rke2.New(rke2.Options{CopyCost: 4})
	r := providertest.Compile(t, p, bp)["control_plane.cp1/rke2.token_copy"]
	obs, err := p.(providers.Prober).Probe(t.Context(), facts{}, bp, []providers.Resource{r})
	if err != nil {
		t.Fatal(err)
	}
	if obs.Live[r.Addr].Unknown == "" {
		t.Errorf("live is %#v, want it unknown", obs.Live[r.Addr])
	}
}

func FuzzCopyHeader(f *testing.F) {
	content, err := rke2.SealTokens([]string{"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}, 2, "s", "a")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Fuzz(func(t *testing.T, content []byte) {
		h, err := rke2.ParseCopyHeader(content)
		if err != nil {
			return
		}
		again, err := rke2.ParseCopyHeader([]byte(h.String() + armor.Header))
		if err != nil || again.String() != h.String() {
			t.Errorf("the header\n%s\nis read again as\n%s (%v)", h, again, err)
		}
	})
}
