package chartstest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/sandbox/charts"
)

// Render makes the manifest of a chart's newest version for a release with the chart's own name. values is YAML.
func Render(chart, namespace, values string) ([]byte, error) {
	return RenderVersion(chart, "", namespace, values)
}

// RenderVersion makes the manifest of a version of a chart; the newest without one.
func RenderVersion(chart, version, namespace, values string) ([]byte, error) {
	archives, err := charts.Archives()
	if err != nil {
		return nil, err
	}
	slices.Reverse(archives)
	at := slices.IndexFunc(archives, func(a charts.Archive) bool { return a.Name() == chart && (version == "" || a.Version() == version) })
	if at < 0 {
		return nil, fmt.Errorf("there is no chart %s %s", chart, version)
	}
	files, err := unpack(archives[at].Data)
	if err != nil {
		return nil, err
	}
	all, given := map[string]any{}, map[string]any{}
	if err := errors.Join(yaml.Unmarshal(files[chart+"/values.yaml"], &all), yaml.Unmarshal([]byte(values), &given)); err != nil {
		return nil, err
	}
	metadata := map[string]any{}
	for key, value := range archives[at].Metadata {
		metadata[strings.ToUpper(key[:1])+key[1:]] = value
	}
	return execute(files, map[string]any{
		"Values": merge(all, given), "Chart": metadata,
		"Release": map[string]any{"Name": chart, "Namespace": namespace, "Service": "Helm", "IsInstall": true},
	})
}

func unpack(data []byte) (map[string][]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if files[header.Name], err = io.ReadAll(archive); err != nil {
			return nil, err
		}
	}
}

func merge(under, over map[string]any) map[string]any {
	result := maps.Clone(under)
	for key, value := range over {
		below, wasMap := result[key].(map[string]any)
		inner, isMap := value.(map[string]any)
		if wasMap && isMap {
			value = merge(below, inner)
		}
		result[key] = value
	}
	return result
}

func execute(files map[string][]byte, data map[string]any) ([]byte, error) {
	all := template.New("chart")
	functions := sprig.TxtFuncMap()
	functions["toYaml"] = func(value any) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	functions["include"] = func(name string, data any) (string, error) {
		var b strings.Builder
		err := all.ExecuteTemplate(&b, name, data)
		return b.String(), err
	}
	all.Funcs(functions)
	names := slices.Sorted(maps.Keys(files))
	var manifest bytes.Buffer
	for _, name := range names {
		if strings.Contains(name, "/templates/") {
			if _, err := all.New(name).Parse(string(files[name])); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range names {
		if strings.Contains(name, "/templates/") && !strings.HasSuffix(name, ".tpl") {
			manifest.WriteString("---\n")
			if err := all.ExecuteTemplate(&manifest, name, data); err != nil {
				return nil, err
			}
			manifest.WriteString("\n")
		}
	}
	return manifest.Bytes(), nil
}
