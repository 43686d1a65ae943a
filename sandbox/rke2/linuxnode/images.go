//go:build linux

package linuxnode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// importImages puts the images of archives on this host into containerd's store, as RKE2 does before the first pod: the release's own,
// and those in agent/images (domain.md §2.3). An archive that has not changed is left out; a bad one is logged.
func (n *node) importImages(ctx context.Context) error {
	imported, err := n.imported()
	if err != nil {
		return err
	}
	now := map[string]string{}
	for _, directory := range []string{filepath.Join(n.programs.share, "images"), n.path("images")} {
		archives, err := findArchives(directory)
		if err != nil {
			return err
		}
		for _, file := range slices.Sorted(maps.Keys(archives)) {
			if imported[file] != archives[file] {
				if err := n.importArchive(ctx, file); err != nil {
					n.Log.Errorf("Error encountered while importing %s: %v", file, err)
					continue
				}
			}
			now[file] = archives[file]
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	encoded, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return n.write(n.importedFile(), encoded)
}

// findArchives are the image archives of a directory with size and time of change; none if there is no such directory.
func findArchives(directory string) (map[string]string, error) {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	archives := map[string]string{}
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".tar") && !strings.HasSuffix(name, ".tar.gz") && !strings.HasSuffix(name, ".tar.zst") {
			continue
		}
		info, err := os.Stat(filepath.Join(directory, name))
		if err != nil {
			return nil, err
		}
		age := info.ModTime().UnixNano()
		if inode, ok := info.Sys().(*syscall.Stat_t); ok {
			age = inode.Ctim.Nano() // the files of a release's tarball all have the same time of change
		}
		archives[filepath.Join(directory, name)] = fmt.Sprintf("%d %d", info.Size(), age)
	}
	return archives, nil
}

// importedFile lies beside the store, and goes with it.
func (n *node) importedFile() string { return n.path("containerd", "rke2-imported.json") }

// imported are the archives that are in the store. A list that cannot be read means that all are imported again.
func (n *node) imported() (map[string]string, error) {
	data, err := os.ReadFile(n.importedFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var imported map[string]string
	if json.Unmarshal(data, &imported) != nil {
		return nil, nil
	}
	return imported, nil
}

// importArchive imports one archive. Its images are unpacked when the first container needs them.
func (n *node) importArchive(ctx context.Context, file string) error {
	n.Log.Infof("Importing images from %s", file)
	command := exec.CommandContext(ctx, filepath.Join(n.programs.bin, "ctr"),
		"--address", socket, "--namespace", "k8s.io", "images", "import", "--no-unpack", file)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

// Deploys tells whether a packaged chart makes sense on real hosts: rke2-canal does not, its work is done by the node itself, and
// metrics-server only where there is an image of it.
func Deploys(chart string) bool {
	switch chart {
	case "rke2-canal":
		return false
	case "rke2-metrics-server":
		return hasArchive("metrics-server")
	default:
		return true
	}
}

// hasArchive tells whether one of the archives on this host is named after an image.
func hasArchive(image string) bool {
	self, err := os.Executable()
	if err != nil {
		return false
	}
	release := filepath.Join(filepath.Dir(filepath.Dir(self)), "share", "rke2", "images")
	for _, directory := range []string{release, "/var/lib/rancher/rke2/agent/images", registryDir} {
		found, err := filepath.Glob(filepath.Join(directory, "*"+image+"*.tar*"))
		if err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}
