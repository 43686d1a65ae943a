package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// varsFile is loaded by cxha without being asked for.
const varsFile = "sandbox.auto.cxhavars"

// FindExample looks for the example blueprint: beside the executable's directory (bin/../examples) and then upwards from
// the working directory. The result is empty when there is none.
func FindExample(executable, workingDir string) string {
	const example = "examples/worker-ha"
	if executable != "" {
		if dir := filepath.Join(filepath.Dir(executable), "..", example); isDir(dir) {
			return filepath.Clean(dir)
		}
	}
	for dir := workingDir; dir != ""; dir = filepath.Dir(dir) {
		if at := filepath.Join(dir, example); isDir(at) {
			return at
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return ""
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// WriteBlueprint copies the example's files, unless the directory has blueprint files already (they may have been
// edited), and writes the variables that point to these hosts. charts is nil when none are served.
func (p Paths) WriteBlueprint(example string, port int, charts *ChartSources, layout []Host) error {
	if err := os.MkdirAll(p.Blueprint(), 0o755); err != nil {
		return err
	}
	present, err := filepath.Glob(filepath.Join(p.Blueprint(), "*.cxha.hcl"))
	if err != nil {
		return err
	}
	if example != "" && len(present) == 0 {
		if err := copyBlueprint(example, p.Blueprint()); err != nil {
			return fmt.Errorf("example blueprint: %w", err)
		}
	}
	text := fmt.Sprintf(`# Written at every up: where these hosts and their mirror are. Paths are relative to this directory.

ssh = {
  user        = %q
  port        = 22
  key         = "../ssh/id_ed25519"
  known_hosts = "../ssh/known_hosts"
  bastion = {
    address = "127.0.0.1"
    port    = %d
    user    = %q
    key     = "../ssh/id_ed25519"
  }
}

install = {
  script    = "http://%s/install.sh"
  artifacts = "http://%s/releases/download"
}
`, AdminUser, port, JumpUser, MirrorName, MirrorName)
	declared, err := p.declares("charts")
	if err != nil {
		return err
	}
	if charts != nil && declared {
		text += fmt.Sprintf("\ncharts = {\n  repository = %q\n  registry   = %q\n}\n", charts.Repository, charts.Registry)
	}
	return replaceFile(filepath.Join(p.Blueprint(), varsFile), []byte(text+extraWorkers(layout)), 0o644)
}

// declares tells whether the blueprint has a variable of that name: a value for one that it has not is an error to cxha.
func (p Paths) declares(variable string) (bool, error) {
	files, err := filepath.Glob(filepath.Join(p.Blueprint(), "*.cxha.hcl"))
	if err != nil {
		return false, err
	}
	declaration := regexp.MustCompile(`(?m)^\s*variable\s+"?` + regexp.QuoteMeta(variable) + `"?\s*\{`)
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return false, err
		}
		if declaration.Match(text) {
			return true, nil
		}
	}
	return false, nil
}

// exampleHosts are the hosts that the example blueprint names itself.
var exampleHosts = []string{"cp1", "w1", "w2"}

// extraWorkers sets the example's variable for the hosts that it does not name.
func extraWorkers(layout []Host) string {
	var b strings.Builder
	for _, h := range layout {
		if !slices.Contains(exampleHosts, h.Name) {
			fmt.Fprintf(&b, "  %s = { address = %q, site = %q }\n", h.Name, h.Address, h.Site)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "\nextra_workers = {\n" + b.String() + "}\n"
}

// copyBlueprint copies blueprint files and what they refer to; the example's README, its expected plan and variables of
// another place stay behind.
func copyBlueprint(from, to string) error {
	found := false
	err := filepath.WalkDir(from, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		case !e.Type().IsRegular(), strings.HasSuffix(rel, ".cxhavars"), strings.HasSuffix(rel, ".md"),
			strings.HasPrefix(filepath.Base(rel), "want."):
			return nil
		}
		found = found || strings.HasSuffix(rel, ".cxha.hcl")
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return replaceFile(filepath.Join(to, rel), data, 0o644)
	})
	if err == nil && !found {
		return errors.New("there is no *.cxha.hcl in " + from)
	}
	return err
}
