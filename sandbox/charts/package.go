package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

//go:embed all:metallb all:ingress-nginx all:csi-driver-nfs all:cx all:cx-store all:cx-suite all:local-path-provisioner all:localpv-provisioner
var sources embed.FS

// release is one published version of a chart.
type release struct {
	chart, version, appVersion string
}

// releases are all published versions. The source of a chart is one directory: its templates may look at the chart's version.
// The last one of a chart is what its Chart.yaml says.
func releases() []release {
	return []release{
		{"csi-driver-nfs", "4.13.3", "v4.13.3"}, {"csi-driver-nfs", "4.13.4", "v4.13.4"},
		{"cx", "1.0.0", "1.0.0"}, {"cx", "1.1.0", "1.1.0"},
		{"cx-store", "1.0.0", "17"}, {"cx-suite", "1.0.0", "1.0.0"}, {"cx-suite", "1.1.0", "1.1.0"},
		{"ingress-nginx", "4.15.0", "1.15.0"}, {"ingress-nginx", "4.15.1", "1.15.1"},
		{"local-path-provisioner", "0.0.37", "v0.0.37"},
		{"localpv-provisioner", "4.4.0", "4.4.0"},
		{"metallb", "0.16.0", "v0.16.0"}, {"metallb", "0.16.1", "v0.16.1"},
	}
}

// Archive is a packaged chart: what `helm package` makes.
type Archive struct {
	Metadata map[string]any // Chart.yaml
	Data     []byte         // .tgz; the same bytes for the same sources, on every computer
}

// Name is the chart's name.
func (a Archive) Name() string { return fmt.Sprint(a.Metadata["name"]) }

// Version is the chart's version.
func (a Archive) Version() string { return fmt.Sprint(a.Metadata["version"]) }

// File is the archive's file name.
func (a Archive) File() string { return a.Name() + "-" + a.Version() + ".tgz" }

// Archives packages every version of every chart, sorted by chart and version.
func Archives() ([]Archive, error) {
	var archives []Archive
	for _, r := range releases() {
		archive, err := r.pack()
		if err != nil {
			return nil, fmt.Errorf("chart %s %s: %w", r.chart, r.version, err)
		}
		archives = append(archives, archive)
	}
	return archives, nil
}

// pack makes the archive of a release. Names are sorted and there are no times, owners or computers in it.
func (r release) pack() (Archive, error) {
	var archive Archive
	files := map[string][]byte{}
	err := fs.WalkDir(sources, r.chart, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files[name], err = sources.ReadFile(name)
		return err
	})
	if err != nil {
		return archive, err
	}
	chartFile := r.chart + "/Chart.yaml"
	if err := yaml.Unmarshal(files[chartFile], &archive.Metadata); err != nil {
		return archive, err
	}
	archive.Metadata["version"], archive.Metadata["appVersion"] = r.version, r.appVersion
	if files[chartFile], err = yaml.Marshal(archive.Metadata); err != nil {
		return archive, err
	}
	archive.Data, err = compress(files)
	return archive, err
}

func compress(files map[string][]byte) ([]byte, error) {
	var data bytes.Buffer
	zip, err := gzip.NewWriterLevel(&data, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	archive := tar.NewWriter(zip)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	// Helm wants Chart.yaml first.
	slices.SortFunc(names, func(a, b string) int {
		if first, other := strings.HasSuffix(a, "/Chart.yaml"), strings.HasSuffix(b, "/Chart.yaml"); first != other {
			if first {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name])), Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := archive.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return data.Bytes(), nil
}
