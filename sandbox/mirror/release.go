package mirror

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
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

// Architectures are those that there are releases for, in Go's and RKE2's words.
func Architectures() []string { return []string{"amd64", "arm64"} }

// TarballName is the name of a release's tarball.
func TarballName(arch string) string { return "rke2.linux-" + arch + ".tar.gz" }

// SumsName is the name of the file with a release's sums.
func SumsName(arch string) string { return "sha256sum-" + arch + ".txt" }

// released is the time of every file in a tarball, so that a release always has the same sum.
func released() time.Time { return time.Date(2026, time.August, 4, 0, 0, 0, 0, time.UTC) }

// Tarball makes the tarball of a version in RKE2's layout, relative to the prefix that it is unpacked in. The same version
// gives the same bytes. bin/rke2 is a text file that names the sandbox's program and the version.
func Tarball(version string) ([]byte, error) {
	contents, err := contents(version)
	if err != nil {
		return nil, err
	}
	var compressed bytes.Buffer
	zipper := gzip.NewWriter(&compressed)
	archive := tar.NewWriter(zipper)
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		header := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(contents[name])), ModTime: released(), Format: tar.FormatUSTAR}
		if strings.HasPrefix(name, "bin/") {
			header.Mode = 0o755
		}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(contents[name]); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := zipper.Close(); err != nil {
		return nil, err
	}
	return compressed.Bytes(), nil
}

func contents(version string) (map[string][]byte, error) {
	const units = "lib/systemd/system/"
	contents := map[string][]byte{
		"bin/rke2":                        fmt.Appendf(nil, "#!cxha-sandbox rke2\nversion %s\n", version),
		units + "rke2-server.env":         []byte("HOME=/root\n"),
		units + "rke2-agent.env":          []byte("HOME=/root\n"),
		"share/rke2/LICENSE.txt":          []byte("This is the cxha sandbox's stand-in for RKE2, made by its release mirror.\n"),
		"bin/rke2-killall.sh":             nil,
		"bin/rke2-uninstall.sh":           nil,
		"share/rke2/rke2-cis-sysctl.conf": nil,
	}
	for name, content := range contents {
		if content != nil {
			continue
		}
		data, err := fs.ReadFile(files, "files/"+name[strings.LastIndex(name, "/")+1:])
		if err != nil {
			return nil, err
		}
		contents[name] = data
	}
	unit, err := template.ParseFS(files, "files/rke2.service.tmpl")
	if err != nil {
		return nil, err
	}
	for role, other := range map[string]string{"server": "agent", "agent": "server"} {
		var text bytes.Buffer
		if err := unit.Execute(&text, struct{ Role, Other string }{role, other}); err != nil {
			return nil, err
		}
		contents[units+"rke2-"+role+".service"] = text.Bytes()
	}
	return contents, nil
}

// sums is the file of sums of one architecture, in the form of sha256sum.
func sums(version, arch string) ([]byte, error) {
	tarball, err := Tarball(version)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(tarball)
	return fmt.Appendf(nil, "%s  %s\n", hex.EncodeToString(digest[:]), TarballName(arch)), nil
}
