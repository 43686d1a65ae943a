package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Options say where programs come from and where archives go.
type Options struct {
	Programs string // directory of the static programs
	To       string // archives go into its directories "system" and "extra"
}

// Result is what became of an image.
type Result struct {
	Image   Image
	Archive string // path
	Written bool   // false: the archive was there already, or the optional program was not built
	Missing bool   // the optional program was not built, and there is no archive
}

// Write brings the archives of all images up to date, each as a whole: a reader never sees half of one. done is called for each.
func Write(o Options, done func(Result)) error {
	for _, image := range All() {
		result, err := image.writeBelow(o)
		if err != nil {
			return fmt.Errorf("image %s: %w", image.Program, err)
		}
		done(result)
	}
	return nil
}

// writeBelow writes the archive into the directory where it belongs, and removes one that an earlier build has left in the other.
func (i Image) writeBelow(o Options) (Result, error) {
	directory, other := filepath.Join(o.To, "extra"), filepath.Join(o.To, "system")
	if i.System {
		directory, other = other, directory
	}
	if err := errors.Join(os.MkdirAll(directory, 0o755), os.MkdirAll(other, 0o755)); err != nil {
		return Result{}, err
	}
	file := i.Program + ".tar"
	result := Result{Image: i, Archive: filepath.Join(directory, file)}
	var err error
	result.Written, err = i.Write(filepath.Join(o.Programs, i.Program), result.Archive)
	if i.Optional && errors.Is(err, os.ErrNotExist) {
		result.Missing = true
		err = remove(result.Archive)
	}
	return result, errors.Join(err, remove(filepath.Join(other, file)))
}

// remove removes a file that may be there.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Write makes an image's archive from its program, unless the archive is that already.
func (i Image) Write(program, archive string) (written bool, err error) {
	tags, err := i.tags()
	if err != nil {
		return false, err
	}
	c, err := open(program, i.Program)
	if err != nil {
		return false, err
	}
	d, err := c.describe(tags)
	if err != nil {
		return false, err
	}
	current, err := d.isCurrent(archive)
	if current || err != nil {
		return false, err
	}
	return true, replace(archive, func(to io.Writer) error { return d.write(to, c) })
}

// write writes the archive. The program is read a second time: when it is another one by now, the archive fails.
func (d description) write(to io.Writer, c contents) error {
	archive := tar.NewWriter(to)
	for _, entry := range []struct {
		name    string
		content []byte
	}{{manifestName, d.manifest}, {d.configName, d.config}} {
		header := tar.Header{Typeflag: tar.TypeReg, Name: entry.name, Mode: 0o644, Size: int64(len(entry.content))}
		if err := writeEntry(archive, header, bytes.NewReader(entry.content)); err != nil {
			return err
		}
	}
	header := tar.Header{Typeflag: tar.TypeReg, Name: d.layerName, Mode: 0o644, Size: d.layerSize, Format: tar.FormatUSTAR}
	if err := archive.WriteHeader(&header); err != nil {
		return err
	}
	sum := sha256.New()
	if err := c.writeLayer(io.MultiWriter(archive, sum)); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != strings.TrimSuffix(d.layerName, ".tar") {
		return fmt.Errorf("program %s: it changed while it was read", c.program)
	}
	return archive.Close()
}

// replace writes a file beside its place and then moves it there.
func replace(path string, write func(io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	err = errors.Join(write(file), file.Chmod(0o644), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// checkStatic fails for a file that is no Linux program, or one that needs a loader or libraries.
func checkStatic(program string) error {
	file, err := elf.Open(program)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return errors.New("it is not static: it names a loader, which an image of it alone does not have")
		}
	}
	return nil
}
