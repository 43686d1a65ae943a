package images_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/charts"
	"github.com/expertflow/cxha/sandbox/charts/chartstest"
	"github.com/expertflow/cxha/sandbox/images"
)

var imageLine = regexp.MustCompile(`image: "?([^\s"}\\]+)`)

// TestNamesOfChartsAndTemplates holds the images to what charts and packaged templates name: each name is of an image that is
// made, or it is known why it is not; and no image is made that nobody names.
func TestNamesOfChartsAndTemplates(t *testing.T) {
	t.Parallel()
	made, unavailable := map[string]bool{}, images.Unavailable()
	for _, image := range images.All() {
		for _, reference := range image.References {
			// The pause image is named by containerd's configuration.
			made[reference] = image.Program == "pause"
		}
	}
	unnamed := map[string]bool{}
	for reference := range unavailable {
		unnamed[reference] = true
	}
	for where, text := range manifests(t) {
		for _, match := range imageLine.FindAllStringSubmatch(text, -1) {
			name := full(match[1])
			if _, ok := made[name]; ok {
				made[name] = true
			} else if unavailable[name] == "" {
				t.Errorf("%s: no image %s is made, and the table does not say why", where, name)
			}
			delete(unnamed, name)
		}
	}
	for name, isNamed := range made {
		if !isNamed {
			t.Errorf("image %s: no chart and no template names it", name)
		}
	}
	for name := range unnamed {
		t.Errorf("image %s: said to be unavailable, and nobody names it", name)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for name := range unavailable {
		repository := name[:strings.LastIndex(name, ":")]
		if !strings.Contains(string(readme), strings.TrimPrefix(repository, "docker.io/")) {
			t.Errorf("sandbox/README.md does not say that there is no image %s", name)
		}
	}
}

// full is the name with the registry that container runtimes add.
func full(name string) string {
	if host, _, found := strings.Cut(name, "/"); found && strings.ContainsAny(host, ".:") {
		return name
	}
	return "docker.io/" + name
}

// manifests are all charts, in each of their versions and with everything that values can add, and the packaged templates.
func manifests(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	archives, err := charts.Archives()
	if err != nil {
		t.Fatal(err)
	}
	for _, archive := range archives {
		text, err := chartstest.RenderVersion(archive.Name(), archive.Version(), "default", "")
		if err != nil {
			t.Fatalf("chart %s: %v", archive.File(), err)
		}
		texts[archive.File()] = string(text)
	}
	templates := os.DirFS("../rke2/charts")
	names, err := fs.Glob(templates, "*.yaml")
	if err != nil || !slices.Contains(names, "rke2-coredns.yaml") {
		t.Fatalf("packaged templates %v: %v", names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(templates, name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}
