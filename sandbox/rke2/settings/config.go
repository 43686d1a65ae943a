package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// configFile is the first file that is read; the files of the directory beside it follow (domain.md §2.5).
const configFile = "/etc/rancher/rke2/config.yaml"

// Files is the part of a file system that the configuration is read from. Paths are absolute inside the host.
type Files interface {
	ReadFile(name string) ([]byte, error)
	ReadDir(name string) ([]fs.DirEntry, error)
}

// Setting is one key of a configuration file.
type Setting struct {
	Key    string
	Append bool     // written as `key+`: its values are added to those of earlier files
	Values []string // one for a scalar, any number for a list
}

// Parse reads one configuration file: a YAML mapping of scalars and lists of scalars.
func Parse(data []byte) ([]Setting, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		return nil, err
	}
	if document.Kind == 0 || isNull(document.Content[0]) {
		return nil, nil
	}
	mapping := document.Content[0]
	if mapping.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: not a mapping of options to values", mapping.Line)
	}
	var settings []Setting
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		values, err := scalars(value)
		if err != nil {
			return nil, fmt.Errorf("line %d: %s: %w", value.Line, key.Value, err)
		}
		name, appends := strings.CutSuffix(key.Value, "+")
		settings = append(settings, Setting{Key: name, Append: appends, Values: values})
	}
	return settings, nil
}

func scalars(value *yaml.Node) ([]string, error) {
	if value.Kind == yaml.AliasNode {
		value = value.Alias
	}
	if value.Kind != yaml.SequenceNode {
		one, err := scalar(value)
		return []string{one}, err
	}
	values := []string{}
	for _, element := range value.Content {
		one, err := scalar(element)
		if err != nil {
			return nil, err
		}
		values = append(values, one)
	}
	return values, nil
}

func scalar(node *yaml.Node) (string, error) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind != yaml.ScalarNode {
		return "", errors.New("neither a scalar nor a list of scalars")
	}
	if isNull(node) {
		return "", nil
	}
	// An unquoted 0600 is the number 384 to RKE2 too, which is why its documentation quotes modes.
	var value any
	if err := node.Decode(&value); err != nil {
		return "", err
	}
	if t, ok := value.(time.Time); ok {
		return t.Format(time.RFC3339), nil
	}
	return fmt.Sprint(value), nil
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

// Config is what a daemon has been told by config.yaml, config.yaml.d, its environment and its arguments.
type Config struct {
	values  map[string][]string
	unknown []string
}

// Load reads the configuration of a role. Later files win over earlier ones, `key+` appends, the environment fills what
// the files leave open and the arguments win over everything. An option of a file that RKE2 does not have is left out, see Unknown; a
// value that is none of its option's type is an error in RKE2's words, and so is an argument that RKE2 does not have.
func Load(files Files, role Role, args []string, env map[string]string) (Config, error) {
	config := Config{values: map[string][]string{}}
	names, err := configFiles(files, env)
	if err != nil {
		return config, err
	}
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return config, err
		}
		settings, err := Parse(data)
		if err != nil {
			return config, fmt.Errorf("failed to parse config file %s: %w", name, err)
		}
		config.merge(settings)
	}
	config.leaveOut(role)
	if err := config.mergeArgs(args); err != nil {
		return config, err
	}
	config.mergeEnv(role, env)
	return config, config.check(role)
}

// configFiles are the existing files in the order in which they are read.
func configFiles(files Files, env map[string]string) ([]string, error) {
	first, explicit := env["RKE2_CONFIG_FILE"]
	if !explicit {
		first = configFile
	}
	var names []string
	_, err := files.ReadFile(first)
	switch {
	case err == nil:
		names = append(names, first)
	case explicit || !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	entries, err := files.ReadDir(first + ".d")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var more []string
	for _, entry := range entries {
		if extension := path.Ext(entry.Name()); !entry.IsDir() && (extension == ".yaml" || extension == ".yml") {
			more = append(more, path.Join(first+".d", entry.Name()))
		}
	}
	slices.Sort(more)
	return append(names, more...), nil
}

func (c Config) merge(settings []Setting) {
	for _, setting := range settings {
		if setting.Append {
			c.values[setting.Key] = append(c.values[setting.Key], setting.Values...)
		} else {
			c.values[setting.Key] = setting.Values
		}
	}
}

// leaveOut takes out what the role does not know: RKE2 removes it from the flags that it makes of its files (k3s' pkg/configfilearg,
// stripInvalidFlags, with the flags that rancher/rke2 registers for the commands server and agent).
func (c *Config) leaveOut(role Role) {
	options := optionsOf(role)
	for _, name := range c.names() {
		if _, known := options[name]; !known {
			c.unknown = append(c.unknown, name)
			delete(c.values, name)
		}
	}
}

// Unknown are the options of the files that RKE2 does not know and leaves out, sorted.
func (c Config) Unknown() []string { return c.unknown }

// mergeArgs reads --name=value, --name value and --name of a truth value.
func (c Config) mergeArgs(args []string) error {
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") {
			return fmt.Errorf("unexpected argument %q", args[i])
		}
		name, value, given := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		switch {
		case given:
		case i+1 < len(args) && !strings.HasPrefix(args[i+1], "-"):
			i++
			value = args[i]
		default:
			value = "true"
		}
		c.values[name] = append(c.values[name], value)
	}
	return nil
}

