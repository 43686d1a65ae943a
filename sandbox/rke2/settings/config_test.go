package settings_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/rke2/settings"
)

// files is a host's file system in memory.
type files fstest.MapFS

func (f files) ReadFile(name string) ([]byte, error) {
	return fstest.MapFS(f).ReadFile(strings.TrimPrefix(name, "/"))
}

func (f files) ReadDir(name string) ([]fs.DirEntry, error) {
	return fstest.MapFS(f).ReadDir(strings.TrimPrefix(name, "/"))
}

// etc makes files below /etc/rancher/settings.
func etc(contents map[string]string) files {
	f := files{}
	for name, content := range contents {
		f["etc/rancher/rke2/"+name] = &fstest.MapFile{Data: []byte(content)}
	}
	return f
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files   map[string]string
		role    settings.Role
		args    []string
		env     map[string]string
		option  string
		want    []string
		unknown []string
		fails   string
	}{
		"scalar":              {files: map[string]string{"config.yaml": "node-name: w1"}, role: settings.Agent, option: "node-name", want: []string{"w1"}},
		"list":                {files: map[string]string{"config.yaml": "node-label: [a=b, c=d]"}, role: settings.Agent, option: "node-label", want: []string{"a=b", "c=d"}},
		"last file wins":      {files: map[string]string{"config.yaml": "node-label: [a=b]", "config.yaml.d/10-x.yaml": "node-label: [c=d]", "config.yaml.d/20-x.yaml": "node-label: [e=f]"}, role: settings.Agent, option: "node-label", want: []string{"e=f"}},
		"plus appends":        {files: map[string]string{"config.yaml": "node-label: [a=b]", "config.yaml.d/10-x.yaml": "node-label+: [c=d]"}, role: settings.Agent, option: "node-label", want: []string{"a=b", "c=d"}},
		"other files ignored": {files: map[string]string{"config.yaml": "token: t", "config.yaml.d/x.yaml.bak": "token: u"}, role: settings.Agent, option: "token", want: []string{"t"}},
		"truth and number":    {files: map[string]string{"config.yaml": "etcd-s3: true\netcd-snapshot-retention: 56"}, role: settings.Server, option: "etcd-snapshot-retention", want: []string{"56"}},
		"unquoted octal":      {files: map[string]string{"config.yaml": "write-kubeconfig-mode: 0600"}, role: settings.Server, option: "write-kubeconfig-mode", want: []string{"384"}},
		"quoted octal":        {files: map[string]string{"config.yaml": `write-kubeconfig-mode: "0600"`}, role: settings.Server, option: "write-kubeconfig-mode", want: []string{"0600"}},
		"argument":            {files: map[string]string{"config.yaml": "token: t"}, role: settings.Agent, args: []string{"--token", "u"}, option: "token", want: []string{"u"}},
		"environment":         {role: settings.Agent, env: map[string]string{"RKE2_TOKEN": "e"}, option: "token", want: []string{"e"}},
		"file over environment": {
			files: map[string]string{"config.yaml": "token: t"}, role: settings.Agent, env: map[string]string{"RKE2_TOKEN": "e"}, option: "token", want: []string{"t"},
		},
		"empty file":             {files: map[string]string{"config.yaml": "# nothing\n"}, role: settings.Agent, option: "token"},
		"unknown key":            {files: map[string]string{"config.yaml": "tokn: t\ntoken: u"}, role: settings.Agent, option: "token", want: []string{"u"}, unknown: []string{"tokn"}},
		"server key on an agent": {files: map[string]string{"config.yaml": "tls-san: [a]", "config.yaml.d/x.yaml": "etcd-s3+: true"}, role: settings.Agent, option: "tls-san", unknown: []string{"etcd-s3", "tls-san"}},
		"unknown argument":       {role: settings.Agent, args: []string{"--tokn=t"}, fails: "flag provided but not defined: -tokn"},
		"not a truth value":      {files: map[string]string{"config.yaml": "etcd-s3: maybe"}, role: settings.Server, fails: `invalid boolean value "maybe" for -etcd-s3: parse error`},
		"not a number":           {files: map[string]string{"config.yaml": "lb-server-port: x"}, role: settings.Server, fails: `invalid value "x" for flag -lb-server-port: parse error`},
		"nested":                 {files: map[string]string{"config.yaml": "token: {a: b}"}, role: settings.Agent, fails: "neither a scalar nor a list of scalars"},
		"no mapping":             {files: map[string]string{"config.yaml": "- a"}, role: settings.Agent, fails: "not a mapping"},
		"named file is missing":  {role: settings.Agent, env: map[string]string{"RKE2_CONFIG_FILE": "/etc/none"}, fails: "file does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config, err := settings.Load(etc(c.files), c.role, c.args, c.env)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error: got %v, want %q in it", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.unknown, config.Unknown()); diff != "" {
				t.Errorf("left out (-want +got):\n%s", diff)
			}
			got := config.List(c.option)
			if c.option == "token" && len(got) > 1 {
				got = []string{config.Text(c.option, "")}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.option, diff)
			}
		})
	}
}

// Whatever a file holds, reading it neither panics nor invents lists: an option that is set twice keeps the later value.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "token: t", "a: [1, 2]\nb+: x", "x: &x [1]\ny: *x", "? [a]\n: b", "a: !!binary aGk=", "a: 2026-11-22", "\xff", "a: {b: c}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		settings, err := settings.Parse(data)
		if err != nil {
			return
		}
		for _, setting := range settings {
			if setting.Values == nil {
				t.Errorf("%q: no values", setting.Key)
			}
		}
	})
}
