package shell_test

import (
	"strings"
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

func TestAddTakesWordsOfAnyType(t *testing.T) {
	t.Parallel()
	var s shell.Script
	s.Add("a %s %s %s", 7, true, shell.Raw("| b > /dev/null"))
	if got, want := s.Text(), "a 7 true | b > /dev/null\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAddPanicsOnWrongNumberOfWords(t *testing.T) {
	t.Parallel()
	for what, args := range map[string][]any{"too few": {"a"}, "too many": {"a", "b", "c"}} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, "this is a bug in cxha") {
					t.Errorf("panic %q", text)
				}
			}()
			new(shell.Script).Add("mv %s %s", args...)
		})
	}
}

func TestAppendKeepsSecretsHidden(t *testing.T) {
	t.Parallel()
	var a, b shell.Script
	if !a.Empty() {
		t.Error("a new script is not empty")
	}
	b.Add("echo %s", shell.Secret("p4ss"))
	a.Add("true").Append(&b)
	if got, want := a.Text(), "true\necho p4ss\n"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
	if got, want := a.String(), "true\necho '(sensitive)'\n"; got != want {
		t.Errorf("shown %q, want %q", got, want)
	}
	if a.Empty() {
		t.Error("a script with lines is empty")
	}
}

func TestEmptyWordStaysAWord(t *testing.T) {
	t.Parallel()
	var s shell.Script
	s.Add("set -- %s %s %s", "", "a b", "").Add("echo $#")
	for name, run := range shells() {
		if got := run(t, s.Text()); got != "3\n" {
			t.Errorf("%s: %q words, want 3", name, got)
		}
	}
}
