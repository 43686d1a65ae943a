package providertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// surroundings are a shell and the programs that come first in its PATH.
type surroundings struct {
	shell    []string
	programs string // directory; empty: the system's own
}

// uutils is where Debian's package rust-coreutils puts its programs.
const uutils = "/usr/lib/cargo/bin/coreutils"

// EachRelocated runs f once per shell and userland that hosts may have, with what makes a relocated host of them. What this
// machine lacks is skipped with a word: .ci/run installs all of it on Debian.
func EachRelocated(t *testing.T, f func(t *testing.T, host func(*testing.T) Runner)) {
	t.Helper()
	for name, make := range map[string]func(*testing.T) surroundings{
		"dash":    shellOf("dash"),
		"bash":    shellOf("bash", "--posix"),
		"mksh":    shellOf("mksh"),
		"busybox": busybox,
		"uutils":  rustCoreutils,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := make(t)
			f(t, func(t *testing.T) Runner { t.Helper(); return relocated(t, s) })
		})
	}
}

func shellOf(name string, options ...string) func(*testing.T) surroundings {
	return func(t *testing.T) surroundings {
		t.Helper()
		return surroundings{shell: append([]string{lookPath(t, name)}, options...)}
	}
}

// busybox is its shell among its other programs.
func busybox(t *testing.T) surroundings {
	t.Helper()
	program, dir := lookPath(t, "busybox"), t.TempDir()
	if out, err := exec.Command(program, "--install", "-s", dir).CombinedOutput(); err != nil {
		t.Fatalf("busybox --install: %v\n%s", err, out)
	}
	return surroundings{shell: []string{filepath.Join(dir, "sh")}, programs: dir}
}

// rustCoreutils are the programs of Ubuntu since 25.10, whose shell is dash.
func rustCoreutils(t *testing.T) surroundings {
	t.Helper()
	if _, err := os.Stat(uutils); err != nil {
		t.Skipf("needs uutils, Debian's package rust-coreutils: %v", err)
	}
	return surroundings{shell: []string{lookPath(t, "dash")}, programs: uutils}
}

func lookPath(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("needs %s: %v", program, err)
	}
	return path
}
