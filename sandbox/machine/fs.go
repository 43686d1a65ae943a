package machine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// FS is a host's file system as one user sees it. Paths are absolute inside the host. Symbolic links, absolute ones
// and ".." included, never leave the host's root. Errors are *fs.PathError or *os.LinkError with the host's path.
type FS struct {
	disk   *disk
	cred   Cred
	kernel bool            // may make entries in /proc and /sys
	life   context.Context // nil, or the machine's power: when it is off, every operation fails with EIO
}

// disk is what all users of one file system share.
type disk struct {
	dir    string // real directory
	root   *os.Root
	owners *ledger
	rename sync.Mutex // serialises renames and removals with the ledger
	mounts atomic.Pointer[[]mounted]
}

// openFS opens the root file system in dir/root, which is made if it is missing.
func openFS(dir string) (*FS, error) {
	real := filepath.Join(dir, "root")
	if err := os.MkdirAll(real, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(real)
	if err != nil {
		return nil, err
	}
	owners, err := openLedger(filepath.Join(dir, "owners.log"), func(rel string) (uint64, error) {
		i, err := root.Lstat(rel)
		if err != nil {
			return 0, err
		}
		return inodeOf(i), nil
	})
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &FS{disk: &disk{dir: real, root: root, owners: owners}, cred: rootCred}, nil
}

// As is the same file system with another user's rights.
func (f *FS) As(c Cred) *FS { return &FS{disk: f.disk, cred: c, life: f.life} }

// during is the same file system for a process: once the power is off, nothing it does reaches the disk any more.
func (f *FS) during(life context.Context) *FS {
	return &FS{disk: f.disk, cred: f.cred, kernel: f.kernel, life: life}
}

func (f *FS) asKernel() *FS { return &FS{disk: f.disk, cred: rootCred, kernel: true, life: f.life} }

func (f *FS) realDir() string { return f.disk.dir }

func (f *FS) close() error {
	return errors.Join(f.disk.owners.close(), f.disk.root.Close())
}

// lstat describes the file at a resolved path.
func (d *disk) lstat(rel string) (*Info, error) {
	real, err := os.Lstat(filepath.Join(d.dir, rel))
	if err != nil {
		return nil, underlying(err)
	}
	o := d.owners.get(rel)
	mode := real.Mode()
	if o.Mode != nil {
		mode = mode.Type() | *o.Mode
	}
	return &Info{real: real, mode: mode, User: o.User, Group: o.Group}, nil
}

func underlying(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}

// maxLinks is how many symbolic links one path may go through, as on Linux.
const maxLinks = 40

// resolve turns a path inside the host into a path relative to the root with no symbolic link left in it, except the
// last component when follow is false. The last component need not exist. Directories on the way need search rights.
func (f *FS) resolve(name string, follow bool) (string, error) {
	if name == "" {
		return "", syscall.ENOENT
	}
	if f.life != nil && f.life.Err() != nil {
		return "", syscall.EIO
	}
	rest := splitPath(name)
	needDir := strings.HasSuffix(name, "/")
	var at []string
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		if part == ".." {
			at = at[:max(len(at)-1, 0)]
			continue
		}
		if err := f.search(at); err != nil {
			return "", err
		}
		next := append(slices.Clone(at), part)
		last := len(rest) == 0
		info, err := os.Lstat(filepath.Join(f.disk.dir, join(next)))
		if errors.Is(err, fs.ErrNotExist) && last {
			at = next
			break
		}
		if err != nil {
			return "", underlying(err)
		}
		if info.Mode()&fs.ModeSymlink == 0 || last && !follow && !needDir {
			if !last && !info.IsDir() {
				return "", syscall.ENOTDIR
			}
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", syscall.ELOOP
		}
		target, err := f.disk.root.Readlink(join(next))
		if err != nil {
			return "", underlying(err)
		}
		if path.IsAbs(target) {
			at = nil
		}
		rest = append(splitPath(target), rest...)
	}
	return join(at), nil
}

// search checks that the directory may be passed through.
func (f *FS) search(parts []string) error {
	if f.cred.IsRoot() {
		return nil
	}
	info, err := f.disk.lstat(join(parts))
	if err != nil {
		return err
	}
	if info.IsDir() && !f.cred.may(info, 1) {
		return syscall.EACCES
	}
	return nil
}

func splitPath(name string) []string {
	return slices.DeleteFunc(strings.Split(name, "/"), func(s string) bool { return s == "" || s == "." })
}

func join(parts []string) string {
	if len(parts) == 0 {
		return "."
	}
	return strings.Join(parts, "/")
}

// changeable checks that entries may be made in and removed from the directory of a resolved path.
func (f *FS) changeable(rel string) error {
	dir, err := f.disk.lstat(path.Dir(rel))
	if err != nil {
		return err
	}
	if !dir.IsDir() {
		return syscall.ENOTDIR
	}
	if !f.cred.may(dir, 2|1) {
		return syscall.EACCES
	}
	return nil
}

