package shell_test

import (
	"testing"

	"github.com/expertflow/cxha/internal/shell"
)

func TestAddQuotesEveryWord(t *testing.T) {
	t.Parallel()
	var s shell.Script
	s.Add("printf %s %s > %s", `%s\n`, `it's "x"; rm -rf /`, shell.Secret("p4ss"))
	want := `printf '%s\n' "it's \"x\"; rm -rf /" > '(sensitive)'` + "\n"
	if got := s.String(); got != want {
		t.Errorf("shown\n%s\nwant\n%s", got, want)
	}
	if got := s.Text(); got == want {
		t.Error("the text that is sent must hold the secret")
	}
}
