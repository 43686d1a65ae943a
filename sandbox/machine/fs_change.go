package machine

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// ReadFile reads a whole file.
func (f *FS) ReadFile(name string) ([]byte, error) {
	f, name = f.at(name)
	rel, err := f.readable(name)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	data, err := f.disk.root.ReadFile(rel)
	return data, pathError("open", name, err)
}

func (f *FS) readable(name string) (string, error) {
	rel, err := f.resolve(name, true)
	if err != nil {
		return "", err
	}
	info, err := f.disk.lstat(rel)
	if err != nil {
		return "", err
	}
	if !f.cred.may(info, 4) {
		return "", syscall.EACCES
	}
	return rel, nil
}

// OpenFile opens a file like os.OpenFile. A file that is made belongs to the user and has exactly the mode perm.
func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	f, name = f.at(name)
	rel, err := f.resolve(name, flag&os.O_EXCL == 0)
	if err != nil {
		return nil, pathError("open", name, err)
	}
	info, err := f.disk.lstat(rel)
	switch {
	case errors.Is(err, fs.ErrNotExist) && flag&os.O_CREATE != 0:
		file, err := f.create(rel, flag, perm)
		return file, pathError("open", name, err)
	case err != nil:
		return nil, pathError("open", name, err)
	case flag&os.O_EXCL != 0 && flag&os.O_CREATE != 0:
		return nil, pathError("open", name, syscall.EEXIST)
	}
	want := map[int]fs.FileMode{os.O_RDONLY: 4, os.O_WRONLY: 2, os.O_RDWR: 6}[flag&(os.O_WRONLY|os.O_RDWR)]
	if !f.cred.may(info, want) {
		return nil, pathError("open", name, syscall.EACCES)
	}
	if info.IsDir() && want&2 != 0 {
		return nil, pathError("open", name, syscall.EISDIR)
	}
	file, err := f.disk.root.OpenFile(rel, flag&^(os.O_CREATE|os.O_EXCL), 0)
	return file, pathError("open", name, err)
}