// removable is changeable plus the rule of sticky directories: only the owner removes.
func (f *FS) removable(rel string) error {
	if rel == "." || rel == "proc" || rel == "sys" || f.disk.busy(rel) {
		return syscall.EBUSY
	}
	if !f.kernel && inKernelTree(rel) {
		return syscall.EPERM
	}
	if err := f.changeable(rel); err != nil {
		return err
	}
	if f.cred.IsRoot() {
		return nil
	}
	dir, err := f.disk.lstat(path.Dir(rel))
	if err != nil {
		return err
	}
	info, err := f.disk.lstat(rel)
	if err != nil {
		return err
	}
	if dir.Mode()&fs.ModeSticky != 0 && info.User != f.cred.User && dir.User != f.cred.User {
		return syscall.EPERM
	}
	return nil
}

func pathError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: name, Err: underlying(err)}
}

// Stat describes a file; symbolic links are followed.
func (f *FS) Stat(name string) (*Info, error) { return f.stat("stat", name, true) }

// Lstat describes a file; a symbolic link at the end is not followed.
func (f *FS) Lstat(name string) (*Info, error) { return f.stat("lstat", name, false) }

// find is Stat that also gives the path with all links followed.
func (f *FS) find(name string) (rel string, info *Info, err error) {
	f, name = f.at(name)
	if rel, err = f.resolve(name, true); err != nil {
		return "", nil, err
	}
	info, err = f.disk.lstat(rel)
	return rel, info, err
}

func (f *FS) stat(op, name string, follow bool) (*Info, error) {
	f, name = f.at(name)
	rel, err := f.resolve(name, follow)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	info, err := f.disk.lstat(rel)
	if err != nil {
		return nil, pathError(op, name, err)
	}
	return info, nil
}

// Resolve is the path with all symbolic links followed, as readlink -f gives it; the last component need not exist.
func (f *FS) Resolve(name string) (string, error) {
	point := f.mountPoint(name)
	if point != "" {
		var sub string
		_, sub = f.at(point)
		inside, inner := f.at(name)
		rel, err := inside.resolve(inner, true)
		if err != nil {
			return "", pathError("readlink", name, err)
		}
		return path.Join(point, strings.TrimPrefix("/"+rel, sub)), nil
	}
	rel, err := f.resolve(name, true)
	if err != nil {
		return "", pathError("readlink", name, err)
	}
	return path.Join("/", rel), nil
}

// Access tells by a nil error that the user may use the file so: 4 read, 2 write, 1 execute or search.
func (f *FS) Access(name string, want fs.FileMode) error {
	info, err := f.stat("access", name, true)
	if err != nil {
		return err
	}
	if !f.cred.may(info, want) {
		return pathError("access", name, syscall.EACCES)
	}
	return nil
}

// ReadDir lists a directory, sorted by name.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f, name = f.at(name)
	rel, err := f.resolve(name, true)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	info, err := f.disk.lstat(rel)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	if !f.cred.may(info, 4) {
		return nil, pathError("open", name, syscall.EACCES)
	}
	real, err := os.ReadDir(filepath.Join(f.disk.dir, rel))
	if err != nil {
		return nil, pathError("readdir", name, err)
	}
	entries := make([]fs.DirEntry, 0, len(real))
	for _, e := range real {
		info, err := f.disk.lstat(path.Join(rel, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, pathError("lstat", path.Join(name, e.Name()), err)
		}
		entries = append(entries, fs.FileInfoToDirEntry(info))
	}
	return entries, nil
}

// Readlink is the target of a symbolic link, as it was written.
func (f *FS) Readlink(name string) (string, error) {
	f, name = f.at(name)
	rel, err := f.resolve(name, false)
	if err != nil {
		return "", pathError("readlink", name, err)
	}
	target, err := f.disk.root.Readlink(rel)
	return target, pathError("readlink", name, err)
}

// Chtimes sets the access and modification times.
func (f *FS) Chtimes(name string, atime, mtime time.Time) error {
	f, name = f.at(name)
	rel, err := f.resolve(name, true)
	if err != nil {
		return pathError("chtimes", name, err)
	}
	info, err := f.disk.lstat(rel)
	if err != nil {
		return pathError("chtimes", name, err)
	}
	if !f.cred.IsRoot() && info.User != f.cred.User && !f.cred.may(info, 2) {
		return pathError("chtimes", name, syscall.EACCES)
	}
	return pathError("chtimes", name, f.disk.root.Chtimes(rel, atime, mtime))
}

// Usage is the size of all files below a directory in bytes.
func (f *FS) Usage(name string) (int64, error) {
	f, name = f.at(name)
	rel, err := f.resolve(name, true)
	if err != nil {
		return 0, pathError("stat", name, err)
	}
	var total int64
	err = filepath.WalkDir(filepath.Join(f.disk.dir, rel), func(_ string, e fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if info, err := e.Info(); err == nil && !e.IsDir() {
			total += info.Size()
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("size of %s: %w", name, underlying(err))
	}
	return total, nil
}
