package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/unit"
)

// unitPath are the directories of unit files; the first that has a unit wins.
func unitPath() []string {
	return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"}
}

// maskTarget is where the link of a masked unit leads.
const maskTarget = "/dev/null"

// execLine is one command of a unit.
type execLine struct {
	args   []string
	ignore bool // a leading "-": failure does not matter
}

// definition is what a unit's files say.
type definition struct {
	name, path, description      string
	kind                         string // Type=
	condition, startPre, start   []execLine
	startPost, reload            []execLine
	stop, stopPost               []execLine
	environment, environmentFile []string
	user, workingDir             string
	restart                      string
	restartDelay                 time.Duration
	startTimeout, stopTimeout    time.Duration // 0 means for ever
	remain                       bool
	after, requires, wants       []string
	wantedBy, requiredBy, alias  []string
	stamp                        time.Time // youngest of its files
}

var (
	errNoUnit = errors.New("not found")
	errMasked = errors.New("masked")
)

// unitName gives names without a suffix the suffix of services.
func unitName(name string) string {
	if path.Ext(name) == "" || strings.HasSuffix(name, "/") {
		return name + ".service"
	}
	switch path.Ext(name) {
	case ".service", ".target", ".timer", ".socket", ".mount", ".path", ".slice":
		return name
	}
	return name + ".service"
}

// fragment finds the file of a unit.
func (m *Machine) fragment(name string) (string, error) {
	for _, dir := range unitPath() {
		file := dir + "/" + name
		info, err := m.fs.Lstat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			if target, err := m.fs.Readlink(file); err == nil && target == maskTarget {
				return file, errMasked
			}
		}
		return file, nil
	}
	return "", errNoUnit
}

// loadUnit reads a unit file and its drop-ins.
func (m *Machine) loadUnit(name string) (*definition, error) {
	file, err := m.fragment(name)
	if err != nil {
		return nil, err
	}
	d := &definition{name: name, path: file}
	text, err := m.unitText(d, file)
	if err != nil {
		return nil, err
	}
	for _, dir := range unitPath() {
		entries, err := m.fs.ReadDir(dir + "/" + name + ".d")
		if err != nil {
			continue
		}
		for _, e := range entries {
			if path.Ext(e.Name()) != ".conf" {
				continue
			}
			more, err := m.unitText(d, dir+"/"+name+".d/"+e.Name())
			if err != nil {
				return nil, err
			}
			text = append(append(text, '\n'), more...)
		}
	}
	return d, d.parse(text)
}

func (m *Machine) unitText(d *definition, file string) ([]byte, error) {
	info, err := m.fs.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.ModTime().After(d.stamp) {
		d.stamp = info.ModTime()
	}
	return m.fs.ReadFile(file)
}

// parse reads the options that the model knows; others have no effect.
func (d *definition) parse(text []byte) error {
	options, err := unit.DeserializeOptions(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("unit %s: %w", d.name, err)
	}
	d.kind, d.restart = "simple", "no"
	d.restartDelay, d.startTimeout, d.stopTimeout = 100*time.Millisecond, 90*time.Second, 90*time.Second
	d.description = d.name
	for _, o := range options {
		value := strings.TrimSpace(strings.ReplaceAll(o.Value, "\\\n", " "))
		if err := d.set(o.Section, o.Name, value); err != nil {
			return fmt.Errorf("unit %s: %s=%s: %w", d.name, o.Name, value, err)
		}
	}
	return nil
}

func (d *definition) set(section, name, value string) error {
	if lines := d.execField(section, name); lines != nil {
		return addExec(lines, d.specifiers(value))
	}
	if list := d.listField(section, name); list != nil {
		if value == "" {
			*list = nil
			return nil
		}
		*list = append(*list, strings.Fields(d.specifiers(value))...)
		return nil
	}
	err := error(nil)
	switch section + "." + name {
	case "Unit.Description":
		d.description = value
	case "Service.Type":
		d.kind = value
	case "Service.Restart":
		d.restart = value
	case "Service.RestartSec":
		d.restartDelay, err = parseSpan(value)
	case "Service.TimeoutStartSec":
		d.startTimeout, err = parseSpan(value)
	case "Service.TimeoutStopSec":
		d.stopTimeout, err = parseSpan(value)
	case "Service.TimeoutSec":
		d.startTimeout, err = parseSpan(value)
		d.stopTimeout = d.startTimeout
	case "Service.RemainAfterExit":
		d.remain = value == "yes" || value == "true" || value == "1" || value == "on"
	case "Service.User":
		d.user = value
	case "Service.WorkingDirectory":
		d.workingDir = strings.TrimPrefix(value, "-")
	case "Service.Environment":
		d.environment = append(d.environment, splitWords(d.specifiers(value))...)
	case "Service.EnvironmentFile":
		d.environmentFile = append(d.environmentFile, d.specifiers(value))
	}
	return err
}

