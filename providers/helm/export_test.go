package helm

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// The package's pure functions, for its tests.

// FindChart returns the first address in the index of a repository for a chart.
func FindChart(index []byte, name, version string) (string, error) {
	v, err := findChart(index, name, version)
	if err != nil {
		return "", err
	}
	return v.URLs[0], nil
}

func IsLoopback(address string) bool { return isLoopback(address) }

func LabelOf(b schema.BlockAddr) string { return blockLabel(b) }

func HelmValues(v cty.Value) (map[string]any, error) { return helmValues(v) }

func LiveValues(config map[string]any) (cty.Value, error) { return liveValues(config) }

func DesiredValues(v cty.Value) cty.Value { return desiredValues(v) }

func Pointers(v cty.Value) []string { return pointers(v) }

func Hide(live, desired cty.Value, secret []string) cty.Value { return hide(live, desired, secret) }

func Problems(err error) string { return problems(err) }

// Mask takes secrets out of a text.
func Mask(text string, secrets ...string) string { return newMasks(secrets...).text(text) }

// ReadRecord reads a release's record.
func ReadRecord(data []byte) (values map[string]any, manifest string, err error) {
	rel, err := decodeRecord(data)
	if err != nil {
		return nil, "", err
	}
	return rel.Config, rel.Manifest, nil
}

// ReadManifest returns the ids of the objects of a manifest.
func ReadManifest(manifest, namespace string) (ids []string, err error) {
	objects, err := readManifest(manifest, namespace)
	for _, o := range objects {
		ids = append(ids, o.id())
		usesOf(o)
	}
	compareObjects(objects, objects)
	usesOfAll(objects)
	return ids, err
}
