package cxha_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

const module = "github.com/expertflow/cxha"

// floors lists the packages from the ground up: each may import only from what stands before it.
var floors = []string{
	"schema", "schema/reference", "schema/rke2options", "schema/blueprint", "internal/crash", "internal/shell", "plans", "providers", "engine/graph", "engine/graph/graphtest",
	"internal/remote/sshtest", "internal/remote",
	"providers/answer", "providers/footprint", "providers/hostfile", "providers/providertest", "providers/addons", "providers/host",
	"providers/rke2", "providers/kube", "providers/helm",
	"engine", "providers/all", "internal/view", "internal/cli", "cmd/*",
}

// apart lists pairs that never meet, with the reason.
var apart = []struct{ from, to, why string }{
	{"engine", "providers/*", "the engine knows the contract, not what is behind it"},
	{"engine/graph", "plans", "a graph orders anything"},
	{"engine/graph", "providers", "a graph orders anything"},
	{"schema", "*", "the vocabulary is the ground"},
}

// only lists modules that a single part of the tree may import.
var only = []struct {
	path  string
	where []string
}{
	{"github.com/spf13/cobra", []string{"internal/cli"}},
	{"golang.org/x/crypto/ssh", []string{"internal/remote", "internal/remote/sshtest"}},
	{"k8s.io/", []string{"providers/kube", "providers/helm"}},
	{"helm.sh/", []string{"providers/helm"}},
}

// pure lists packages that do no I/O.
var pure = []string{"plans", "schema", "schema/rke2options", "engine/graph", "resilience"}

type file struct {
	pkg     string // directory below the root
	path    string
	test    bool
	imports []string
	doc     bool
	inits   bool
}

func TestFloors(t *testing.T) {
	t.Parallel()
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		for _, path := range f.imports {
			checkModule(t, f, path)
			to, inside := strings.CutPrefix(path, module+"/")
			if !inside {
				continue
			}
			if floor(f.pkg) < 0 || floor(to) >= floor(f.pkg) {
				t.Errorf("%s: %s may not import %s: it is no lower floor", f.path, f.pkg, to)
			}
			for _, a := range apart {
				if match(a.from, f.pkg) && match(a.to, to) {
					t.Errorf("%s: %s may not import %s: %s", f.path, f.pkg, to, a.why)
				}
			}
		}
	}
}

func checkModule(t *testing.T, f file, path string) {
	t.Helper()
	for _, o := range only {
		if strings.HasPrefix(path, o.path) && !slices.Contains(o.where, f.pkg) {
			t.Errorf("%s: %s is imported by %s only", f.path, path, strings.Join(o.where, " and "))
		}
	}
	if slices.Contains(pure, f.pkg) && slices.Contains([]string{"os", "net", "net/http", "os/exec"}, path) {
		t.Errorf("%s: %s does no I/O, so it does not import %s", f.path, f.pkg, path)
	}
}

// floor returns the index of a package's floor; -1: it has none.
func floor(pkg string) int {
	if i := slices.Index(floors, pkg); i >= 0 {
		return i
	}
	return slices.IndexFunc(floors, func(f string) bool { return match(f, pkg) })
}

func match(pattern, pkg string) bool {
	if pattern == "*" {
		return true
	}
	if dir, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(pkg, dir+"/")
	}
	return pattern == pkg
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	docs := map[string]int{}
	for _, f := range sources(t) {
		if f.test {
			continue
		}
		if _, ok := docs[f.pkg]; !ok {
			docs[f.pkg] = 0
		}
		if f.doc {
			docs[f.pkg]++
		}
		if f.inits {
			t.Errorf("%s: has an init function; registration is explicit here", f.path)
		}
	}
	for pkg, n := range docs {
		if n != 1 {
			t.Errorf("%s: %d files have a package comment, want one (doc.go or main.go)", pkg, n)
		}
	}
}

func TestGoMod(t *testing.T) {
	t.Parallel()
	src, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := modfile.Parse("go.mod", src, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(mod.Replace) > 0 {
		t.Errorf("go.mod has a replace for %s; only the sandbox's may", mod.Replace[0].Old.Path)
	}
	for _, r := range mod.Require {
		if r.Mod.Path == "k8s.io/kubernetes" || strings.HasPrefix(r.Mod.Path, "go.etcd.io/etcd/server") {
			t.Errorf("go.mod requires %s; Kubernetes' own code belongs to the sandbox", r.Mod.Path)
		}
	}
}

func sources(t *testing.T) []file {
	t.Helper()
	var files []file
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "sandbox" || name == "bin" || name == "tools") {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") {
			files = append(files, parse(t, path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func parse(t *testing.T, path string) file {
	t.Helper()
	ast, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	f := file{pkg: filepath.ToSlash(filepath.Dir(path)), path: path, test: strings.HasSuffix(path, "_test.go"), doc: ast.Doc != nil}
	for _, imp := range ast.Imports {
		p, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		f.imports = append(f.imports, p)
	}
	f.inits = hasInit(ast)
	return f
}

func hasInit(f *ast.File) bool {
	return slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		return ok && fn.Recv == nil && fn.Name.Name == "init"
	})
}
