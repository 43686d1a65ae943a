package rke2_test

import (
	"strings"
	"testing"
	"time"
)

const script = "curl -sfL http://mirror.sandbox.internal/install.sh -o /tmp/install.sh\n"

// TestInstallScript runs the mirror's install script on hosts of the sandbox.
func TestInstallScript(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		want   string // in the output
		fails  bool
	}{
		"pinned version": {
			script: "INSTALL_RKE2_VERSION=v1.35.6+rke2r1 INSTALL_RKE2_METHOD=tar INSTALL_RKE2_TYPE=agent sh /tmp/install.sh\nrke2 --version",
			want:   "rke2 version v1.35.6+rke2r1 ",
		},
		"from another address": {
			script: "INSTALL_RKE2_ARTIFACT_URL=http://10.10.0.2/releases/download INSTALL_RKE2_VERSION=v1.36.3+rke2r1 sh /tmp/install.sh",
			want:   "downloading http://10.10.0.2/releases/download/v1.36.3%2Brke2r1/rke2.linux-",
		},
		"stable channel": {script: "sh /tmp/install.sh\nrke2 --version", want: "rke2 version v1.35.7+rke2r1 "},
		"no such channel": {
			script: "INSTALL_RKE2_CHANNEL=nightly sh /tmp/install.sh", want: "[ERROR] channel nightly was not found", fails: true,
		},
		"no such version": {
			script: "INSTALL_RKE2_VERSION=v1.35.99+rke2r1 sh /tmp/install.sh",
			want:   "[ERROR] download failed: http://mirror.sandbox.internal/releases/download/v1.35.99%2Brke2r1/sha256sum-", fails: true,
		},
		"packages": {
			script: "INSTALL_RKE2_METHOD=rpm sh /tmp/install.sh", want: `[ERROR] INSTALL_RKE2_METHOD is "rpm"`, fails: true,
		},
		"no such type": {
			script: "INSTALL_RKE2_TYPE=worker sh /tmp/install.sh", want: `[ERROR] INSTALL_RKE2_TYPE is "worker"`, fails: true,
		},
		"damaged tarball": {
			script: `arch="$(uname -m | sed -e s/x86_64/amd64/ -e s/aarch64/arm64/)"
mkdir -p /tmp/release
for file in "sha256sum-$arch.txt" "rke2.linux-$arch.tar.gz"; do
	curl -sfL -o "/tmp/release/$file" "http://mirror.sandbox.internal/releases/download/v1.35.7%2Brke2r1/$file"
done
printf x >>"/tmp/release/rke2.linux-$arch.tar.gz"
INSTALL_RKE2_ARTIFACT_PATH=/tmp/release sh /tmp/install.sh`,
			want: "does not match its sum", fails: true,
		},
		"other prefix": {
			script: `INSTALL_RKE2_TAR_PREFIX=/opt/rke2 sh /tmp/install.sh
grep ExecStart= /etc/systemd/system/rke2-agent.service
systemctl show -p LoadState --value rke2-agent
/opt/rke2/bin/rke2-uninstall.sh
systemctl show -p LoadState --value rke2-agent`,
			want: "ExecStart=/opt/rke2/bin/rke2 agent\nloaded\nnot-found\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host := newSite(t, time.Minute).host("w1", "10.10.2.11")
			host.run(script)
			output, err := host.try(c.script)
			if (err != nil) != c.fails || !strings.Contains(output, c.want) {
				t.Errorf("got %v and %q in\n%s", err, c.want, output)
			}
			if _, err := host.FS().Stat("/usr/local/bin/rke2"); c.fails && err == nil {
				t.Error("the installation failed and left bin/rke2 behind")
			}
		})
	}
}
