package images_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/expertflow/cxha/sandbox/images"
	"github.com/expertflow/cxha/sandbox/images/imagestest"
)

// compiled compiles the smallest of the images' programs.
func compiled(t testing.TB) string {
	t.Helper()
	return imagestest.Program(t, "./pause", "CGO_ENABLED=0", "GOOS=linux")
}

func pause() images.Image {
	return images.Image{Program: "pause", References: []string{"registry.example/b/pause:2", "docker.io/rancher/mirrored-pause:3.6"}}
}

// write makes the archive and tells whether it was written.
func write(t testing.TB, image images.Image, program, archive string) bool {
	t.Helper()
	written, err := image.Write(program, archive)
	if err != nil {
		t.Fatal(err)
	}
	return written
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestArchiveIsAnImage(t *testing.T) {
	t.Parallel()
	program, archive := compiled(t), filepath.Join(t.TempDir(), "pause.tar")
	write(t, pause(), program, archive)
	image, err := tarball.ImageFromPath(archive, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Image(image); err != nil {
		t.Errorf("the archive is not sound: %v", err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{Entrypoint: []string{"/pause"}, Env: []string{"PATH=/"}, WorkingDir: "/"}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if config.OS != "linux" || !config.Created.IsZero() && config.Created.Unix() != 0 {
		t.Errorf("os %q, created %s", config.OS, config.Created)
	}
	manifest, err := tarball.LoadManifest(func() (io.ReadCloser, error) { return os.Open(archive) })
	if err != nil {
		t.Fatal(err)
	}
	tags := []string{"docker.io/rancher/mirrored-pause:3.6", "registry.example/b/pause:2"}
	if diff := cmp.Diff(tags, manifest[0].RepoTags); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{
		"etc/": "drwxr-xr-x", "etc/group": "-rw-r--r--", "etc/passwd": "-rw-r--r--", "tmp/": "dtrwxrwxrwx", "pause": "-rwxr-xr-x",
	}, layer(t, image, read(t, program))); diff != "" {
		t.Errorf("layer (-want +got):\n%s", diff)
	}
}

// layer lists the files of the image's only layer with their modes, and checks that the program is in it.
func layer(t *testing.T, image v1.Image, program []byte) map[string]string {
	t.Helper()
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers: %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	files := map[string]string{}
	for archive := tar.NewReader(content); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = header.FileInfo().Mode().String()
		if data, err := io.ReadAll(archive); header.Name == "pause" && (err != nil || !bytes.Equal(data, program)) {
			t.Errorf("the program in the layer is another one: %v", err)
		}
		if header.Uid != 0 || header.Gid != 0 || header.ModTime.Unix() != 0 {
			t.Errorf("%s: owner %d:%d, time %s", header.Name, header.Uid, header.Gid, header.ModTime)
		}
	}
}

func TestArchiveIsWrittenWhenSomethingChanged(t *testing.T) {
	t.Parallel()
	program, archive := compiled(t), filepath.Join(t.TempDir(), "pause.tar")
	if !write(t, pause(), program, archive) {
		t.Error("a new archive was not written")
	}
	first := read(t, archive)
	if write(t, pause(), program, archive) {
		t.Error("nothing changed, and the archive was written again")
	}
	other := filepath.Join(t.TempDir(), "other.tar")
	write(t, pause(), program, other)
	if !bytes.Equal(first, read(t, other)) {
		t.Error("two archives of one program differ")
	}
	cases := map[string]struct {
		image  images.Image
		before []byte // what the archive has become since
	}{
		"another tag": {images.Image{Program: "pause", References: []string{"registry.example/b/pause:2"}}, first},
		"cut short":   {pause(), first[:len(first)-512]},
		"no archive":  {pause(), bytes.Repeat([]byte("x"), len(first))},
		"empty":       {pause(), nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			archive := filepath.Join(t.TempDir(), "pause.tar")
			if err := os.WriteFile(archive, c.before, 0o600); err != nil {
				t.Fatal(err)
			}
			if !write(t, c.image, program, archive) {
				t.Error("the archive was not written anew")
			}
			if write(t, c.image, program, archive) {
				t.Error("the new archive was written once more")
			}
		})
	}
}

func TestProgramsThatCannotStandAlone(t *testing.T) {
	t.Parallel()
	shell, err := filepath.EvalSymlinks("/bin/sh")
	if err != nil {
		t.Skip("there is no /bin/sh here")
	}
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"+strings.Repeat("true\n", 100)), 0o700); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]string{shell: "not static", script: "bad magic number", "/nowhere/pause": "no such file"} {
		archive := filepath.Join(t.TempDir(), "pause.tar")
		if _, err := pause().Write(program, archive); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", program, err, want)
		}
		if _, err := os.Stat(archive); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: an archive is left: %v", program, err)
		}
	}
}

