package mirror

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/expertflow/cxha/sandbox/rke2/release"
)

// hostReleases are releases for Linux hosts of this machine's architecture, made of built programs. A tarball is made when it is first
// asked for, and kept in a file whose name says what it is made of.
type hostReleases struct {
	programs string // directory: rke2, runtime, cni, images/system
	cache    string // directory

	mu   sync.Mutex        // one tarball at a time
	made map[string]string // the files of this life's tarballs, by version
}

func (r *hostReleases) architectures() []string { return []string{runtime.GOARCH} }

func (r *hostReleases) tarball(version string) (io.ReadSeekCloser, error) {
	file, err := r.ensure(version)
	if err != nil {
		return nil, err
	}
	return os.Open(file)
}

func (r *hostReleases) sum(version string) (string, error) {
	file, err := r.ensure(version)
	if err != nil {
		return "", err
	}
	sum, err := os.ReadFile(sumFile(file))
	return string(sum), err
}

// sumFile holds the sum of a kept tarball.
func sumFile(tarball string) string { return tarball + ".sha256" }

// ensure returns the file of a version's tarball. What it is made of is looked at once.
func (r *hostReleases) ensure(version string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name, ok := r.made[version]; ok {
		if _, err := os.Stat(sumFile(name)); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return name, err
		}
	}
	name, err := r.find(version)
	if err == nil {
		r.made[version] = name
	}
	return name, err
}

// find looks for the file of a version's tarball by what it is made of, and makes it if it is not there. It takes the place of those
// that were made of other programs.
func (r *hostReleases) find(version string) (string, error) {
	contents, err := r.contents(version)
	if err != nil {
		return "", err
	}
	id, err := identify(contents)
	if err != nil {
		return "", err
	}
	name := filepath.Join(r.cache, "rke2-"+version+"-"+id+".tar.gz")
	if _, err := os.Stat(sumFile(name)); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return name, err
	}
	old, err := filepath.Glob(filepath.Join(r.cache, "rke2-"+version+"-*"))
	if err != nil {
		return "", err
	}
	if err := r.keep(name, contents); err != nil {
		return "", fmt.Errorf("release %s: %w", version, err)
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return name, nil
}

// keep writes a tarball and then its sum, each in one step.
func (r *hostReleases) keep(name string, contents map[string]content) error {
	if err := os.MkdirAll(r.cache, 0o755); err != nil {
		return err
	}
	out, err := os.CreateTemp(r.cache, ".new-*")
	if err != nil {
		return err
	}
	digest := sha256.New()
	err = errors.Join(writeTarball(io.MultiWriter(out, digest), contents), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	temporary := out.Name() + ".sha256"
	if err := os.WriteFile(temporary, []byte(hex.EncodeToString(digest.Sum(nil))), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, sumFile(name))
}

// contents are the files of a version's tarball.
func (r *hostReleases) contents(version string) (map[string]content, error) {
	contents, err := common(hostScripts)
	if err != nil {
		return nil, err
	}
	binary, err := onDisk(filepath.Join(r.programs, "rke2"))
	if err != nil {
		return nil, err
	}
	contents["bin/rke2"] = followed(binary, release.Mark(version))
	for from, to := range map[string]string{"runtime": "share/rke2/runtime/", "cni": "share/rke2/cni/", "images/system": "share/rke2/images/"} {
		entries, err := os.ReadDir(filepath.Join(r.programs, from))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			file, err := onDisk(filepath.Join(r.programs, from, entry.Name()))
			if err != nil {
				return nil, err
			}
			contents[to+entry.Name()] = file
		}
	}
	return contents, nil
}

func onDisk(name string) (content, error) {
	info, err := os.Stat(name)
	if err != nil {
		return content{}, err
	}
	if !info.Mode().IsRegular() {
		return content{}, fmt.Errorf("%s: not a file", name)
	}
	return content{info.Size(), func() (io.ReadCloser, error) { return os.Open(name) }}, nil
}

// followed is a file with more bytes at its end.
func followed(file content, more []byte) content {
	return content{file.size + int64(len(more)), func() (io.ReadCloser, error) {
		in, err := file.open()
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(in, bytes.NewReader(more)), in}, nil
	}}
}

// identify is a short name for what a tarball is made of.
func identify(contents map[string]content) (string, error) {
	digest := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		fmt.Fprintf(digest, "%d %s %d\n", len(name), name, contents[name].size)
		if err := add(digest, contents[name]); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	return hex.EncodeToString(digest.Sum(nil))[:16], nil
}

func add(digest hash.Hash, file content) error {
	in, err := file.open()
	if err != nil {
		return err
	}
	defer in.Close() // only read from
	_, err = io.Copy(digest, in)
	return err
}
