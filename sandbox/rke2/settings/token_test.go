package settings_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

func TestParseToken(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		token string
		want  settings.Token
		fails string
	}{
		"short":         {token: "s3cret\n", want: settings.Token{Password: "s3cret"}},
		"secure":        {token: "K10" + hash + "::server:s3:cret", want: settings.Token{CAHash: hash, User: "server", Password: "s3:cret"}},
		"without hash":  {token: "K10::node:pw", want: settings.Token{User: "node", Password: "pw"}},
		"empty":         {token: " \n", fails: "token must not be empty"},
		"short hash":    {token: "K10abc::server:pw", fails: "invalid token CA hash length"},
		"no password":   {token: "K10" + hash + "::server:", fails: "invalid token format"},
		"no separators": {token: "K10abc", fails: "invalid token format"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := settings.ParseToken(c.token)
			if c.fails != "" {
				if err == nil || err.Error() != c.fails {
					t.Fatalf("error: got %v, want %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("token (-want +got):\n%s", diff)
			}
		})
	}
}

// What parses with a hash is written as it was read.
func FuzzParseToken(f *testing.F) {
	hash := strings.Repeat("0f", 32)
	for _, seed := range []string{"pw", "K10" + hash + "::server:pw", "K10::node:pw", "K10", "K10::", "K10" + hash + ":::pw", "\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := settings.ParseToken(text)
		if err != nil {
			return
		}
		if token.Password == "" {
			t.Errorf("%q has no password and parses", text)
		}
		if token.CAHash != "" && token.String() != strings.TrimSpace(text) {
			t.Errorf("got %q, want %q", token.String(), text)
		}
	})
}
