package mirror_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/mirror"
)

// scriptVariable names RKE2's own install script for [TestUpstreamScript].
const scriptVariable = "CXHA_RKE2_INSTALL_SCRIPT"

// isolation runs a script in a mount namespace of its own, with empty directories in the places that an installation writes to.
const isolation = `set -eu
mount --make-rprivate /
mount -t tmpfs tmpfs /etc/systemd/system
mount -t tmpfs tmpfs /usr/local
mkdir -p /usr/local/bin
sh "$SCRIPT"
cd "$LOOK"
find . -type f | sort
grep -h ExecStart= lib/systemd/system/rke2-*.service /etc/systemd/system/rke2-*.service 2>/dev/null || true
`

// TestUpstreamScript runs RKE2's own install script against the mirror.
func TestUpstreamScript(t *testing.T) {
	script := os.Getenv(scriptVariable)
	if script == "" {
		t.Skipf("%s does not name RKE2's own install script, so it is not run against the mirror", scriptVariable)
	}
	script, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("RKE2's own install script needs root on Linux")
	}
	server := newHostServer(t, mirror.Options{Programs: writePrograms(t), Cache: t.TempDir()})
	files := `./bin/rke2
./bin/rke2-killall.sh
./bin/rke2-uninstall.sh
%s./share/rke2/LICENSE.txt
./share/rke2/cni/bridge
./share/rke2/images/pause.tar
./share/rke2/rke2-cis-sysctl.conf
./share/rke2/runtime/containerd
./share/rke2/runtime/runc
`
	units := `./lib/systemd/system/rke2-agent.env
./lib/systemd/system/rke2-agent.service
./lib/systemd/system/rke2-server.env
./lib/systemd/system/rke2-server.service
`
	moved := "./lib/systemd/system/rke2-agent.env\n./lib/systemd/system/rke2-server.env\n"
	other := filepath.Join(t.TempDir(), "opt")
	for name, c := range map[string]struct {
		env     []string
		prefix  string
		release string
		want    string
	}{
		"pinned": {
			env: []string{"INSTALL_RKE2_VERSION=v1.36.3+rke2r1"}, prefix: "/usr/local", release: "v1.36.3+rke2r1",
			want: fmt.Sprintf(files, units) + "ExecStart=/usr/local/bin/rke2 agent\nExecStart=/usr/local/bin/rke2 server\n",
		},
		"stable channel": {
			prefix: "/usr/local", release: stable,
			want: fmt.Sprintf(files, units) + "ExecStart=/usr/local/bin/rke2 agent\nExecStart=/usr/local/bin/rke2 server\n",
		},
		"other prefix": {
			env: []string{"INSTALL_RKE2_CHANNEL=latest"}, prefix: other, release: "v1.36.3+rke2r1",
			want: fmt.Sprintf(files, moved) + "ExecStart=" + other + "/bin/rke2 agent\nExecStart=" + other + "/bin/rke2 server\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			command := exec.CommandContext(ctx, "unshare", "--mount", "sh", "-c", isolation)
			command.Env = append(append(os.Environ(),
				"SCRIPT="+script, "LOOK="+c.prefix, "INSTALL_RKE2_TAR_PREFIX="+c.prefix, "INSTALL_RKE2_METHOD=tar", "INSTALL_RKE2_SKIP_RELOAD=1",
				"INSTALL_RKE2_ARTIFACT_URL="+server.URL+mirror.ReleasesPath, "INSTALL_RKE2_CHANNEL_URL="+server.URL+mirror.ChannelsPath,
			), c.env...)
			output, err := command.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			if !strings.Contains(string(output), "using "+c.release+" as release") {
				t.Errorf("the script did not take %s:\n%s", c.release, output)
			}
			lines := strings.SplitAfter(string(output), "\n")
			var got strings.Builder
			for _, line := range lines {
				if !strings.HasPrefix(line, "[INFO]") {
					got.WriteString(line)
				}
			}
			if diff := cmp.Diff(c.want, got.String()); diff != "" {
				t.Errorf("what is installed (-want +got):\n%s", diff)
			}
		})
	}
}
