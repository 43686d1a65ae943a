//go:build linux

package linuxnode

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/expertflow/cxha/sandbox/controlplane"
)

// RKE2's places of containerd.
const (
	socket   = "/run/k3s/containerd/containerd.sock"
	stateDir = "/run/k3s/containerd"
)

// pauseImage is the image of every pod's first container.
const pauseImage = "docker.io/rancher/mirrored-pause:3.6"

// containerdPatience is how long containerd has for its first answer: after a power cut it looks at all that was left.
const containerdPatience = time.Minute

//go:embed containerd.toml.tmpl
var containerdTemplate string

// startContainerd starts containerd and returns when it answers.
func (n *node) startContainerd(ctx context.Context) error {
	config, err := n.containerdConfig()
	if err != nil {
		return err
	}
	if err := n.writeRegistries(); err != nil {
		return err
	}
	file := n.path("etc", "containerd", "config.toml")
	if err := n.write(file, config); err != nil {
		return err
	}
	if err := n.write(n.path("etc", "crictl.yaml"), fmt.Appendf(nil, "runtime-endpoint: unix://%s\n", socket)); err != nil {
		return err
	}
	n.containerd, err = controlplane.StartProcess(controlplane.Process{
		Name: "containerd", Path: filepath.Join(n.programs.bin, "containerd"), Log: n.path("containerd", "containerd.log"),
		Args: []string{"--config", file, "--address", socket, "--root", n.path("containerd"), "--state", stateDir},
		Env:  []string{"PATH=" + n.programs.bin + ":" + os.Getenv("PATH")},
	})
	if err != nil {
		return err
	}
	n.Log.Infof("Running containerd -c %s", file)
	n.watch(n.containerd)
	return n.awaitContainerd(ctx)
}

func (n *node) containerdConfig() ([]byte, error) {
	text, err := template.New("containerd").Parse(containerdTemplate)
	if err != nil {
		return nil, err
	}
	var config bytes.Buffer
	err = text.Execute(&config, map[string]string{
		"Root": n.path("containerd"), "State": stateDir, "Socket": socket, "Pause": pauseImage,
		"Runc": filepath.Join(n.programs.bin, "runc"), "CNI": cniDir, "CNIConfig": filepath.Dir(networkFile),
		"Registries": n.path("etc", "containerd", "certs.d"), "Snapshotter": n.Config.Text("snapshotter", "overlayfs"),
	})
	return config.Bytes(), err
}

// awaitContainerd returns when containerd's socket takes connections.
func (n *node) awaitContainerd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, containerdPatience)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("containerd does not answer: %w", err)
		case <-n.containerd.Done():
			return n.containerd.Err()
		case <-ticker.C:
		}
	}
}
