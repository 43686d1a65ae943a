package blueprint_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/expertflow/cxha/schema/blueprint"
)

var update = flag.Bool("update", false, "rewrite the expected texts in testdata/diagnostics")

// wantFile is the part of a case that holds the expected diagnostics.
const wantFile = "want"

// TestDiagnostics loads each blueprint of testdata/diagnostics and compares all that is said about it, as a user reads it.
// A case without a main.cxha.hcl completes the good blueprint of testdata/base.hcl. Lines of the file "options" are
// "var NAME=VALUE", "varfile PATH" and "env NAME=VALUE". The comment of a case says what mistakes it makes.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range cases {
		name := strings.TrimSuffix(filepath.Base(path), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			opts := writeCase(t, dir, archive)
			bp, diags := blueprint.Load(dir, opts)
			got := render(t, dir, bp, diags)
			if *update {
				rewrite(t, path, archive, got)
			}
			if diff := cmp.Diff(part(archive, wantFile), got); diff != "" {
				t.Errorf("diagnostics (-want +got):\n%s", diff)
			}
		})
	}
}

// writeCase writes the files of a case into dir and returns its options.
func writeCase(t *testing.T, dir string, archive *txtar.Archive) blueprint.LoadOptions {
	t.Helper()
	opts := blueprint.LoadOptions{Env: []string{"HOME=/home/me"}}
	whole := false
	for _, f := range archive.Files {
		switch f.Name {
		case wantFile:
		case "options":
			readOptions(t, dir, string(f.Data), &opts)
		default:
			whole = whole || f.Name == "main.cxha.hcl"
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, f.Name)), 0o700); err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, f.Name), f.Data)
		}
	}
	if !whole {
		base, err := os.ReadFile("testdata/base.hcl")
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "base.cxha.hcl"), base)
	}
	return opts
}

func readOptions(t *testing.T, dir, text string, opts *blueprint.LoadOptions) {
	t.Helper()
	for line := range strings.Lines(text) {
		kind, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch kind {
		case "var":
			opts.Vars = append(opts.Vars, value)
		case "varfile":
			opts.VarFiles = append(opts.VarFiles, filepath.Join(dir, value))
		case "env":
			opts.Env = append(opts.Env, value)
		default:
			t.Fatalf("option %q", line)
		}
	}
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// render writes diagnostics the way the program does, without the directory of the test.
func render(t *testing.T, dir string, bp *blueprint.Blueprint, diags hcl.Diagnostics) string {
	t.Helper()
	prefix := dir + string(filepath.Separator)
	for _, d := range diags {
		d.Detail = strings.ReplaceAll(d.Detail, prefix, "") // before lines are wrapped
	}
	var b bytes.Buffer
	if err := hcl.NewDiagnosticTextWriter(&b, bp.Sources, 100, false).WriteDiagnostics(diags); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), prefix, "")
}

func part(archive *txtar.Archive, name string) string {
	for _, f := range archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func rewrite(t *testing.T, path string, archive *txtar.Archive, got string) {
	t.Helper()
	files := archive.Files[:0]
	for _, f := range archive.Files {
		if f.Name != wantFile {
			files = append(files, f)
		}
	}
	archive.Files = append(files, txtar.File{Name: wantFile, Data: []byte(got)})
	writeFile(t, path, txtar.Format(archive))
}
