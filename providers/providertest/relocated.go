package providertest

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/expertflow/cxha/providers"
)

//go:embed commands
var commands embed.FS

// Relocated returns a host in a temporary directory: the real sh and the real commands work on files below it, because every
// absolute path in a script is led there, except inside here-documents. What a directory cannot have stands in by small scripts
// (commands/): systemctl, journalctl, sysctl and modprobe, and, where the tests do not run as root, owners.
// It needs GNU's commands, so tests that use it are skipped on other systems than Linux.
func Relocated(t *testing.T) Runner { return relocated(t, surroundings{shell: []string{"/bin/sh"}}) }

func relocated(t *testing.T, s surroundings) Runner {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs the commands of a Linux host")
	}
	root := t.TempDir()
	for _, dir := range []string{"etc", "var/lib", "usr/local/bin", "usr/local/lib/systemd/system", "opt", "proc/sys", "sys/module", "lib/modules", "srv", "run/units", "run/bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	installCommands(t, root)
	path := filepath.Join(root, "run/bin") + ":"
	if s.programs != "" {
		path += s.programs + ":"
	}
	path += "/usr/sbin:/usr/bin:/sbin:/bin"
	return func(ctx context.Context, script string) (providers.Reply, error) {
		cmd := exec.CommandContext(ctx, s.shell[0], append(s.shell[1:len(s.shell):len(s.shell)], "-s")...)
		cmd.Dir = root
		cmd.Env = []string{"PATH=" + path, "LC_ALL=C", "CXHA_ROOT=" + root}
		cmd.Stdin = strings.NewReader(relocate(script, root))
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			return providers.Reply{}, err
		}
		return providers.Reply{Stdout: stdout.String(), Stderr: stderr.String(), Exit: cmd.ProcessState.ExitCode()}, nil
	}
}

// installCommands writes the stand-ins to a directory of the PATH.
func installCommands(t *testing.T, root string) {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(commands, "commands", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		base := filepath.Base(name)
		if u.Uid == "0" && (base == "chown" || base == "stat") {
			return nil
		}
		text, err := commands.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(root, "run/bin", base), text, 0o755)
	})
	if err != nil {
		t.Fatal(err)
	}
}

var absolute = regexp.MustCompile(`(^|[\s'"=:(])(/(?:etc|var|usr|opt|proc|sys|lib|srv|run)\b)`)

// relocate leads the absolute paths of a script below root.
func relocate(script, root string) string {
	var b strings.Builder
	end := ""
	for line := range strings.Lines(script) {
		text := strings.TrimRight(line, "\n")
		if end != "" {
			b.WriteString(line)
			if text == end {
				end = ""
			}
			continue
		}
		if m := heredoc.FindStringSubmatch(text); m != nil {
			end = m[1]
		}
		b.WriteString(absolute.ReplaceAllString(line, "${1}"+root+"${2}"))
	}
	return b.String()
}
