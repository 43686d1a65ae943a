package shell_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"github.com/expertflow/cxha/internal/shell"
)

// Whatever the word, sh gives its bytes back: the host's real one, and the interpreter of the sandbox.
func FuzzQuote(f *testing.F) {
	for _, seed := range []string{"", "a b", "it's", `"x" $HOME $(id) \`, "`id`", "a\nb\n", "-n", "~", "#x", "!", "\x80\xff", "\x01\x1b[0m", "%s%d",
		"ä€😀", "\ufffd", "'\x01'", "if", "a=b", "{a,b}", "*", "EOF\nEOF"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if strings.Contains(word, "\x00") || len(word) > 64<<10 {
			t.Skip("no argument of a program can hold it")
		}
		text := "printf %s " + shell.Quote(word) + "\n"
		for name, run := range shells() {
			if name == "mvdan.cc/sh" && !utf8.ValidString(word) {
				continue // it reads no other text
			}
			if got := run(t, text); got != word {
				t.Errorf("%s: printf %%s %s gave %q, want %q", name, shell.Quote(word), got, word)
			}
		}
	})
}

// Whatever the words, a script shows none of its secrets, and sends all of them.
func FuzzSecretIsHidden(f *testing.F) {
	f.Add("p4ss", "/etc/x")
	f.Add("it's\n\x01", "-")
	f.Fuzz(func(t *testing.T, secret, path string) {
		var other, s shell.Script
		for s, secret := range map[*shell.Script]string{&s: secret, &other: "another"} {
			s.Add("echo %s > %s", shell.Secret(secret), path)
			s.File(shell.File{Path: path, Content: secret + "\n", Secret: true, Owner: "root:root", Mode: "0600"})
			s.File(shell.File{Path: path, Content: strings.TrimRight(secret, "\n"), Secret: true, Owner: "root:root", Mode: "0600"})
		}
		if s.String() != other.String() {
			t.Errorf("what is shown depends on the secret:\n%s\n%s", s.String(), other.String())
		}
		if !strings.Contains(s.Text(), shell.Quote(secret)) {
			t.Errorf("the secret %q is not sent:\n%s", secret, s.Text())
		}
	})
}

// shells returns the shells that scripts must run in, each as a function from text to its standard output.
func shells() map[string]func(testing.TB, string) string {
	return map[string]func(testing.TB, string) string{"/bin/sh": realShell, "mvdan.cc/sh": interpreter}
}

func realShell(t testing.TB, text string) string {
	t.Helper()
	out, code := run(t, text)
	if code != 0 {
		t.Fatalf("sh ended with %d:\n%s\n%s", code, text, out)
	}
	return out
}

// run gives text to /bin/sh as a host gets it, and returns its output and exit code.
func run(t testing.TB, text string) (out string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-s")
	cmd.Stdin = strings.NewReader(text)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if stderr.Len() > 0 {
		t.Logf("sh says: %s", &stderr)
	}
	return stdout.String(), cmd.ProcessState.ExitCode()
}

func interpreter(t testing.TB, text string) string {
	t.Helper()
	file, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(strings.NewReader(text), "")
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	var out bytes.Buffer
	runner, err := interp.New(interp.StdIO(nil, &out, io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if err := runner.Run(context.Background(), file); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return out.String()
}
