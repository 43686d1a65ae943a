package schema_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/schema/blueprint"
	"github.com/expertflow/cxha/schema/reference"
)

var update = flag.Bool("update", false, "rewrite docs/language.md")

const languageFile = "../docs/language.md"

func TestReferenceIsUpToDate(t *testing.T) {
	t.Parallel()
	got := reference.Markdown(blueprint.Functions())
	if *update {
		if err := os.WriteFile(languageFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(languageFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/language.md is stale: run make docs\n(-file +schema):\n%s", diff)
	}
}