func (d *definition) execField(section, name string) *[]execLine {
	if section != "Service" {
		return nil
	}
	return map[string]*[]execLine{
		"ExecCondition": &d.condition, "ExecStartPre": &d.startPre, "ExecStart": &d.start, "ExecStartPost": &d.startPost,
		"ExecReload": &d.reload, "ExecStop": &d.stop, "ExecStopPost": &d.stopPost,
	}[name]
}

func (d *definition) listField(section, name string) *[]string {
	return map[string]*[]string{
		"Unit.After": &d.after, "Unit.Requires": &d.requires, "Unit.Wants": &d.wants,
		"Install.WantedBy": &d.wantedBy, "Install.RequiredBy": &d.requiredBy, "Install.Alias": &d.alias,
	}[section+"."+name]
}

// specifiers replaces %n, %N, %p, %i and %%.
func (d *definition) specifiers(s string) string {
	stem := strings.TrimSuffix(d.name, path.Ext(d.name))
	prefix, instance, _ := strings.Cut(stem, "@")
	return strings.NewReplacer("%%", "%", "%n", d.name, "%N", stem, "%p", prefix, "%i", instance).Replace(s)
}

func addExec(lines *[]execLine, value string) error {
	if value == "" { // an empty assignment forgets those before
		*lines = nil
		return nil
	}
	line := execLine{}
	for value != "" && strings.IndexByte("-+!:@", value[0]) >= 0 {
		line.ignore = line.ignore || value[0] == '-'
		value = strings.TrimSpace(value[1:])
	}
	if line.args = splitWords(value); len(line.args) == 0 {
		return errors.New("a command is missing")
	}
	*lines = append(*lines, line)
	return nil
}

// splitWords splits a line as systemd does: at blanks, with single and double quotes and backslashes.
func splitWords(s string) []string {
	var words []string
	var word strings.Builder
	inWord := false
	quote := byte(0)
	for n := 0; n < len(s); n++ {
		c := s[n]
		switch {
		case c == '\\' && quote != '\'' && n+1 < len(s):
			n++
			word.WriteByte(trEscape(s[n]))
			inWord = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && (c == ' ' || c == '\t' || c == '\n'):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}

// parseSpan reads a time span: seconds, or numbers with units ("1min 30s"). 0 and "infinity" mean no limit.
func parseSpan(s string) (time.Duration, error) {
	if s == "infinity" || s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseFloat(s, 64); err == nil && n >= 0 && n < 1e9 {
		return time.Duration(n * float64(time.Second)), nil
	}
	units := map[string]time.Duration{
		"us": time.Microsecond, "ms": time.Millisecond, "s": time.Second, "sec": time.Second, "m": time.Minute,
		"min": time.Minute, "h": time.Hour, "d": 24 * time.Hour,
	}
	var total time.Duration
	rest := strings.ReplaceAll(s, " ", "")
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789."))
		letters := len(rest[digits:]) - len(strings.TrimLeft(rest[digits:], "abcdefghijklmnopqrstuvwxyz"))
		n, err := strconv.ParseFloat(rest[:digits], 64)
		factor, ok := units[rest[digits:digits+letters]]
		if err != nil || !ok || n > 1e9 {
			return 0, errors.New("not a time span")
		}
		total += time.Duration(n * float64(factor))
		rest = rest[digits+letters:]
	}
	return total, nil
}

// timeSpan writes a limit of time as systemctl shows it, such as 1min 30s; 0 is no limit.
func timeSpan(d time.Duration) string {
	if d == 0 {
		return "infinity"
	}
	var parts []string
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"min", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}, {"us", time.Microsecond}} {
		if n := d / u.size; n > 0 {
			parts, d = append(parts, strconv.Itoa(int(n))+u.name), d%u.size
		}
	}
	return strings.Join(parts, " ")
}
