package hostfile_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/hostfile"
	"github.com/expertflow/cxha/schema"
)

var motd = hostfile.Kind{Name: "host.file", Path: func(a schema.Addr) string { return a.Key }, Codec: hostfile.Text{Attr: "content"}, Owned: true}

func resource(desired cty.Value) providers.Resource {
	return providers.Resource{Addr: schema.Addr{Block: schema.BlockAddr{Type: "worker", Name: "w1"}, Type: "host.file", Key: "/etc/motd"}, Host: "w1", Desired: desired}
}

func want(content cty.Value) cty.Value {
	return motd.Desired("root:root", "0644", map[string]cty.Value{"content": content})
}

func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	plain := want(cty.StringVal("hello"))
	for name, c := range map[string]struct {
		desired   cty.Value
		mode      string
		content   string
		sensitive bool
	}{
		"public, the same":               {desired: plain, mode: "644", content: "hello"},
		"public, another":                {desired: plain, mode: "644", content: "other"},
		"private, the same":              {desired: plain, mode: "600", content: "hello"},
		"private, another":               {desired: plain, mode: "600", content: "password", sensitive: true},
		"of a sensitive attribute":       {desired: want(schema.Secret("hello")), mode: "644", content: "hello", sensitive: true},
		"no longer in the blueprint":     {desired: cty.NullVal(motd.Type().Object), mode: "644", content: "hello", sensitive: true},
		"private, not in the blueprint":  {desired: cty.NullVal(motd.Type().Object), mode: "600", content: "hello", sensitive: true},
		"of a sensitive one and another": {desired: want(schema.Secret("hello")), mode: "644", content: "x", sensitive: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := fmt.Sprintf("file %s root:root 0:0 %d =%s\n", c.mode, len(c.content), base64.StdEncoding.EncodeToString([]byte(c.content)))
			v, err := motd.Answer(resource(c.desired), providers.Reply{Stdout: line})
			if err != nil {
				t.Fatal(err)
			}
			if got := schema.IsSensitive(v.GetAttr("content")); got != c.sensitive {
				t.Errorf("sensitive is %v, want %v", got, c.sensitive)
			}
			if got := schema.Plain(v.GetAttr("content")).AsString(); got != c.content {
				t.Errorf("content %q, want %q", got, c.content)
			}
		})
	}
}

func TestWhatIsNoFileIsNotReplaced(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"symlink", "other", "directory 755 root:root 0:0 4096"} {
		r := resource(want(cty.StringVal("hello")))
		live, err := motd.Answer(r, providers.Reply{Stdout: line + "\n"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = motd.Explain(plans.Change{Addr: r.Addr, Host: r.Host, Action: plans.Update, Before: live, After: r.Desired})
		if err == nil || !strings.Contains(err.Error(), "host w1: /etc/motd is") {
			t.Errorf("%s: the error is %v, want a refusal that names host and path", line, err)
		}
	}
}

func TestOnlyOwnerAndModeAreSetWhereTheContentIsRight(t *testing.T) {
	t.Parallel()
	r := resource(want(cty.StringVal("hello")))
	before := motd.Desired("root:root", "0600", map[string]cty.Value{"content": cty.StringVal("hello")})
	s, err := motd.Commands(plans.Change{Addr: r.Addr, Action: plans.Update, Before: before, After: r.Desired})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(s.Text(), "hello") || !strings.Contains(s.Text(), "chmod 0644 /etc/motd") {
		t.Errorf("the commands are\n%s\nwant chown and chmod only", s)
	}
}

func TestAnswersAreNotTrusted(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]providers.Reply{
		"empty": {}, "failed": {Stdout: "absent\n", Exit: 1}, "two lines": {Stdout: "absent\nabsent\n"}, "words": {Stdout: "hello there\n"},
	} {
		if v, err := motd.Answer(resource(want(cty.StringVal("hello"))), reply); err == nil {
			t.Errorf("%s: the answer was read as %#v, want an error", name, v)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add("file 644 root:adm 0:4 3 =YWJj\n")
	f.Add("file 600 root:adm 0:4 30000000\n")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := motd.Answer(resource(want(cty.StringVal("hello"))), providers.Reply{Stdout: text})
		if err == nil && !schema.Plain(v).Type().Equals(motd.Type().Object) {
			t.Errorf("the value has the type %#v", v.Type())
		}
	})
}
