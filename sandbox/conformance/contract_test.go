package conformance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/expertflow/cxha/sandbox/conformance"
)

const (
	root     = "../.." // of the repository
	contract = "../CONTRACT.md"
)

// row is a line of a table of the contract.
type row struct {
	id, point      string
	relies, source string
	test, holds    string
}

// byCheck is what stands in the column of tests for a point that the suite looks at.
const byCheck = "conformance"

func contractRows(t *testing.T) []row {
	t.Helper()
	text, err := os.ReadFile(contract)
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| C-") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 6 {
			t.Errorf("%d cells, want 6: %s", len(cells), line)
			continue
		}
		rows = append(rows, row{id: cells[0], point: cells[1], relies: cells[2], source: cells[3], test: cells[4], holds: cells[5]})
	}
	if len(rows) == 0 {
		t.Fatalf("%s has no points", contract)
	}
	return rows
}

// TestContractAndSuiteAgree wants every check in the contract, in the same words, and every point that names the suite in it.
func TestContractAndSuiteAgree(t *testing.T) {
	t.Parallel()
	checks := map[string]string{}
	for _, c := range conformance.Checks() {
		checks[c.ID] = c.Point
	}
	seen := map[string]bool{}
	for _, r := range contractRows(t) {
		if seen[r.id] {
			t.Errorf("%s stands twice in the contract", r.id)
		}
		seen[r.id] = true
		point, isCheck := checks[r.id]
		claims := slices.Contains(strings.Split(r.test, ", "), byCheck)
		switch {
		case claims && !isCheck:
			t.Errorf("%s names the suite, which has no such check", r.id)
		case isCheck && !claims:
			t.Errorf("%s is a check of the suite, and the contract does not say so", r.id)
		case isCheck && r.point != point:
			t.Errorf("%s: the contract says %q, the suite %q", r.id, r.point, point)
		}
	}
	for id := range checks {
		if !seen[id] {
			t.Errorf("%s is a check of the suite and no point of the contract", id)
		}
	}
}

var (
	quoted   = regexp.MustCompile("`([^`]+)`")
	goTest   = regexp.MustCompile(`^([a-z0-9_/]+) (Test[A-Za-z0-9]+)$`)
	somePath = regexp.MustCompile(`^[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+)+$`)
)

// TestContractNamesWhatIsThere wants every file and every test that the contract names to exist, and a reason where a point has no test.
func TestContractNamesWhatIsThere(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{}
	for _, r := range contractRows(t) {
		if r.source == "" || r.holds == "" || r.point == "" {
			t.Errorf("%s: an empty cell", r.id)
		}
		relied := quoted.FindAllStringSubmatch(r.relies, -1)
		if len(relied) == 0 {
			t.Errorf("%s names no file that relies on it", r.id)
		}
		for _, m := range relied {
			exists(t, r.id, m[1])
		}
		for cell := range strings.SplitSeq(r.test, ", ") {
			word := strings.Trim(cell, "`")
			named := goTest.FindStringSubmatch(word)
			switch {
			case cell == byCheck:
			case cell == "none":
				if !strings.Contains(r.holds, "not tried") && !strings.Contains(r.holds, "refuses") {
					t.Errorf("%s has no test, and does not say that it is not tried or that the stand-in refuses it", r.id)
				}
			case named != nil:
				if !slices.Contains(testsOf(t, tests, named[1]), named[2]) {
					t.Errorf("%s names the test %s, and %s has none of that name", r.id, named[2], named[1])
				}
			case somePath.MatchString(word):
				exists(t, r.id, word)
			default:
				t.Errorf("%s: the column of tests has %q; want %s, none, a file, or a directory and a test", r.id, cell, byCheck)
			}
		}
	}
}

func exists(t *testing.T, id, path string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(path))); err != nil {
		t.Errorf("%s names %s: %v", id, path, err)
	}
}

// testsOf are the names of the tests in a directory, remembered in cache.
func testsOf(t *testing.T, cache map[string][]string, dir string) []string {
	t.Helper()
	if names, ok := cache[dir]; ok {
		return names
	}
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(dir), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names = append(names, fn.Name.Name)
			}
		}
	}
	cache[dir] = names
	return names
}
