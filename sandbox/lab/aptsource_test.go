package lab_test

import (
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/lab"
)

func TestFindSource(t *testing.T) {
	t.Parallel()
	stanzas := `# comment
Types: deb deb-src
URIs: http://one.example/debian http://two.example/debian
Suites: bookworm
 bookworm-updates
Components: main
 contrib
Signed-By: /usr/share/keyrings/debian.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
`
	for name, c := range map[string]struct {
		files              map[string]string
		suite, uri, keying string
	}{
		"stanzas":           {map[string]string{"/a/debian.sources": stanzas}, "bookworm", "http://one.example/debian", "/usr/share/keyrings/debian.gpg"},
		"continued field":   {map[string]string{"/a/debian.sources": stanzas}, "bookworm-updates", "http://one.example/debian", "/usr/share/keyrings/debian.gpg"},
		"switched off":      {map[string]string{"/a/debian.sources": stanzas}, "trixie", "", ""},
		"lines":             {map[string]string{"/a/sources.list": "deb-src http://s.example/d noble main\n# deb http://c.example/d noble main\ndeb http://x.example/u noble universe main # ours\n"}, "noble", "http://x.example/u", ""},
		"lines and options": {map[string]string{"/a/x.list": "deb [arch=amd64 signed-by=/k.gpg] https://x.example/d noble main\n"}, "noble", "https://x.example/d", "/k.gpg"},
		"key in the file":   {map[string]string{"/a/x.sources": "Types: deb\nURIs: http://x.example/d\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN PGP\n .\n abc\n"}, "sid", "http://x.example/d", ""},
		"other component":   {map[string]string{"/a/x.list": "deb http://x.example/d noble universe\n"}, "noble", "", ""},
		"open bracket":      {map[string]string{"/a/x.list": "deb [arch=amd64 http://x.example/d noble main\n"}, "noble", "", ""},
		"nothing":           {nil, "noble", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri, keyring, err := lab.FindSource(c.files, c.suite)
			if uri != c.uri || keyring != c.keying || (err == nil) != (c.uri != "") {
				t.Errorf("got %q, %q, %v; want %q, %q", uri, keyring, err, c.uri, c.keying)
			}
			if err != nil && !strings.Contains(err.Error(), c.suite) {
				t.Errorf("the error does not name the release: %v", err)
			}
		})
	}
}

func FuzzFindSource(f *testing.F) {
	f.Add("deb [signed-by=/k] http://x/d noble main")
	f.Add("Types: deb\nURIs: u\nSuites: noble\nComponents: main\n more\n\n # x\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{"x.list", "x.sources"} {
			uri, keyring, err := lab.FindSource(map[string]string{name: text}, "noble")
			if err == nil && (uri == "" || strings.ContainsAny(uri, " \t\n")) {
				t.Errorf("%s: strange address %q", name, uri)
			}
			if keyring != "" && !strings.HasPrefix(keyring, "/") {
				t.Errorf("%s: strange keyring %q", name, keyring)
			}
		}
	})
}
