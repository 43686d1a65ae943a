package mirror

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"
)

//go:embed files
var files embed.FS

// Versions are the releases of the mirror, oldest first.
func Versions() []string {
	return []string{"v1.34.10+rke2r1", "v1.35.6+rke2r1", "v1.35.7+rke2r1", "v1.36.3+rke2r1"}
}

// Channels are the channels with the releases that they point to (domain.md §2.1).
func Channels() map[string]string {
	return map[string]string{
		"stable": "v1.35.7+rke2r1", "latest": "v1.36.3+rke2r1", "testing": "v1.36.3+rke2r1",
		"v1.34": "v1.34.10+rke2r1", "v1.35": "v1.35.7+rke2r1", "v1.36": "v1.36.3+rke2r1",
	}
}

// TarballName is the name of a release's tarball for an architecture in Go's and RKE2's words.
func TarballName(arch string) string { return "rke2.linux-" + arch + ".tar.gz" }

// SumsName is the name of the file with a release's sums.
func SumsName(arch string) string { return "sha256sum-" + arch + ".txt" }

// released is the time of every file in a tarball, so that a release always has the same sum.
func released() time.Time { return time.Date(2026, time.August, 4, 0, 0, 0, 0, time.UTC) }

// content is one file of a tarball.
type content struct {
	size int64
	open func() (io.ReadCloser, error)
}

func inMemory(data []byte) content {
	return content{int64(len(data)), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

// isProgram tells whether a file of the tarball is executable.
func isProgram(name string) bool {
	for _, directory := range []string{"bin/", "share/rke2/runtime/", "share/rke2/cni/"} {
		if strings.HasPrefix(name, directory) {
			return true
		}
	}
	return false
}

// writeTarball writes the files in RKE2's layout, relative to the prefix that it is unpacked in. The same files give the same bytes.
func writeTarball(w io.Writer, contents map[string]content) error {
	zipper, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(zipper)
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		if err := writeFile(archive, name, contents[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return zipper.Close()
}

func writeFile(archive *tar.Writer, name string, file content) error {
	header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: file.size, ModTime: released(), Format: tar.FormatUSTAR}
	if isProgram(name) {
		header.Mode = 0o755
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	in, err := file.open()
	if err != nil {
		return err
	}
	defer in.Close() // only read from
	_, err = io.Copy(archive, in)
	return err
}

// common are the files that a release has on every kind of host. Scripts are those in a directory of [files].
func common(scripts string) (map[string]content, error) {
	const units = "lib/systemd/system/"
	contents := map[string]content{
		units + "rke2-server.env": inMemory([]byte("HOME=/root\n")),
		units + "rke2-agent.env":  inMemory([]byte("HOME=/root\n")),
		"share/rke2/LICENSE.txt":  inMemory([]byte("This is the cxha sandbox's stand-in for RKE2, made by its release mirror.\n")),
	}
	for name, file := range map[string]string{
		"bin/rke2-killall.sh": scripts + "/rke2-killall.sh", "bin/rke2-uninstall.sh": scripts + "/rke2-uninstall.sh",
		"share/rke2/rke2-cis-sysctl.conf": "rke2-cis-sysctl.conf",
	} {
		data, err := fs.ReadFile(files, "files/"+file)
		if err != nil {
			return nil, err
		}
		contents[name] = inMemory(data)
	}
	unit, err := template.ParseFS(files, "files/rke2.service.tmpl")
	if err != nil {
		return nil, err
	}
	for role, other := range map[string]string{"server": "agent", "agent": "server"} {
		var text bytes.Buffer
		data := struct {
			Role, Other string
			Containerd  bool
		}{role, other, scripts == hostScripts}
		if err := unit.Execute(&text, data); err != nil {
			return nil, err
		}
		contents[units+"rke2-"+role+".service"] = inMemory(text.Bytes())
	}
	return contents, nil
}

// Directories of scripts: for machines of the sandbox, which lack some commands, and for Linux hosts.
const (
	machineScripts = "machine"
	hostScripts    = "host"
)