func TestWriteAll(t *testing.T) {
	t.Parallel()
	programs, to := t.TempDir(), t.TempDir()
	program := read(t, compiled(t))
	for _, image := range images.All() {
		if image.Optional {
			continue
		}
		if err := os.WriteFile(filepath.Join(programs, image.Program), program, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// Archives of earlier builds: of a program that is gone, and in the directory where the image was then.
	stale := []string{
		filepath.Join(to, "extra", "traefik.tar"), filepath.Join(to, "system", "traefik.tar"), filepath.Join(to, "system", "coredns.tar"),
		filepath.Join(to, "extra", "pause.tar"),
	}
	for _, archive := range stale {
		if err := errors.Join(os.MkdirAll(filepath.Dir(archive), 0o700), os.WriteFile(archive, []byte("old"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, round := range []string{"first", "second"} {
		done := map[string]string{}
		err := images.Write(images.Options{Programs: programs, To: to}, func(r images.Result) {
			done[strings.TrimPrefix(r.Archive, to)] = fmt.Sprintf("written %t, missing %t", r.Written, r.Missing)
		})
		if err != nil {
			t.Fatal(err)
		}
		made := fmt.Sprintf("written %t, missing false", round == "first")
		want := map[string]string{
			"/system/pause.tar": made, "/extra/coredns.tar": made, "/extra/traefik.tar": "written false, missing true",
			"/extra/controller.tar": made, "/extra/speaker.tar": made, "/extra/local-path-provisioner.tar": made, "/extra/volume.tar": made,
			"/extra/web.tar": made,
		}
		if diff := cmp.Diff(want, done); diff != "" {
			t.Errorf("%s round (-want +got):\n%s", round, diff)
		}
	}
	for _, archive := range stale {
		if _, err := os.Stat(archive); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s of an earlier build is left: %v", archive, err)
		}
	}
	if err := os.Remove(filepath.Join(programs, "coredns")); err != nil {
		t.Fatal(err)
	}
	err := images.Write(images.Options{Programs: programs, To: to}, func(images.Result) {})
	if err == nil || !strings.Contains(err.Error(), "image coredns") {
		t.Errorf("without a program that is needed: %v", err)
	}
}

func TestReferencesAreWhole(t *testing.T) {
	t.Parallel()
	for _, reference := range []string{"rancher/mirrored-pause:3.6", "registry.example/pause", "registry.example/pause:", "registry.example/Pause:1"} {
		image := images.Image{Program: "pause", References: []string{reference}}
		if _, err := image.Write("/nowhere/pause", "/nowhere/pause.tar"); err == nil || !strings.Contains(err.Error(), "image pause") {
			t.Errorf("reference %q: error %v, want one about the image", reference, err)
		}
	}
}

func FuzzArchiveReplacesAnything(f *testing.F) {
	program := compiled(f)
	good := filepath.Join(f.TempDir(), "good.tar")
	write(f, pause(), program, good)
	sum := sha256.Sum256(read(f, good))
	f.Add([]byte(nil))
	f.Add(read(f, good)[:4096])
	f.Fuzz(func(t *testing.T, before []byte) {
		archive := filepath.Join(t.TempDir(), "pause.tar")
		if err := os.WriteFile(archive, before, 0o600); err != nil {
			t.Fatal(err)
		}
		write(t, pause(), program, archive)
		if sha256.Sum256(read(t, archive)) != sum {
			t.Errorf("%d bytes before: what is there now is not the archive", len(before))
		}
	})
}