func (f *FS) create(rel string, flag int, perm fs.FileMode) (*os.File, error) {
	if err := f.makable(rel); err != nil {
		return nil, err
	}
	file, err := f.disk.root.OpenFile(rel, flag, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.adopt(rel, perm); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// makable checks that a new entry may be made; the kernel's own trees take none.
func (f *FS) makable(rel string) error {
	if !f.kernel && inKernelTree(rel) {
		return syscall.ENOENT
	}
	return f.changeable(rel)
}

func inKernelTree(rel string) bool {
	return strings.HasPrefix(rel, "proc/") || strings.HasPrefix(rel, "sys/")
}

// adopt gives a new file its owner and its mode.
func (f *FS) adopt(rel string, mode fs.FileMode) error {
	if err := f.disk.owners.set(rel, owner{User: f.cred.User, Group: f.cred.Group()}); err != nil {
		return err
	}
	info, err := f.disk.lstat(rel)
	if err != nil {
		return err
	}
	return f.disk.setMode(rel, info, mode)
}

var tempCount atomic.Uint64

// WriteFile writes a whole file atomically: readers see the old content or the new. An existing file keeps its owner.
func (f *FS) WriteFile(name string, data []byte, mode fs.FileMode) error {
	return pathError("write", name, f.writeFile(name, data, mode))
}

func (f *FS) writeFile(name string, data []byte, mode fs.FileMode) error {
	f, name = f.at(name)
	rel, err := f.resolve(name, true)
	if err != nil {
		return err
	}
	if err := f.makable(rel); err != nil {
		return err
	}
	keep := owner{User: f.cred.User, Group: f.cred.Group()}
	if info, err := f.disk.lstat(rel); err == nil {
		if info.IsDir() {
			return syscall.EISDIR
		}
		if !f.cred.may(info, 2) {
			return syscall.EACCES
		}
		keep = owner{User: info.User, Group: info.Group}
	}
	tmp := path.Join(path.Dir(rel), "."+path.Base(rel)+"."+strconv.FormatUint(tempCount.Add(1), 36)+"~")
	if err := f.disk.root.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	if err := f.settle(tmp, rel, keep, mode); err != nil {
		return errors.Join(err, f.disk.root.Remove(tmp))
	}
	return nil
}

func (f *FS) settle(tmp, rel string, keep owner, mode fs.FileMode) error {
	if err := f.disk.owners.set(tmp, keep); err != nil {
		return err
	}
	info, err := f.disk.lstat(tmp)
	if err != nil {
		return err
	}
	if err := f.disk.setMode(tmp, info, mode); err != nil {
		return err
	}
	return f.disk.move(tmp, rel)
}

func (d *disk) move(from, to string) error {
	d.rename.Lock()
	defer d.rename.Unlock()
	info, err := os.Lstat(filepath.Join(d.dir, from))
	if err != nil {
		return err
	}
	return d.owners.move(from, to, inodeOf(info), func() error { return d.root.Rename(from, to) })
}

// Rename moves a file or directory atomically; an existing file at the new place is replaced.
func (f *FS) Rename(from, to string) error {
	err := f.renameAs(from, to)
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: "rename", Old: from, New: to, Err: underlying(err)}
}

func (f *FS) renameAs(from, to string) error {
	f, from, to, err := f.both(from, to)
	if err != nil {
		return err
	}
	relFrom, err := f.resolve(from, false)
	if err != nil {
		return err
	}
	relTo, err := f.resolve(to, false)
	if err != nil {
		return err
	}
	if err := f.removable(relFrom); err != nil {
		return err
	}
	if err := f.makable(relTo); err != nil {
		return err
	}
	if relFrom == relTo {
		return nil
	}
	return f.disk.move(relFrom, relTo)
}

// Mkdir makes one directory.
func (f *FS) Mkdir(name string, mode fs.FileMode) error {
	f, name = f.at(name)
	rel, err := f.resolve(name, false)
	if err == nil {
		err = f.mkdir(rel, mode)
	}
	return pathError("mkdir", name, err)
}

func (f *FS) mkdir(rel string, mode fs.FileMode) error {
	if _, err := f.disk.lstat(rel); err == nil {
		return syscall.EEXIST
	}
	if err := f.makable(rel); err != nil {
		return err
	}
	if err := f.disk.root.Mkdir(rel, 0o700); err != nil {
		return err
	}
	return f.adopt(rel, mode)
}

// MkdirAll makes a directory and those above it that are missing, all with the same mode. One that exists is left alone.
func (f *FS) MkdirAll(name string, mode fs.FileMode) error {
	parts := splitPath(name)
	for n := range parts {
		at := "/" + join(parts[:n+1])
		info, err := f.Stat(at)
		if err == nil {
			if !info.IsDir() {
				return pathError("mkdir", at, syscall.ENOTDIR)
			}
			continue
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := f.Mkdir(at, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// Remove removes a file, a symbolic link or an empty directory.
func (f *FS) Remove(name string) error {
	f, name = f.at(name)
	rel, err := f.resolve(name, false)
	if err != nil {
		return pathError("remove", name, err)
	}
	if _, err := f.disk.lstat(rel); err != nil {
		return pathError("remove", name, err)
	}
	if err := f.removable(rel); err != nil {
		return pathError("remove", name, err)
	}
	f.disk.rename.Lock()
	defer f.disk.rename.Unlock()
	if err := f.disk.root.Remove(rel); err != nil {
		return pathError("remove", name, err)
	}
	return pathError("remove", name, f.disk.owners.remove(rel))
}

// RemoveAll removes a file or a directory with all that is in it; a missing one is no error.
func (f *FS) RemoveAll(name string) error {
	info, err := f.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if f.cred.IsRoot() {
		return f.removeTree(name)
	}
	if info.IsDir() {
		entries, err := f.ReadDir(name)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := f.RemoveAll(path.Join(name, e.Name())); err != nil {
				return err
			}
		}
	}
	return f.Remove(name)
}

func (f *FS) removeTree(name string) error {
	f, name = f.at(name)
	rel, err := f.resolve(name, false)
	if err != nil {
		return pathError("remove", name, err)
	}
	if rel == "." || rel == "proc" || rel == "sys" {
		return pathError("remove", name, syscall.EBUSY)
	}
	if !f.kernel && inKernelTree(rel) {
		return pathError("remove", name, syscall.EPERM)
	}
	if f.disk.busy(rel) {
		return pathError("remove", name, syscall.EBUSY)
	}
	f.disk.rename.Lock()
	defer f.disk.rename.Unlock()
	if err := f.disk.root.RemoveAll(rel); err != nil {
		return pathError("remove", name, err)
	}
	return pathError("remove", name, f.disk.owners.remove(rel))
}

// Symlink makes a symbolic link at name that points to target, which is kept as it is written.
func (f *FS) Symlink(target, name string) error {
	err := f.symlink(target, name)
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: "symlink", Old: target, New: name, Err: underlying(err)}
}

func (f *FS) symlink(target, name string) error {
	f, name = f.at(name)
	rel, err := f.resolve(name, false)
	if err != nil {
		return err
	}
	if err := f.makable(rel); err != nil {
		return err
	}
	if err := f.disk.root.Symlink(target, rel); err != nil {
		return err
	}
	return f.disk.owners.set(rel, owner{User: f.cred.User, Group: f.cred.Group()})
}

// Link makes a hard link; both names have the same owner from then on as long as nobody changes one of them.
func (f *FS) Link(from, to string) error {
	err := f.link(from, to)
	if err == nil {
		return nil
	}
	return &os.LinkError{Op: "link", Old: from, New: to, Err: underlying(err)}
}

func (f *FS) link(from, to string) error {
	f, from, to, err := f.both(from, to)
	if err != nil {
		return err
	}
	relFrom, err := f.resolve(from, false)
	if err != nil {
		return err
	}
	relTo, err := f.resolve(to, false)
	if err != nil {
		return err
	}
	if err := f.makable(relTo); err != nil {
		return err
	}
	if err := f.disk.root.Link(relFrom, relTo); err != nil {
		return err
	}
	return f.disk.owners.set(relTo, f.disk.owners.get(relFrom))
}
