//go:build linux

package linuxnode

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// cniDir is where RKE2's networks put their plugins.
const cniDir = "/opt/cni/bin"

// Names under which the binary is something else than rke2: components of a node, and kubectl.
const (
	Kubelet = "kubelet"
	Proxy   = "kube-proxy"
	Kubectl = "kubectl"
)

// programs are where the release's programs are on this host.
type programs struct {
	share string // the release's share/rke2: runtime, cni and images
	bin   string // what runs: a directory of this version
}

// install puts the release's programs where RKE2 unpacks its runtime: data/VERSION/bin, with a link to it, and the plugins of the
// network where containers of Canal would put them.
func (n *node) install() (programs, error) {
	self, err := os.Executable()
	if err != nil {
		return programs{}, err
	}
	p := programs{
		share: filepath.Join(filepath.Dir(filepath.Dir(self)), "share", "rke2"),
		bin:   filepath.Join(n.DataDir, "data", strings.ReplaceAll(n.Version, "+", "-"), "bin"),
	}
	if err := installRuntime(filepath.Join(p.share, "runtime"), p.bin); err != nil {
		return p, err
	}
	if err := copyPrograms(filepath.Join(p.share, "cni"), cniDir); err != nil {
		return p, err
	}
	for _, name := range []string{Kubelet, Kubectl} {
		if err := relink(self, filepath.Join(p.bin, name)); err != nil {
			return p, err
		}
	}
	return p, relink(p.bin, filepath.Join(n.DataDir, "bin"))
}

// installRuntime copies containerd and its shims to where rke2-killall.sh looks for shims: containerd starts those that lie beside
// itself. To the other programs, which are large too, links are as good.
func installRuntime(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("programs of the release: %w", err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, entry := range entries {
		place := relink
		if strings.HasPrefix(entry.Name(), "containerd") {
			place = copyProgram
		}
		if err := place(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return fmt.Errorf("program %s: %w", entry.Name(), err)
		}
	}
	return nil
}

// relink makes name a symbolic link to target.
func relink(target, name string) error {
	if is, err := os.Readlink(name); err == nil && is == target {
		return nil
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Symlink(target, name)
}

// copyPrograms copies the files of a directory that are not there in the same size and age.
func copyPrograms(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return fmt.Errorf("programs of the release: %w", err)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, entry := range entries {
		if err := copyProgram(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return fmt.Errorf("program %s: %w", entry.Name(), err)
		}
	}
	return nil
}

func copyProgram(from, to string) (err error) {
	source, err := os.Stat(from)
	if err != nil {
		return err
	}
	if there, err := os.Lstat(to); err == nil && there.Mode().IsRegular() && there.Size() == source.Size() && there.ModTime().Equal(source.ModTime()) {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // only read from
	// A program that runs cannot be written to, but it can be replaced.
	temporary := to + ".new"
	out, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Chtimes(temporary, source.ModTime(), source.ModTime()); err != nil {
		return err
	}
	return os.Rename(temporary, to)
}
