package imagestest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Program compiles the command of a directory, such as "." or "../pause", and returns its path. The environment, such as
// "GOOS=linux", adds to the test's own.
func Program(t testing.TB, directory string, environment ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "program")
	compile := exec.CommandContext(t.Context(), "go", "build", "-o", file, directory)
	compile.Env = append(os.Environ(), environment...)
	if output, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", directory, err, output)
	}
	return file
}
