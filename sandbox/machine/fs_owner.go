package machine

import (
	"io/fs"
	"slices"
	"syscall"
)

// Chmod sets permission bits, sticky, setuid and setgid; only the owner and root may.
func (f *FS) Chmod(name string, mode fs.FileMode) error {
	f, name = f.at(name)
	rel, info, err := f.owned(name)
	if err != nil {
		return pathError("chmod", name, err)
	}
	return pathError("chmod", name, f.disk.setMode(rel, info, mode))
}

// setMode keeps the real file usable for the sandbox itself, and the difference in the ledger.
func (d *disk) setMode(rel string, info *Info, mode fs.FileMode) error {
	mode &= fs.ModePerm | fs.ModeSticky | fs.ModeSetuid | fs.ModeSetgid
	real := mode | 0o600
	if info.IsDir() {
		real = mode | 0o700
	}
	// setuid and setgid bits stay out of the real file system, where they would mean the sandbox's own user.
	real &^= fs.ModeSetuid | fs.ModeSetgid
	if err := d.root.Chmod(rel, real); err != nil {
		return err
	}
	o := d.owners.get(rel)
	o.Mode = nil
	if real != mode {
		o.Mode = &mode
	}
	return d.owners.set(rel, o)
}

// Chown sets the owner by name; an empty user or group stays as it is. Only root may give files away.
func (f *FS) Chown(name, user, group string) error { return f.chown(name, user, group, true) }

// Lchown is Chown for a symbolic link itself.
func (f *FS) Lchown(name, user, group string) error { return f.chown(name, user, group, false) }

func (f *FS) chown(name, user, group string, follow bool) error {
	f, name = f.at(name)
	rel, err := f.resolve(name, follow)
	if err != nil {
		return pathError("chown", name, err)
	}
	info, err := f.disk.lstat(rel)
	if err != nil {
		return pathError("chown", name, err)
	}
	if !f.cred.IsRoot() && (info.User != f.cred.User || user != "" && user != info.User ||
		group != "" && !slices.Contains(f.cred.Groups, group)) {
		return pathError("chown", name, syscall.EPERM)
	}
	o := f.disk.owners.get(rel)
	if user != "" {
		o.User = user
	}
	if group != "" {
		o.Group = group
	}
	return pathError("chown", name, f.disk.owners.set(rel, o))
}

// owned resolves a path that the user must own.
func (f *FS) owned(name string) (string, *Info, error) {
	rel, err := f.resolve(name, true)
	if err != nil {
		return "", nil, err
	}
	info, err := f.disk.lstat(rel)
	if err != nil {
		return "", nil, err
	}
	if !f.cred.IsRoot() && info.User != f.cred.User {
		return "", nil, syscall.EPERM
	}
	return rel, info, nil
}
