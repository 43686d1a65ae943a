package shell_test

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/internal/shell"
)

// me is the owner that a test may give files.
func me(t testing.TB) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Uid + ":" + u.Gid
}

func TestFileIsWritten(t *testing.T) {
	t.Parallel()
	for what, content := range map[string]string{
		"lines":            "a: 1\nb: 2\n",
		"no newline":       "token",
		"empty":            "",
		"only a newline":   "\n",
		"shell's own":      "$HOME `id` $(id) \\ 'x' \"y\" !\n",
		"the end mark":     "CXHA_END\nCXHA_END_\n",
		"end mark at last": "a\nCXHA_END",
		"blank ends":       "\n\n a \n\n",
		"carriage return":  "a\r\nb\r\n",
		"tabs":             "\ta\n\t\tb\n",
		"large":            strings.Repeat("0123456789abcdef\n", 20_000),
		"not UTF-8":        "\xff\xfe\n",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, secret := range []bool{false, true} {
				path := filepath.Join(t.TempDir(), "it's a file")
				var s shell.Script
				s.Add("set -eu").File(shell.File{Path: path, Content: content, Secret: secret, Owner: me(t), Mode: "0640"})
				for _, again := range []bool{false, true} {
					realShell(t, s.Text())
					wantFile(t, path, content, 0o640)
					if again {
						break
					}
					if err := os.Chmod(path, 0o777); err != nil { // the second time mends it
						t.Fatal(err)
					}
				}
				if names := list(t, filepath.Dir(path)); len(names) != 1 {
					t.Errorf("left behind: %q", names)
				}
			}
		})
	}
}

func wantFile(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(content, string(got)); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != mode {
		t.Errorf("mode %o, want %o", info.Mode().Perm(), mode)
	}
}

func list(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A step that fails ends the script, and the file that was there stays as it was.
func TestFileFails(t *testing.T) {
	t.Parallel()
	for what, break1 := range map[string]func(f *shell.File, bin string){
		"no such owner":     func(f *shell.File, _ string) { f.Owner = "no-such-user-of-cxha" },
		"no such mode":      func(f *shell.File, _ string) { f.Mode = "rw" },
		"content not there": func(_ *shell.File, bin string) { fails(t, bin, "cat") },
		"disk does not":     func(_ *shell.File, bin string) { fails(t, bin, "sync") },
		"not replaced":      func(_ *shell.File, bin string) { fails(t, bin, "mv") },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir, bin := t.TempDir(), t.TempDir()
			f := shell.File{Path: filepath.Join(dir, "f"), Content: "new\n", Owner: me(t), Mode: "0600"}
			if err := os.WriteFile(f.Path, []byte("old\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			break1(&f, bin)
			var s shell.Script
			s.Add("set -eu").Add("PATH=%s:$PATH", bin).File(f).Add("echo went on")
			out, code := run(t, s.Text())
			if code == 0 || out != "" {
				t.Errorf("exit code %d, output %q", code, out)
			}
			wantFile(t, f.Path, "old\n", 0o644)
		})
	}
}

// fails puts a program into a directory that fails.
func fails(t *testing.T, bin, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// At no moment can others read a secret, not even in the file that is being written.
func TestFileIsNeverOpenToOthers(t *testing.T) {
	t.Parallel()
	dir, bin := t.TempDir(), t.TempDir()
	seen := filepath.Join(t.TempDir(), "seen")
	for _, name := range []string{"chown", "chmod", "cat", "sync", "mv"} {
		text := fmt.Sprintf("#!/bin/sh\nls -ln %s >> %s\nPATH=${PATH#*:}\nexec %s \"$@\"\n", shell.Quote(dir), shell.Quote(seen), name)
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var s shell.Script
	s.Add("set -eu").Add("umask 000").Add("PATH=%s:$PATH", bin)
	s.File(shell.File{Path: filepath.Join(dir, "f"), Content: "secret\n", Secret: true, Owner: me(t), Mode: "0600"})
	realShell(t, s.Text())
	modes, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(modes)) {
		if strings.HasPrefix(line, "total") {
			continue
		}
		n++
		if !strings.HasPrefix(line, "-rw-------") {
			t.Errorf("open to others: %s", line)
		}
	}
	if n != 5 {
		t.Errorf("the file was seen %d times, want 5", n)
	}
}
