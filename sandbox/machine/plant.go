package machine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// The functions of this file write to trees that belong to root and that nobody else uses at the time: a disk that is being
// installed, and the kernel's files during a boot. They leave out the checks, the atomic replacement and the ledger of FS,
// which would make a host several times as expensive.

// plant writes a file that belongs to root.
func (d *disk) plant(name string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(filepath.Join(d.dir, name), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Chmod(mode|0o600), f.Close())
}

// plantDir makes a directory and those above it, readable by everybody.
func (d *disk) plantDir(name string, mode fs.FileMode) error {
	real := filepath.Join(d.dir, name)
	if err := os.MkdirAll(real, 0o755); err != nil {
		return err
	}
	if mode == 0o755 {
		return nil
	}
	return os.Chmod(real, mode|0o700)
}

// plantLink makes a symbolic link unless the name exists.
func (d *disk) plantLink(target, name string) error {
	if err := os.Symlink(target, filepath.Join(d.dir, name)); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// clear empties a directory; it makes one that is missing.
func (d *disk) clear(name string) error {
	real := filepath.Join(d.dir, name)
	if err := os.MkdirAll(real, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(real)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(real, e.Name())); err != nil {
			return err
		}
		if err := d.owners.remove(filepath.Join(name, e.Name())[1:]); err != nil {
			return err
		}
	}
	return nil
}
