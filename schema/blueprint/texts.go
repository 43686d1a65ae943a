package blueprint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// texts returns the content of a manifest block's files, in the order of their names, and then its own content.
func (l *loader) texts(s *section) []Text {
	if len(s.strs("files")) == 0 && !s.usable("content") && !s.failed("files") && !s.failed("content") {
		l.report(mistake(s.scope.header, "Missing attribute", "%s has neither files nor content, so it has no objects. Write files = [\"objects.yaml\"], or content with the objects as a text.", s.scope.where))
	}
	paths := map[string]string{} // by name
	for _, pattern := range s.strs("files") {
		for _, path := range l.objectFiles(s, pattern) {
			paths[l.relative(path)] = path
		}
	}
	var texts []Text
	for name, path := range paths {
		src, err := os.ReadFile(path)
		switch {
		case err != nil:
			l.report(s.mistake("files", "Cannot read", "%s cannot be read: %s.", name, reason(err)))
		case !utf8.Valid(src):
			l.report(s.mistake("files", "Not a text", "%s is no text in UTF-8, so it cannot hold objects as YAML or JSON.", name))
		default:
			texts = append(texts, Text{Name: name, Content: cty.StringVal(string(src))})
		}
	}
	slices.SortFunc(texts, func(a, b Text) int { return strings.Compare(a.Name, b.Name) })
	if s.usable("content") {
		texts = append(texts, Text{Name: "content", Content: s.get("content")})
	}
	return texts
}

// relative is a path as a person at the blueprint's directory writes it.
func (l *loader) relative(path string) string {
	dir, err := filepath.Abs(l.dir)
	if err != nil {
		return path
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}

// objectFiles returns the files that an element of files means: one, those of a directory, or those that match a pattern.
func (l *loader) objectFiles(s *section, pattern string) []string {
	path, err := l.env.path(l.dir, pattern)
	if err != nil {
		l.report(s.valueMistake("files", pattern, "Cannot resolve path", "%q cannot be made absolute: %s.", pattern, err))
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return l.directoryFiles(s, pattern, path)
	case err == nil && !info.Mode().IsRegular():
		l.report(s.valueMistake("files", pattern, "Not a file", "%s is a device or a pipe, and no file.", pattern))
		return nil
	case err == nil:
		return []string{path}
	case strings.ContainsAny(pattern, "*?["):
		return l.matchingFiles(s, pattern)
	}
	l.report(s.valueMistake("files", pattern, "File not found", "There is no %s: %s. Paths are relative to the blueprint's directory.", pattern, reason(err)))
	return nil
}

func (l *loader) directoryFiles(s *section, given, path string) []string {
	entries, err := os.ReadDir(path)
	if err != nil {
		l.report(s.valueMistake("files", given, "Cannot read", "The directory %s cannot be read: %s.", given, reason(err)))
		return nil
	}
	var files []string
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(path, e.Name())); err == nil && info.Mode().IsRegular() && holdsObjects(e.Name()) {
			files = append(files, filepath.Join(path, e.Name()))
		}
	}
	if len(files) == 0 {
		l.report(s.valueMistake("files", given, "No files", "The directory %s has no files *.yaml, *.yml or *.json; those of directories in it do not count.", given))
	}
	return files
}

func (l *loader) matchingFiles(s *section, pattern string) []string {
	dir, err := l.env.path(l.dir, ".")
	if err != nil {
		dir = l.dir
	}
	whole := pattern
	if !filepath.IsAbs(pattern) {
		whole = filepath.Join(globEscaper.Replace(dir), pattern)
	}
	matches, err := filepath.Glob(whole)
	if err != nil {
		l.report(s.valueMistake("files", pattern, "Invalid pattern", "%q is no pattern of file names: a [ lacks its ].", pattern))
		return nil
	}
	files := slices.DeleteFunc(matches, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || !info.Mode().IsRegular() || !holdsObjects(path)
	})
	if len(files) == 0 {
		l.report(s.valueMistake("files", pattern, "No files", "No file *.yaml, *.yml or *.json matches %s. Patterns are relative to the blueprint's directory.", pattern))
	}
	return files
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

func holdsObjects(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) && !strings.HasPrefix(filepath.Base(name), ".")
}

// kustomizationFiles are the names that kustomize looks for.
var kustomizationFiles = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

func (l *loader) kustomizationPath(s *section) string {
	path := l.path(s, "path")
	if path == "" {
		return ""
	}
	given := s.str("path")
	info, err := os.Stat(path)
	switch {
	case err != nil:
		l.report(s.mistake("path", "Directory not found", "There is no %s: %s. Paths are relative to the blueprint's directory.", given, reason(err)))
	case !info.IsDir():
		l.report(s.mistake("path", "Not a directory", "%s is a file. path takes the directory that holds the kustomization.yaml.", given))
	case !slices.ContainsFunc(kustomizationFiles, func(name string) bool { _, err := os.Stat(filepath.Join(path, name)); return err == nil }):
		l.report(s.mistake("path", "Not a kustomization", "The directory %s has no file %s.", given, strings.Join(kustomizationFiles, ", ")))
	}
	return path
}

// reason is what the operating system says, without the path that the sentence around it has already.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