// mergeEnv takes the variables of domain.md §2.5 for options that nothing else has set.
func (c Config) mergeEnv(role Role, env map[string]string) {
	options := optionsOf(role)
	for variable, name := range map[string]string{
		"RKE2_TOKEN": "token", "RKE2_TOKEN_FILE": "token-file", "RKE2_AGENT_TOKEN": "agent-token",
		"RKE2_AGENT_TOKEN_FILE": "agent-token-file", "RKE2_URL": "server", "RKE2_DATA_DIR": "data-dir", "RKE2_NODE_NAME": "node-name",
		"RKE2_CNI": "cni", "RKE2_INGRESS_CONTROLLER": "ingress-controller", "RKE2_SELINUX": "selinux", "RKE2_CIS_PROFILE": "profile",
		"RKE2_KUBECONFIG_MODE": "write-kubeconfig-mode",
		"AWS_ACCESS_KEY_ID":    "etcd-s3-access-key", "AWS_SECRET_ACCESS_KEY": "etcd-s3-secret-key", "AWS_SESSION_TOKEN": "etcd-s3-session-token",
	} {
		_, known := options[name]
		_, set := c.values[name]
		if value := env[variable]; value != "" && known && !set {
			c.values[name] = []string{value}
		}
	}
}

// check refuses options that the role does not have and values that are not of the option's type.
func (c Config) check(role Role) error {
	options := optionsOf(role)
	for _, name := range c.names() {
		k, known := options[name]
		if !known {
			return fmt.Errorf("flag provided but not defined: -%s", name)
		}
		for _, value := range c.values[name] {
			if err := checkValue(k, value); err != nil {
				if k == truth {
					return fmt.Errorf("invalid boolean value %q for -%s: %w", value, name, err)
				}
				return fmt.Errorf("invalid value %q for flag -%s: %w", value, name, err)
			}
		}
	}
	return nil
}

func checkValue(k kind, value string) error {
	var err error
	switch k {
	case truth:
		_, err = strconv.ParseBool(value)
	case number:
		_, err = strconv.Atoi(value)
	case duration:
		_, err = time.ParseDuration(value)
	case text, list:
	}
	if err != nil {
		return errors.New("parse error")
	}
	return nil
}

// names are the options that are set, sorted.
func (c Config) names() []string {
	names := make([]string, 0, len(c.values))
	for name := range c.values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Ignored are the options that are set and have no effect, sorted. Some have an effect on some kinds of hosts only: besides are those
// of the host.
func (c Config) Ignored(besides []string) []string {
	var ignored []string
	for _, name := range c.names() {
		if !slices.Contains(effective(), name) && !slices.Contains(besides, name) {
			ignored = append(ignored, name)
		}
	}
	return ignored
}

// Text is the last value of an option, or the fallback when it is not set.
func (c Config) Text(name, fallback string) string {
	values := c.values[name]
	if len(values) == 0 || values[len(values)-1] == "" {
		return fallback
	}
	return values[len(values)-1]
}

// Truth tells whether an option is set to true.
func (c Config) Truth(name string) bool {
	value, err := strconv.ParseBool(c.Text(name, "false"))
	return err == nil && value
}

// List is all values of an option; one value may hold several, separated by commas, where RKE2 allows that.
func (c Config) List(name string) []string {
	var values []string
	for _, value := range c.values[name] {
		if value != "" {
			values = append(values, value)
		}
	}
	return values
}

// Split is List with every value split at commas.
func (c Config) Split(name string) []string {
	var values []string
	for _, value := range c.List(name) {
		values = append(values, strings.Split(value, ",")...)
	}
	return values
}
