package registry

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// dockerHub is the registry of names without one.
const dockerHub = "docker.io"

// repository is one name of a registry, and where it is: docker.io has the repository rancher/mirrored-pause.
type repository struct{ registry, name string }

// contents are what a repository has.
type contents struct {
	tags      map[string]v1.Hash
	manifests map[v1.Hash]blob
	blobs     map[v1.Hash]blob
}

// Registry serves the images of archives under all names that they have there. It stands for several registries at once: the query
// ns, which containerd adds for a mirror, says which one is meant; docker.io without it.
type Registry struct {
	repositories map[repository]contents
	files        []*os.File
}

// Open reads what images there are in the docker archives of a directory (*.tar, layers not compressed), and keeps the archives open:
// one that is replaced later is served as it was. unsound is called for each archive that is left out.
func Open(directory string, unsound func(file string, why error)) (*Registry, error) {
	archives, err := filepath.Glob(filepath.Join(directory, "*.tar")) // sorted
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", directory, err)
	}
	r := &Registry{repositories: map[repository]contents{}}
	for _, archive := range archives {
		if err := r.add(archive); err != nil {
			unsound(archive, err)
		}
	}
	return r, nil
}

// Close closes the archives.
func (r *Registry) Close() error {
	var errs []error
	for _, file := range r.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// add takes all images of an archive, or none.
func (r *Registry) add(archive string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	images, err := readImages(file, info.Size())
	if err != nil {
		return errors.Join(err, file.Close())
	}
	r.files = append(r.files, file)
	for _, image := range images {
		for _, tag := range image.tags {
			r.tag(tag, image)
		}
	}
	return nil
}

func (r *Registry) tag(tag name.Tag, image image) {
	at := repository{tag.RegistryStr(), tag.RepositoryStr()}
	if at.registry == name.DefaultRegistry {
		at.registry = dockerHub // its name for clients
	}
	in, ok := r.repositories[at]
	if !ok {
		in = contents{map[string]v1.Hash{}, map[v1.Hash]blob{}, map[v1.Hash]blob{}}
		r.repositories[at] = in
	}
	in.tags[tag.TagStr()] = image.manifest.digest
	in.manifests[image.manifest.digest] = image.manifest
	for _, b := range image.blobs {
		in.blobs[b.digest] = b
	}
}
