package main_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/images/imagestest"
)

func TestVolume(t *testing.T) {
	t.Parallel()
	program := imagestest.Program(t, ".")
	call := func(args ...string) (string, error) {
		output, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
		return string(output), err
	}
	directory := filepath.Join(t.TempDir(), "node", "pvc-1_shop_data")
	for range 2 { // a helper may run again after it has done its work
		if output, err := call("-p", directory, "-s", "1024", "-m", "Filesystem", "-a", "create"); err != nil {
			t.Fatalf("create: %v\n%s", err, output)
		}
	}
	if info, err := os.Stat(directory); err != nil || info.Mode() != fs.ModeDir|0o777 {
		t.Errorf("the directory is %v: %v", info, err)
	}
	if err := os.WriteFile(filepath.Join(directory, "file"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if output, err := call("-p", directory, "-s", "1024", "-m", "Filesystem", "-a", "delete"); err != nil {
			t.Fatalf("delete: %v\n%s", err, output)
		}
	}
	if _, err := os.Stat(directory); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after delete: %v", err)
	}
	for args, want := range map[string]string{
		"-p relative/path -a delete": "want an absolute one", "-p /etc -a delete": "not directly below /", "-p /a/../etc -a delete": "without dots",
		"-p / -a delete": "not directly below /", "-p /a/b": `action ""`, "-p /a/b -m Block -a create": `mode "Block"`, "-a delete": `path ""`,
	} {
		if output, err := call(strings.Fields(args)...); err == nil || !strings.Contains(output, want) {
			t.Errorf("%s: %v %q, want %q in it", args, err, output, want)
		}
	}
}
