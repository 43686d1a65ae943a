//go:build linux

package linuxnode

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
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

// writeRegistries turns registries.yaml into containerd's directory of hosts, anew at every start.
func (n *node) writeRegistries() error {
	directory := n.path("etc", "containerd", "certs.d")
	if err := os.RemoveAll(directory); err != nil {
		return err
	}
	file := n.Config.Text("private-registry", registriesFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	hosts, err := parseRegistries(data)
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

// parseRegistries makes the text of a hosts.toml for every registry that has mirrors; "*" stands for all that are not named.
func parseRegistries(data []byte) (map[string]string, error) {
	var given registries
	if err := yaml.Unmarshal(data, &given); err != nil {
		return nil, err
	}
	hosts := map[string]string{}
	for registry, mirror := range given.Mirrors {
		name, err := directoryOf(registry)
		if err != nil {
			return nil, err
		}
		var text strings.Builder
		for _, endpoint := range mirror.Endpoint {
			at, err := url.Parse(endpoint)
			if err != nil || at.Host == "" || (at.Scheme != "http" && at.Scheme != "https") || strings.ContainsAny(endpoint, "\"\\\n") {
				return nil, fmt.Errorf("mirror of %s: %q is no URL of a registry", registry, endpoint)
			}
			fmt.Fprintf(&text, "[host.%q]\n  capabilities = [\"pull\", \"resolve\"]\n", endpoint)
			if at.Path != "" && at.Path != "/" {
				text.WriteString("  override_path = true\n")
			}
		}
		hosts[name] = text.String()
	}
	return hosts, nil
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
