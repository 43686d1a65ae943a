package kube

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// buildKustomization returns the objects of a directory with a kustomization.yaml, in the order of the files. It reads the disk
// and nothing else: bases and files from the network are refused, so that what was reviewed is what is built.
func buildKustomization(dir string) ([]*unstructured.Unstructured, error) {
	if err := localOnly(dir, map[string]bool{}); err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, err
	}
	text, err := built.AsYaml()
	if err != nil {
		return nil, err
	}
	objects, errs := readObjects(string(text), true)
	return objects, errors.Join(errs...)
}

// bases are the fields of a kustomization.yaml that can name what is not on this disk, or lead to another kustomization.yaml.
type bases struct {
	Resources      []string `json:"resources"`
	Bases          []string `json:"bases"`
	Components     []string `json:"components"`
	CRDs           []string `json:"crds"`
	Configurations []string `json:"configurations"`
	Generators     []string `json:"generators"`
	Transformers   []string `json:"transformers"`
	Validators     []string `json:"validators"`
	HelmCharts     []any    `json:"helmCharts"`
}

// localOnly walks the tree of a kustomization and refuses what is not on this disk.
func localOnly(dir string, seen map[string]bool) error {
	if seen[dir] {
		return nil // kustomize itself tells about cycles
	}
	seen[dir] = true
	b, err := readBases(dir)
	if err != nil {
		return err
	}
	if len(b.HelmCharts) > 0 {
		return fmt.Errorf("%s has helmCharts, which are not built here; use a helm_release block", dir)
	}
	for _, entry := range slices.Concat(b.Resources, b.Bases, b.Components, b.CRDs, b.Configurations, b.Generators, b.Transformers, b.Validators) {
		path := filepath.Join(dir, entry)
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && slices.Contains(slices.Concat(b.Generators, b.Transformers, b.Validators), entry):
			// It may be written into the file itself, and cannot come from elsewhere.
		case err != nil:
			return fmt.Errorf("%s names %q, which is not there; what is not on this disk is not fetched: copy it beside the blueprint", dir, entry)
		case info.IsDir():
			if err := localOnly(path, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

func readBases(dir string) (bases, error) {
	var b bases
	for _, name := range konfig.RecognizedKustomizationFileNames() {
		src, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return b, err
		}
		if err := yaml.Unmarshal(src, &b); err != nil {
			return b, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		return b, nil
	}
	return b, fmt.Errorf("%s has no kustomization.yaml", dir)
}
