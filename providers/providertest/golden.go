package providertest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	"mvdan.cc/sh/v3/syntax"

	"github.com/expertflow/cxha/plans"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Scripts checks that what the cases' kinds would run reads as the file says: the question, and the commands that create and
// remove, with secrets hidden. Every script must be POSIX sh. The flag -update writes the file.
func Scripts(t *testing.T, file string, cases map[string]HostCase) {
	t.Helper()
	var b strings.Builder
	for _, name := range sortedKeys(cases) {
		c := cases[name]
		h := &host{t: t, kase: c}
		fmt.Fprintf(&b, "##### %s: question\n%s\n", name, c.Kind.Question(c.Resource))
		posix(t, c.Kind.Question(c.Resource))
		null := cty.NullVal(c.Kind.Type().Object)
		create, ok := h.plan(c.Resource.Desired, null)
		if !ok {
			t.Fatalf("%s: nothing to create", name)
		}
		h.script(&b, name+": create", create)
		h.script(&b, name+": delete", plans.Change{Addr: c.Resource.Addr, Host: c.Resource.Host, Action: plans.Delete, Before: create.After, After: null})
	}
	compare(t, file, b.String())
}

// Golden checks that texts, by name, read as the file says. The flag -update writes the file.
func Golden(t *testing.T, file string, texts map[string]string) {
	t.Helper()
	var b strings.Builder
	for _, name := range sortedKeys(texts) {
		fmt.Fprintf(&b, "##### %s\n%s\n", name, texts[name])
	}
	compare(t, file, b.String())
}

func (h *host) script(b *strings.Builder, title string, c plans.Change) {
	h.t.Helper()
	s := h.commands(c)
	posix(h.t, s.Text())
	fmt.Fprintf(b, "##### %s\n%s\n", title, s.String())
}

func posix(t *testing.T, text string) {
	t.Helper()
	if _, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), ""); err != nil {
		t.Errorf("not POSIX sh: %v\n%s", err, text)
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, []byte(got)) {
		t.Errorf("the scripts are not those of %s (-want +got); if they should not be, run the test with -update:\n%s", file, cmp.Diff(string(want), got))
	}
}
