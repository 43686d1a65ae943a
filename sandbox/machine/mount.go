package machine

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// Exports are directories that NFS servers share. All machines that mount one see the same files.
type Exports struct {
	dir   string // real directory
	names []string

	mu    sync.Mutex
	files map[string]*FS // by name, SERVER:PATH; nil before Open
}

// NewExports names the exports, each as ADDRESS:PATH; their files are to be kept in dir. Nothing is opened yet.
func NewExports(dir string, names ...string) *Exports { return &Exports{dir: dir, names: names} }

// Open makes or finds the exports' directories.
func (e *Exports) Open() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.files = map[string]*FS{}
	for _, name := range e.names {
		files, err := openFS(filepath.Join(e.dir, strings.NewReplacer(":", "_", "/", "_").Replace(name)))
		if err != nil {
			return fmt.Errorf("export %s: %w", name, err)
		}
		e.files[name] = files
	}
	return nil
}

// Close frees what Open opened.
func (e *Exports) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, files := range e.files {
		errs = append(errs, files.close())
	}
	e.files = nil
	return errors.Join(errs...)
}

// Errors of a mount, in mount.nfs' words.
var (
	errNFSTimeout = errors.New("mount.nfs: Connection timed out")
	errNFSRefused = errors.New("mount.nfs: Connection refused")
)

func errNFSDenied(server, name string) error {
	return fmt.Errorf("mount.nfs: access denied by server while mounting %s:%s", server, name)
}

// find is the export that a path of a server is or lies in, with the rest of the path.
func (e *Exports) find(server, name string) (*FS, string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known := false
	for export, files := range e.files {
		host, shared, _ := strings.Cut(export, ":")
		known = known || host == server
		if rest, ok := below(path.Clean(name), shared); ok && host == server {
			return files, rest, nil
		}
	}
	if !known {
		return nil, "", errNFSTimeout
	}
	return nil, "", errNFSDenied(server, name)
}

// Provision makes a directory in an export, as a provisioner of volumes does. The error is mount's when there is no such export.
func (e *Exports) Provision(server, name, sub string) error {
	files, rest, err := e.find(server, name)
	if err != nil {
		return err
	}
	return files.MkdirAll(path.Join("/", rest, sub), 0o777)
}

// below tells whether a clean path is dir or in it, and is the rest of it, starting with a slash.
func below(name, dir string) (rest string, ok bool) {
	if name == dir {
		return "/", true
	}
	rest, ok = strings.CutPrefix(name, strings.TrimSuffix(dir, "/")+"/")
	return "/" + rest, ok
}

// mounted is an export at a mount point.
type mounted struct {
	source, point, kind, options string
	disk                         *disk
	sub                          string // directory of the disk that is mounted
}

// at is the file system that a path leads to, and the path in it: the host's own, or a mounted one. Mount points are found by the
// path as it is written, without following links.
func (f *FS) at(name string) (*FS, string) {
	table := f.disk.mounts.Load()
	if table == nil || !path.IsAbs(name) {
		return f, name
	}
	clean := path.Clean(name)
	for _, m := range *table { // the longest mount point is first
		if rest, ok := below(clean, m.point); ok {
			return &FS{disk: m.disk, cred: f.cred, life: f.life}, path.Join(m.sub, rest)
		}
	}
	return f, name
}

// both is at for two paths, which have to be in one file system.
func (f *FS) both(from, to string) (*FS, string, string, error) {
	source, from := f.at(from)
	target, to := f.at(to)
	if source.disk != target.disk {
		return nil, "", "", syscall.EXDEV
	}
	return source, from, to, nil
}

// mountPoint is where the path is mounted; "" for the host's own files.
func (f *FS) mountPoint(name string) string {
	if table := f.disk.mounts.Load(); table != nil {
		for _, m := range *table {
			if _, ok := below(path.Clean(name), m.point); ok {
				return m.point
			}
		}
	}
	return ""
}

// busy tells whether something is mounted at a path of the disk or below it.
func (d *disk) busy(rel string) bool {
	table := d.mounts.Load()
	return table != nil && slices.ContainsFunc(*table, func(m mounted) bool {
		_, ok := below(m.point, "/"+rel)
		return ok
	})
}

// mountTable is what is mounted, in the order of mounting.
func (m *Machine) mountTable() []mounted {
	if table := m.fs.disk.mounts.Load(); table != nil {
		return *table
	}
	return nil
}

// setMounts replaces the table, and /proc/mounts with it. The caller holds the kernel's lock.
func (m *Machine) setMounts(table []mounted) error {
	text := bootMounts
	for _, one := range table {
		text += fmt.Sprintf("%s %s %s %s 0 0\n", one.source, one.point, one.kind, one.options)
	}
	table = slices.Clone(table)
	slices.SortStableFunc(table, func(a, b mounted) int { return cmp.Compare(len(b.point), len(a.point)) })
	m.fs.disk.mounts.Store(&table)
	return kernelFile(m.fs.asKernel(), "/proc/mounts", text)
}

// mount puts an export at a directory.
func (m *Machine) mount(one mounted) error {
	m.kernel.Lock()
	defer m.kernel.Unlock()
	table := m.mountTable()
	if slices.ContainsFunc(table, func(other mounted) bool { return other.point == one.point }) {
		return syscall.EBUSY
	}
	return m.setMounts(append(slices.Clone(table), one))
}

// unmount takes away what is mounted at a directory; false when nothing is.
func (m *Machine) unmount(point string) (bool, error) {
	m.kernel.Lock()
	defer m.kernel.Unlock()
	table := m.mountTable()
	rest := slices.DeleteFunc(slices.Clone(table), func(one mounted) bool { return one.point == point })
	if len(rest) == len(table) {
		return false, nil
	}
	return true, m.setMounts(rest)
}
