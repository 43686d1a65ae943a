//go:build linux

package linuxnode

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// registriesFile says where images are pulled from (domain.md §2.6).
const registriesFile = "/etc/rancher/rke2/registries.yaml"

// registries are the parts of registries.yaml that have an effect: mirrors of registries. Credentials and certificates have none.
type registries struct {
	Mirrors map[string]struct {
		Endpoint []string `yaml:"endpoint"`
	} `yaml:"mirrors"`
}

// writeRegistries turns registries.yaml into containerd's directory of hosts, anew at every start. The lab's images, where there are
// any, are asked for after the mirrors that it names, and before a registry itself.
func (n *node) writeRegistries() error {
	directory := n.path("etc", "containerd", "certs.d")
	if err := os.RemoveAll(directory); err != nil {
		return err
	}
	file := n.Config.Text("private-registry", registriesFile)
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	hosts, err := parseRegistries(data, n.mirror)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for registry, text := range hosts {
		if err := n.write(filepath.Join(directory, registry, "hosts.toml"), []byte(text)); err != nil {
			return err
		}
	}
	return nil
}

// parseRegistries makes the text of a hosts.toml for every registry that has mirrors; "*" stands for all that are not named. last, if
// not empty, is one more mirror of every registry, after all others.
func parseRegistries(data []byte, last string) (map[string]string, error) {
	var given registries
	if err := yaml.Unmarshal(data, &given); err != nil {
		return nil, err
	}
	hosts := map[string]string{}
	if last != "" {
		hosts["_default"] = mirrorText(last, false)
	}
	for registry, mirror := range given.Mirrors {
		directory, err := directoryOf(registry)
		if err != nil {
			return nil, err
		}
		text, err := mirrorTexts(mirror.Endpoint, last)
		if err != nil {
			return nil, fmt.Errorf("mirror of %s: %w", registry, err)
		}
		hosts[directory] = text
	}
	return hosts, nil
}

// mirrorTexts is the text for endpoints, and for last after them. One that is named twice counts once: containerd takes no table twice.
func mirrorTexts(endpoints []string, last string) (string, error) {
	var text strings.Builder
	for i, endpoint := range endpoints {
		at, err := url.Parse(endpoint)
		if err != nil || at.Host == "" || (at.Scheme != "http" && at.Scheme != "https") || strings.ContainsAny(endpoint, "\"\\\n") {
			return "", fmt.Errorf("%q is no URL of a registry", endpoint)
		}
		if !slices.Contains(endpoints[:i], endpoint) {
			text.WriteString(mirrorText(endpoint, at.Path != "" && at.Path != "/"))
		}
	}
	if last != "" && !slices.Contains(endpoints, last) {
		text.WriteString(mirrorText(last, false))
	}
	return text.String(), nil
}

// mirrorText is the text for one mirror. hasPath: its API is where the URL says, not at /v2.
func mirrorText(endpoint string, hasPath bool) string {
	text := fmt.Sprintf("[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", endpoint)
	if hasPath {
		text += "  override_path = true\n"
	}
	return text
}

// directoryOf is the directory that containerd looks for: a registry's host, or _default.
func directoryOf(registry string) (string, error) {
	if registry == "*" {
		return "_default", nil
	}
	if registry == "" || strings.ContainsAny(registry, "/\\\x00") || strings.HasPrefix(registry, ".") {
		return "", fmt.Errorf("mirror: %q is no registry", registry)
	}
	return registry, nil
}
