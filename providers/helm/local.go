package helm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/ignore"

	"github.com/expertflow/cxha/schema/blueprint"
)

// readLocal returns the files of a chart beside the blueprint, and their digest: of an archive, that of its bytes; of a
// directory, that of its files' names and contents, without those that .helmignore leaves out.
func readLocal(ref blueprint.Chart) ([]*archive.BufferedFile, string, error) {
	info, err := os.Stat(ref.Name)
	if err != nil {
		return nil, "", fmt.Errorf("chart: %w", err)
	}
	if !info.IsDir() {
		text, err := os.ReadFile(ref.Name)
		if err != nil {
			return nil, "", fmt.Errorf("chart: %w", err)
		}
		files, err := unpack(ref, text)
		return files, digestOf(text), err
	}
	rules, err := ignoreRules(ref.Name)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %s: %w", describe(ref), ignore.HelmIgnore, err)
	}
	d := directory{root: ref.Name, rules: rules}
	if err := d.read("", 0); err != nil {
		return nil, "", fmt.Errorf("%s: %w", describe(ref), err)
	}
	slices.SortFunc(d.files, func(a, b *archive.BufferedFile) int { return strings.Compare(a.Name, b.Name) })
	return d.files, digestFiles(d.files), nil
}

func ignoreRules(dir string) (*ignore.Rules, error) {
	rules, err := ignore.ParseFile(filepath.Join(dir, ignore.HelmIgnore))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		rules = ignore.Empty()
	case err != nil:
		return nil, err
	}
	rules.AddDefaults()
	return rules, nil
}

// maxDepth is deeper than charts are, and shallower than links that go round in circles.
const maxDepth = 32

// directory reads the files of a chart. Links are followed, as Helm does.
type directory struct {
	root  string
	rules *ignore.Rules
	size  int64
	files []*archive.BufferedFile
}

// read adds the files below a directory; at is its path below the root, with slashes.
func (d *directory) read(at string, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("directory %s: it is nested more than %d deep; do links go round in circles?", at, maxDepth)
	}
	entries, err := os.ReadDir(filepath.Join(d.root, filepath.FromSlash(at)))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(at, e.Name())
		file := filepath.Join(d.root, filepath.FromSlash(name))
		info, err := os.Stat(file)
		switch {
		case err != nil:
			return err
		case d.rules.Ignore(name, info):
		case info.IsDir():
			if err := d.read(name, depth+1); err != nil {
				return err
			}
		case !info.Mode().IsRegular():
			return fmt.Errorf("file %s: it is neither a file nor a directory", name)
		default:
			if err := d.add(name, file, info); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *directory) add(name, file string, info fs.FileInfo) error {
	if d.size += info.Size(); d.size > archive.MaxDecompressedChartSize {
		return fmt.Errorf("it is larger than %d MiB", archive.MaxDecompressedChartSize>>20)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text = []byte(strings.TrimPrefix(string(text), "\ufeff"))
	d.files = append(d.files, &archive.BufferedFile{Name: name, ModTime: info.ModTime(), Data: text})
	return nil
}

// digestFiles is the same on every machine: modes, owners and times do not count.
func digestFiles(files []*archive.BufferedFile) string {
	h := sha256.New()
	for _, f := range files {
		writeSized(h, []byte(f.Name))
		writeSized(h, f.Data)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// writeSized writes a text with its length before it, so that no two lists of texts look alike. A hash never fails.
func writeSized(h hash.Hash, text []byte) {
	_, _ = fmt.Fprintf(h, "%d:", len(text))
	_, _ = h.Write(text)
}
