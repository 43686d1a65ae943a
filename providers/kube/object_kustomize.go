package kube

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

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

// bases are the fields of a kustomization.yaml that can name what is not on this disk, lead to another kustomization.yaml, or name
// files whose YAML is read.
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

	Patches               []patchFile `json:"patches"`
	PatchesJSON6902       []patchFile `json:"patchesJson6902"`
	PatchesStrategicMerge []string    `json:"patchesStrategicMerge"`
	Replacements          []patchFile `json:"replacements"`
	ConfigMaps            []generator `json:"configMapGenerator"`
	Secrets               []generator `json:"secretGenerator"`
}

// patchFile is something that may stand in a file of its own, or as text where it is named.
type patchFile struct {
	Path  string `json:"path"`
	Patch string `json:"patch"`
}

// generator makes a ConfigMap or a Secret of files, each as PATH or NAME=PATH.
type generator struct {
	Files []string `json:"files"`
}

// inline are texts with YAML that stand in the file itself.
func (b bases) inline() []string {
	var texts []string
	for _, p := range slices.Concat(b.Patches, b.PatchesJSON6902) {
		texts = append(texts, p.Patch)
	}
	return slices.Concat(texts, b.PatchesStrategicMerge, b.Generators, b.Transformers, b.Validators)
}

// files are the files with YAML beside the resources. What is no file may be text that stands where it is named.
func (b bases) files() []string {
	var names []string
	for _, p := range slices.Concat(b.Patches, b.PatchesJSON6902, b.Replacements) {
		names = append(names, p.Path)
	}
	for _, g := range slices.Concat(b.ConfigMaps, b.Secrets) {
		for _, f := range g.Files {
			if _, path, named := strings.Cut(f, "="); named {
				f = path
			}
			if ext := filepath.Ext(f); ext == ".yaml" || ext == ".yml" {
				names = append(names, f)
			}
		}
	}
	return slices.Concat(names, b.PatchesStrategicMerge, b.Resources, b.CRDs, b.Configurations, b.Generators, b.Transformers, b.Validators)
}

// onceEach refuses names that stand twice in a mapping of a kustomization's files, of which kustomize would take the last.
func (b bases) onceEach(dir string) error {
	for _, name := range b.files() {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); name == "" || err != nil || !info.Mode().IsRegular() {
			continue // kustomize tells of what is missing
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := namesTwice(text); err != nil {
			return fmt.Errorf("%s, %w", path, err)
		}
	}
	for _, text := range b.inline() {
		if err := namesTwice([]byte(text)); err != nil {
			return fmt.Errorf("%s, in a text of its kustomization, %w", dir, err)
		}
	}
	return nil
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
	if err := b.onceEach(dir); err != nil {
		return err
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
		if err := namesTwice(src); err != nil {
			return b, fmt.Errorf("%s, %w", filepath.Join(dir, name), err)
		}
		if err := yaml.Unmarshal(src, &b); err != nil {
			return b, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
		}
		return b, nil
	}
	return b, fmt.Errorf("%s has no kustomization.yaml", dir)
}
