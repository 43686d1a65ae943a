package registry

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// blob is something that can be asked for by its digest: a manifest, a configuration or a layer.
type blob struct {
	digest    v1.Hash
	mediaType types.MediaType
	from      io.ReaderAt
	offset    int64
	size      int64
}

// open makes a reader of its own for each request.
func (b blob) open() *io.SectionReader { return io.NewSectionReader(b.from, b.offset, b.size) }

func (b blob) descriptor() v1.Descriptor {
	return v1.Descriptor{MediaType: b.mediaType, Size: b.size, Digest: b.digest}
}

// image is one image of an archive.
type image struct {
	tags     []name.Tag
	manifest blob
	blobs    []blob // the configuration and the layers
}

// maxJSON bounds what is read into memory; manifests and configurations have some thousand bytes.
const maxJSON = 4 << 20

// entry is where a file lies in an archive.
type entry struct{ offset, size int64 }

// archive is a docker archive of which only the headers were read.
type archive struct {
	file    io.ReaderAt
	size    int64
	entries map[string]entry
}

// readImages finds the images of a docker archive. Nothing of the size of a layer is read: a layer that is not compressed has the
// digest that the image's configuration gives it, and whoever pulls it checks that.
func readImages(file io.ReaderAt, size int64) ([]image, error) {
	a := archive{file: file, size: size, entries: map[string]entry{}}
	if err := a.list(); err != nil {
		return nil, err
	}
	_, content, err := a.read("manifest.json")
	if err != nil {
		return nil, err
	}
	var manifest tarball.Manifest
	if err := json.Unmarshal(content, &manifest); err != nil {
		return nil, fmt.Errorf("manifest.json: %w", err)
	}
	var images []image
	for _, d := range manifest {
		i, err := a.image(d)
		if err != nil {
			return nil, err
		}
		images = append(images, i)
	}
	return images, nil
}

// list notes where each file begins. The tar reader takes whole headers and no more, so the place after one is the file's first byte.
func (a *archive) list() error {
	place := io.NewSectionReader(a.file, 0, a.size)
	for headers := tar.NewReader(place); ; {
		header, err := headers.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		offset, err := place.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		if header.Size > a.size-offset {
			return fmt.Errorf("%s: the archive ends before it does: %w", header.Name, io.ErrUnexpectedEOF)
		}
		a.entries[path.Clean(header.Name)] = entry{offset, header.Size}
	}
}

func (a *archive) find(file string) (entry, error) {
	found, ok := a.entries[path.Clean(file)]
	if !ok {
		return entry{}, fmt.Errorf("there is no %q in the archive", file)
	}
	return found, nil
}

func (a *archive) read(file string) (entry, []byte, error) {
	found, err := a.find(file)
	if err != nil {
		return entry{}, nil, err
	}
	if found.size > maxJSON {
		return entry{}, nil, fmt.Errorf("%s: %d bytes, and %d at most can be", file, found.size, maxJSON)
	}
	content := make([]byte, found.size)
	_, err = io.ReadFull(io.NewSectionReader(a.file, found.offset, found.size), content)
	return found, content, err
}

// image makes the manifest that the archive does not have, of the configuration and the layers that it has.
func (a *archive) image(d tarball.Descriptor) (image, error) {
	var i image
	for _, reference := range d.RepoTags {
		tag, err := name.NewTag(reference)
		if err != nil {
			return image{}, err
		}
		i.tags = append(i.tags, tag)
	}
	config, content, err := a.read(d.Config)
	if err != nil {
		return image{}, err
	}
	parsed, err := v1.ParseConfigFile(bytes.NewReader(content))
	if err != nil {
		return image{}, fmt.Errorf("%s: %w", d.Config, err)
	}
	digest, _, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		return image{}, err
	}
	configBlob := blob{digest: digest, mediaType: types.OCIConfigJSON, from: a.file, offset: config.offset, size: config.size}
	layers, err := a.layers(d.Layers, parsed.RootFS.DiffIDs)
	if err != nil {
		return image{}, fmt.Errorf("%s: %w", d.Config, err)
	}
	i.blobs = append([]blob{configBlob}, layers...)
	i.manifest, err = newManifest(configBlob, layers)
	return i, err
}

func (a *archive) layers(names []string, digests []v1.Hash) ([]blob, error) {
	if len(names) != len(digests) {
		return nil, fmt.Errorf("%d layers, and sums of %d", len(names), len(digests))
	}
	var layers []blob
	for n, file := range names {
		found, err := a.find(file)
		if err != nil {
			return nil, err
		}
		layer := blob{digest: digests[n], mediaType: types.OCIUncompressedLayer, from: a.file, offset: found.offset, size: found.size}
		// What is compressed has another digest than the configuration says.
		if _, err := tar.NewReader(layer.open()).Next(); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("layer %s: %w", file, err)
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

func newManifest(config blob, layers []blob) (blob, error) {
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config.descriptor(), Layers: []v1.Descriptor{}}
	for _, layer := range layers {
		manifest.Layers = append(manifest.Layers, layer.descriptor())
	}
	content, err := json.Marshal(manifest)
	if err != nil {
		return blob{}, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(content))
	return blob{digest: digest, mediaType: types.OCIManifestSchema1, from: bytes.NewReader(content), size: size}, err
}
