package images

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// contents are an image's layer before it is written: directories, accounts, and the program.
type contents struct {
	program string // path of the file on this machine
	name    string
	size    int64
}

// manifestName is the entry that lists an archive's images.
const manifestName = "manifest.json"

// accounts are the files that programs look users and groups up in.
const (
	passwd = "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
	group  = "root:x:0:\nnogroup:x:65534:\n"
)

// open looks at a program. Only programs that need nothing beside them can run alone in an image.
func open(program, name string) (contents, error) {
	info, err := os.Stat(program)
	if err != nil {
		return contents{}, err
	}
	if err := checkStatic(program); err != nil {
		return contents{}, fmt.Errorf("program %s: %w", program, err)
	}
	return contents{program, name, info.Size()}, nil
}

// writeLayer writes the layer as a tar without times, and with root as the owner of everything. It is not compressed: an
// import then costs a copy.
func (c contents) writeLayer(to io.Writer) error {
	file, err := os.Open(c.program)
	if err != nil {
		return err
	}
	defer file.Close()
	layer := tar.NewWriter(to)
	for _, entry := range []struct {
		header  tar.Header
		content io.Reader
	}{
		{tar.Header{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755}, nil},
		{tar.Header{Typeflag: tar.TypeReg, Name: "etc/group", Mode: 0o644, Size: int64(len(group))}, bytes.NewReader([]byte(group))},
		{tar.Header{Typeflag: tar.TypeReg, Name: "etc/passwd", Mode: 0o644, Size: int64(len(passwd))}, bytes.NewReader([]byte(passwd))},
		{tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil},
		{tar.Header{Typeflag: tar.TypeReg, Name: c.name, Mode: 0o755, Size: c.size}, file},
	} {
		if err := writeEntry(layer, entry.header, entry.content); err != nil {
			return err
		}
	}
	return layer.Close()
}

func writeEntry(to *tar.Writer, header tar.Header, content io.Reader) error {
	header.Format = tar.FormatUSTAR
	if err := to.WriteHeader(&header); err != nil {
		return err
	}
	if content == nil {
		return nil
	}
	written, err := io.Copy(to, content)
	if err == nil && written != header.Size {
		err = fmt.Errorf("%s: %d bytes, and %d a moment ago", header.Name, written, header.Size)
	}
	return err
}

// counter counts what is written.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// description is an archive's metadata: the files config and manifest.json, and the layer's name and size.
type description struct {
	config, manifest []byte
	configName       string
	layerName        string
	layerSize        int64
}

// describe reads the program once. The image's time is the epoch's first second, so that only the program makes a difference.
func (c contents) describe(tags []string) (description, error) {
	sum, size := sha256.New(), new(counter)
	if err := c.writeLayer(io.MultiWriter(sum, size)); err != nil {
		return description{}, err
	}
	diff := hex.EncodeToString(sum.Sum(nil))
	created := v1.Time{Time: time.Unix(0, 0).UTC()}
	config, err := json.Marshal(v1.ConfigFile{
		Architecture: runtime.GOARCH, OS: "linux", Created: created,
		RootFS:  v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{{Algorithm: "sha256", Hex: diff}}},
		History: []v1.History{{Created: created, CreatedBy: "lab-images"}},
		Config:  v1.Config{Entrypoint: []string{"/" + c.name}, Env: []string{"PATH=/"}, WorkingDir: "/"},
	})
	if err != nil {
		return description{}, err
	}
	configSum := sha256.Sum256(config)
	d := description{
		config: config, configName: hex.EncodeToString(configSum[:]) + ".json", layerName: diff + ".tar", layerSize: int64(*size),
	}
	d.manifest, err = json.Marshal(tarball.Manifest{{Config: d.configName, RepoTags: tags, Layers: []string{d.layerName}}})
	return d, err
}

// isCurrent tells whether a file is the archive that the description describes. The manifest is its first entry and names the
// config and the layer by their sums, and an archive gets its name when it is complete; so the manifest and the size tell.
func (d description) isCurrent(archive string) (bool, error) {
	file, err := os.Open(archive)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() != d.size() {
		return false, err
	}
	entries := tar.NewReader(file)
	if header, err := entries.Next(); err != nil || header.Name != manifestName {
		return false, nil // something else, which is written anew
	}
	have, err := io.ReadAll(entries)
	return bytes.Equal(have, d.manifest), err
}

// size is the archive's size: blocks of 512 bytes, one of them before each entry and two at the end.
func (d description) size() int64 {
	const block = 512
	total := int64(2 * block)
	for _, n := range []int64{int64(len(d.manifest)), int64(len(d.config)), d.layerSize} {
		total += block + (n+block-1)/block*block
	}
	return total
}
