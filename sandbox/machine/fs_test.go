package machine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/expertflow/cxha/sandbox/machine"
)

func openFS(t *testing.T, dir string) *machine.FS {
	t.Helper()
	f, err := machine.OpenFS(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := machine.CloseFS(f); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
	return f
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// describe is mode, owner and group as stat prints them.
func describe(t *testing.T, f *machine.FS, name string) string {
	t.Helper()
	i, err := f.Lstat(name)
	if err != nil {
		return err.Error()
	}
	return strings.Join([]string{i.Mode().String(), i.User, i.Group}, " ")
}

func TestSymlinksStayInside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	outside := filepath.Join(dir, "secret")
	must(t, os.WriteFile(outside, []byte("outside"), 0o644))
	f := openFS(t, filepath.Join(dir, "host"))
	must(t, f.MkdirAll("/etc/deep", 0o755), f.WriteFile("/secret", []byte("inside"), 0o644),
		f.Symlink("/secret", "/etc/absolute"), f.Symlink("../../../../../../../secret", "/etc/deep/up"),
		f.Symlink(outside, "/etc/real"), f.Symlink("loop", "/etc/loop"), f.Symlink("/etc", "/alias"))
	for name, want := range map[string]string{
		"/etc/absolute": "inside", "/etc/deep/up": "inside", "/../../secret": "inside", "/alias/absolute": "inside",
		"/alias/deep/../absolute": "inside",
	} {
		got, err := f.ReadFile(name)
		if err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got, err := f.ReadFile("/etc/real"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a link to a real path leads out: %q, %v", got, err)
	}
	if err := f.WriteFile("/etc/real", []byte("x"), 0o644); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("writing through it: %v", err)
	}
	if _, err := f.Stat("/etc/loop"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("loop: %v", err)
	}
	if got, err := os.ReadFile(outside); err != nil || string(got) != "outside" {
		t.Errorf("the real file is %q, %v", got, err)
	}
}

func TestOwnersAndModesSurviveReopening(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := openFS(t, dir)
	must(t, f.MkdirAll("/var/lib/app", 0o750), f.Chown("/var/lib/app", "app", "app"),
		f.WriteFile("/var/lib/app/key", []byte("k"), 0), f.Chown("/var/lib/app/key", "app", "adm"),
		f.WriteFile("/var/lib/app/plain", []byte("p"), 0o640),
		f.WriteFile("/var/lib/app/tool", nil, fs.ModeSetuid|0o755),
		f.Rename("/var/lib/app", "/var/lib/moved"))
	// No close: a killed sandbox does not close either.
	again := openFS(t, dir)
	for name, want := range map[string]string{
		"/var/lib/moved":       "drwxr-x--- app app",
		"/var/lib/moved/key":   "---------- app adm",
		"/var/lib/moved/plain": "-rw-r----- root root",
		"/var/lib/moved/tool":  "urwxr-xr-x root root",
	} {
		if got := describe(t, again, name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got, err := again.ReadFile("/var/lib/moved/key"); err != nil || string(got) != "k" {
		t.Errorf("root reads a file of mode 0: %q, %v", got, err)
	}
	must(t, again.RemoveAll("/var/lib/moved"), again.MkdirAll("/var/lib/moved", 0o755), again.WriteFile("/var/lib/moved/key", nil, 0o644))
	if got := describe(t, again, "/var/lib/moved/key"); got != "-rw-r--r-- root root" {
		t.Errorf("a new file inherits the removed one's owner: %s", got)
	}
}

// TestLedgerAfterKill checks the moment between the announcement of a rename and the rename itself.
func TestLedgerAfterKill(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		tail string // what the killed sandbox wrote last
		a, b string // owners afterwards
	}{
		"announced, not renamed": {`{"op":"mv","path":"a","to":"b","inode":1,"user":"","group":""}` + "\n", "app", "root"},
		"cut off in the middle":  {`{"op":"mv","path":"a","to":`, "app", "root"},
		"owner set":              {`{"op":"set","path":"b","user":"bob","group":"bob"}` + "\n", "app", "bob"},
		"of a file that is gone": {`{"op":"set","path":"c","user":"bob","group":"bob"}` + "\n", "app", "root"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			f := openFS(t, dir)
			must(t, f.WriteFile("/a", nil, 0o644), f.WriteFile("/b", nil, 0o644), f.Chown("/a", "app", "app"))
			must(t, machine.CloseFS(f))
			log, err := os.OpenFile(filepath.Join(dir, "owners.log"), os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			_, err = log.WriteString(c.tail)
			must(t, err, log.Close())
			f = openFS(t, dir)
			must(t, f.WriteFile("/c", nil, 0o644))
			for file, want := range map[string]string{"/a": c.a, "/b": c.b, "/c": "root"} {
				if i, err := f.Stat(file); err != nil || i.User != want {
					t.Errorf("%s belongs to %v, %v; want %s", file, i, err, want)
				}
			}
		})
	}
}

func TestLedgerThatIsDamagedIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "owners.log"), []byte("rubbish\n{}\n"), 0o644))
	if _, err := machine.OpenFS(dir); err == nil {
		t.Error("a damaged ledger was taken")
	}
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	root := openFS(t, t.TempDir())
	ops := root.As(machine.Cred{User: "ops", Groups: []string{"ops", "adm"}})
	must(t, root.MkdirAll("/etc/closed", 0o755), root.WriteFile("/etc/open", []byte("o"), 0o644),
		root.WriteFile("/etc/token", []byte("t"), 0o600), root.WriteFile("/etc/log", []byte("l"), 0o640),
		root.Chown("/etc/log", "root", "adm"), root.WriteFile("/etc/closed/x", nil, 0o644), root.Chmod("/etc/closed", 0o700),
		root.MkdirAll("/tmp", 0o755), root.Chmod("/tmp", fs.ModeSticky|0o777), root.WriteFile("/tmp/roots", nil, 0o666),
		root.MkdirAll("/home/ops", 0o755), root.Chown("/home/ops", "ops", "ops"))
	cases := map[string]struct {
		do   func() error
		want error
	}{
		"read a readable file":      {func() error { _, err := ops.ReadFile("/etc/open"); return err }, nil},
		"read a secret":             {func() error { _, err := ops.ReadFile("/etc/token"); return err }, fs.ErrPermission},
		"read by group":             {func() error { _, err := ops.ReadFile("/etc/log"); return err }, nil},
		"open a secret":             {func() error { _, err := ops.OpenFile("/etc/token", os.O_RDONLY, 0); return err }, fs.ErrPermission},
		"enter a closed directory":  {func() error { _, err := ops.Stat("/etc/closed/x"); return err }, fs.ErrPermission},
		"list a closed directory":   {func() error { _, err := ops.ReadDir("/etc/closed"); return err }, fs.ErrPermission},
		"overwrite":                 {func() error { return ops.WriteFile("/etc/open", nil, 0o644) }, fs.ErrPermission},
		"append":                    {func() error { _, err := ops.OpenFile("/etc/open", os.O_WRONLY|os.O_APPEND, 0); return err }, fs.ErrPermission},
		"create":                    {func() error { return ops.WriteFile("/etc/new", nil, 0o644) }, fs.ErrPermission},
		"make a directory":          {func() error { return ops.Mkdir("/etc/dir", 0o755) }, fs.ErrPermission},
		"make a link":               {func() error { return ops.Symlink("x", "/etc/link") }, fs.ErrPermission},
		"remove":                    {func() error { return ops.Remove("/etc/open") }, fs.ErrPermission},
		"rename away":               {func() error { return ops.Rename("/etc/open", "/home/ops/open") }, fs.ErrPermission},
		"remove recursively":        {func() error { return ops.RemoveAll("/etc/closed") }, fs.ErrPermission},
		"chmod another's file":      {func() error { return ops.Chmod("/etc/open", 0o777) }, syscall.EPERM},
		"give away":                 {func() error { return ops.Chown("/home/ops", "root", "root") }, syscall.EPERM},
		"sticky directory, another": {func() error { return ops.Remove("/tmp/roots") }, syscall.EPERM},
		"sticky directory, own": {func() error {
			return errors.Join(ops.WriteFile("/tmp/own", nil, 0o600), ops.Remove("/tmp/own"))
		}, nil},
		"at home": {func() error {
			return errors.Join(ops.MkdirAll("/home/ops/a/b", 0o700), ops.WriteFile("/home/ops/a/b/c", nil, 0o600),
				ops.Chown("/home/ops/a/b/c", "", "adm"), ops.RemoveAll("/home/ops/a"))
		}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.do()
			if c.want == nil && err != nil || !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	must(t, ops.WriteFile("/home/ops/mine", nil, 0o640))
	if got := describe(t, root, "/home/ops/mine"); got != "-rw-r----- ops ops" {
		t.Errorf("a new file is %s", got)
	}
}

func TestWriteFileIsAtomicAndKeepsTheOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := openFS(t, dir)
	must(t, f.WriteFile("/config", []byte("one"), 0o644), f.Chown("/config", "app", "app"))
	before, err := os.Open(filepath.Join(dir, "root", "config"))
	must(t, err)
	must(t, f.WriteFile("/config", []byte("two"), 0o600))
	old := make([]byte, 3)
	_, err = before.Read(old)
	must(t, err, before.Close())
	if string(old) != "one" {
		t.Errorf("an open reader sees %q: the file was written in place", old)
	}
	if got := describe(t, f, "/config"); got != "-rw------- app app" {
		t.Errorf("the file is %s", got)
	}
	entries, err := f.ReadDir("/")
	must(t, err)
	if len(entries) != 1 {
		t.Errorf("something was left behind: %v", entries)
	}
}

func TestOpenExclusive(t *testing.T) {
	t.Parallel()
	f := openFS(t, t.TempDir())
	must(t, f.WriteFile("/there", []byte("x"), 0o644), f.Symlink("/nowhere", "/dangling"))
	for _, name := range []string{"/there", "/dangling"} {
		if _, err := f.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
