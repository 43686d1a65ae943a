package blueprint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Endings of the files that make a blueprint.
const (
	FileEnding     = ".cxha.hcl"
	AutoVarsEnding = ".auto.cxhavars"
)

// Files lists the paths of the files of the blueprint in dir, sorted. Hidden files do not belong to it.
func Files(dir string) ([]string, error) { return withEnding(dir, FileEnding) }

func withEnding(dir, ending string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("blueprint: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), ending) && !strings.HasPrefix(e.Name(), ".") {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

// Format returns the source of a file in the canonical layout. Source with syntax errors is not formatted.
func Format(name string, src []byte) ([]byte, hcl.Diagnostics) {
	if _, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos); diags.HasErrors() {
		return nil, diags
	}
	return hclwrite.Format(src), nil
}

// read parses the blueprint's files. It returns false if there is nothing to work on.
func (l *loader) read() bool {
	if info, err := os.Stat(l.dir); err == nil && !info.IsDir() {
		l.report(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Not a blueprint",
			Detail: fmt.Sprintf("%s is a file. A blueprint is a directory of *%s files: name %s instead.", l.dir, FileEnding, filepath.Dir(l.dir))})
		return false
	}
	paths, err := Files(l.dir)
	if err != nil {
		l.report(unreadable(l.dir, err))
		return false
	}
	if len(paths) == 0 {
		l.report(&hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Not a blueprint",
			Detail: fmt.Sprintf("There are no files ending with %s in %s. A blueprint is a directory of such files.", FileEnding, l.dir)})
		return false
	}
	for _, path := range paths {
		if src := l.readFile(path); src != nil {
			l.files = append(l.files, src)
		}
	}
	return len(l.files) > 0
}

func (l *loader) readFile(path string) *source {
	text, err := os.ReadFile(path)
	if err != nil {
		l.report(unreadable(path, err))
		l.torn = true
		return nil
	}
	src, diags := parse(text, path)
	l.report(diags...)
	l.bp.Sources[path] = src.file
	l.torn = l.torn || src.torn
	return src
}

func unreadable(path string, err error) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Cannot read", Detail: fmt.Sprintf("%s cannot be read: %s.", path, err)}
}
