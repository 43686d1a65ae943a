package helm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// cached returns the archive with that digest, if it is in the cache. One with other bytes, such as of a disk that was full, is
// as good as none.
func (c *Charts) cached(digest string) ([]byte, bool) {
	name, err := c.cacheFile(digest)
	if err != nil {
		return nil, false
	}
	text, err := os.ReadFile(name)
	return text, err == nil && digestOf(text) == digest
}

// keep puts an archive into the cache in one step.
func (c *Charts) keep(text []byte) error {
	name, err := c.cacheFile(digestOf(text))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("directory for charts: %w", err)
	}
	if err := writeFile(name, text); err != nil {
		return fmt.Errorf("directory for charts: %w", err)
	}
	return nil
}

// writeFile writes a file beside its place and moves it there.
func writeFile(name string, text []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.new")
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	if err := os.Rename(tmp.Name(), name); err != nil {
		if rest := os.Remove(tmp.Name()); !errors.Is(rest, fs.ErrNotExist) {
			err = errors.Join(err, rest)
		}
		return err
	}
	return nil
}

func (c *Charts) cacheFile(digest string) (string, error) {
	dir, err := c.dir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "sha256-"+digits(digest)+".tgz"), nil
}
