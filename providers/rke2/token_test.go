package rke2_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/providers/rke2"
	"github.com/expertflow/cxha/schema"
)

const (
	right    = "root:root 0600"
	caDigest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

// state is the line of the answer about a file with that content.
func state(content string) string {
	return fmt.Sprintf("file 600 root:root 0:0 %d =%s\n", len(content), base64.StdEncoding.EncodeToString([]byte(content)))
}

func TestTokenAnswer(t *testing.T) {
	t.Parallel()
	own := func(user, password string) string {
		return state("K10" + caDigest + "::" + user + ":" + password + "\n")
	}
	for name, c := range map[string]struct {
		reply                        string
		absent, bootstrapped         bool
		server, agent                string // empty: null
		serverFile, agentFile, wrong string
	}{
		"nothing there":         {reply: strings.Repeat("absent\n", 4), absent: true},
		"before the start":      {reply: state("s\n") + state("a\n") + "absent\nabsent\n", server: "s", agent: "a", serverFile: right, agentFile: right},
		"one is missing":        {reply: state("s\n") + "absent\nabsent\nabsent\n", server: "s", serverFile: right, agentFile: "absent"},
		"started":               {reply: state("s\n") + state("a\n") + own("server", "s") + own("node", "a"), bootstrapped: true, server: "s", agent: "a", serverFile: right, agentFile: right},
		"started, not by cxha":  {reply: "absent\nabsent\n" + own("server", "s") + "symlink\n", bootstrapped: true, server: "s", serverFile: "absent", agentFile: "absent"},
		"one token for both":    {reply: "absent\nabsent\n" + own("server", "s") + own("server", "s"), bootstrapped: true, server: "s", serverFile: "absent", agentFile: "absent"},
		"file of another token": {reply: state("x\n") + state("y\n") + own("server", "s") + own("node", "a"), bootstrapped: true, server: "s", agent: "a", serverFile: "another token, " + right, agentFile: "another token, " + right},
		"without newline":       {reply: state("s") + state("a\n\n") + "absent\nabsent\n", server: "s", agent: "a", serverFile: "another token, " + right, agentFile: "another token, " + right},
		"password with colons":  {reply: "absent\nabsent\n" + own("server", "a:b::c") + "absent\n", bootstrapped: true, server: "a:b::c", serverFile: "absent", agentFile: "absent"},
		"directory":             {reply: "directory 755 root:root 0:0 4096\nabsent\nabsent\nabsent\n", serverFile: "directory", agentFile: "absent"},
		"no token of RKE2's":    {reply: "absent\nabsent\n" + state("K10abc\n") + "absent\n", wrong: "the token has no form of RKE2's"},
		"no password":           {reply: "absent\nabsent\n" + state("K10abc::server:\n") + "absent\n", wrong: "its password is missing"},
		"cut off":               {reply: "absent\nabsent\n", wrong: "has 2 lines"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := rke2.New(rke2.Options{})
			r := providertest.Compile(t, p, providertest.Blueprint())["control_plane.cp1/rke2.token"]
			v, err := providertest.Kind(t, p, "rke2.token").Answer(r, providers.Reply{Stdout: c.reply})
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("the error is %v, want %q in it", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v.IsNull() != c.absent {
				t.Fatalf("absent is %v, want %v", v.IsNull(), c.absent)
			}
			if c.absent {
				return
			}
			for attr, want := range map[string]string{"server_token": c.server, "agent_token": c.agent, "server_file": c.serverFile, "agent_file": c.agentFile} {
				got := schema.Plain(v.GetAttr(attr))
				if (want == "") != got.IsNull() || (want != "" && got.AsString() != want) {
					t.Errorf("%s is %#v, want %q", attr, got, want)
				}
				if strings.HasSuffix(attr, "_token") && !schema.IsSensitive(v.GetAttr(attr)) {
					t.Errorf("%s is not sensitive", attr)
				}
			}
			if v.GetAttr("bootstrapped").True() != c.bootstrapped {
				t.Errorf("bootstrapped is %v, want %v", !c.bootstrapped, c.bootstrapped)
			}
		})
	}
}

func TestTokensAreMadeOnce(t *testing.T) {
	t.Parallel()
	p := rke2.New(rke2.Options{})
	bp := providertest.Blueprint()
	bp.Cluster.Token = schema.Secret("given")
	r := providertest.Compile(t, p, bp)["control_plane.cp1/rke2.token"]
	k := providertest.Kind(t, p, "rke2.token")
	made := make([]map[string]cty.Value, 2)
	for i := range made {
		v, err := k.(providers.Maker).Make(r.Desired)
		if err != nil {
			t.Fatal(err)
		}
		if !v.IsWhollyKnown() {
			t.Fatalf("after Make something is unknown: %#v", v)
		}
		made[i] = schema.Plain(v).AsValueMap()
	}
	if got := made[0]["server_token"].AsString(); got != "given" {
		t.Errorf("the server token is %q, want the given one", got)
	}
	if a, b := made[0]["agent_token"].AsString(), made[1]["agent_token"].AsString(); a == b || len(a) != 64 {
		t.Errorf("two tokens that cxha made are %d bytes long and equal: %v; want 32 random bytes in hex each", len(a), a == b)
	}
	if !made[0]["server_digest"].RawEquals(made[1]["server_digest"]) || made[0]["agent_digest"].RawEquals(made[1]["agent_digest"]) {
		t.Error("digests must be equal exactly where tokens are")
	}
}

func TestScriptsHideTokens(t *testing.T) {
	t.Parallel()
	r := filled(cases(t)["token"].Resource, map[string]string{"server_token": "t0ps3cret", "agent_token": "s3cond", "server_digest": "d1", "agent_digest": "d2"})
	s, err := providertest.Kind(t, rke2.New(rke2.Options{}), "rke2.token").Commands(plans.Change{Addr: r.Addr, After: r.Desired, Before: cty.NullVal(r.Desired.Type())})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.String(), "t0ps3cret") || strings.Contains(s.String(), "s3cond") {
		t.Errorf("a token is shown:\n%s", s)
	}
	if !strings.Contains(s.Text(), "t0ps3cret") {
		t.Error("the token is not sent")
	}
}

func FuzzTokenAnswer(f *testing.F) {
	f.Add(state("s\n") + state("a\n") + state("K10"+caDigest+"::server:s\n") + "symlink\n")
	p := rke2.New(rke2.Options{})
	k := providertest.Kind(f, p, "rke2.token")
	r := providertest.Compile(f, p, providertest.Blueprint())["control_plane.cp1/rke2.token"]
	f.Fuzz(func(t *testing.T, text string) {
		v, err := k.Answer(r, providers.Reply{Stdout: text})
		if err == nil && !schema.Plain(v).Type().Equals(k.Type().Object) {
			t.Errorf("the value has the type %#v", v.Type())
		}
	})
}

func FuzzTokenPassword(f *testing.F) {
	f.Add("K10" + caDigest + "::server:s")
	f.Add("short")
	f.Fuzz(func(t *testing.T, text string) {
		password, err := rke2.TokenPassword(text)
		if err == nil && !strings.HasSuffix(text, password) {
			t.Errorf("the password %q is no end of %q", password, text)
		}
	})
}
