package crash_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/expertflow/cxha/internal/crash"
)

func TestCall(t *testing.T) {
	t.Parallel()
	plain := errors.New("plain")
	tests := map[string]struct {
		run  func() error
		want string // in the error; empty: none
	}{
		"no error":          {run: func() error { return nil }},
		"an error":          {run: func() error { return plain }, want: "plain"},
		"a panic":           {run: func() error { panic("no such thing") }, want: "no such thing"},
		"a nil dereference": {run: func() error { var e *crash.Error; return errors.New(e.Stack) }, want: "nil pointer dereference"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := crash.Call(test.run)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestErrorSaysWhereAndWhereToReport(t *testing.T) {
	t.Parallel()
	err := crash.Call(func() error { return fail("word") })
	var caught *crash.Error
	if !errors.As(err, &caught) {
		t.Fatalf("got %T, want *crash.Error", err)
	}
	if !strings.Contains(err.Error(), crash.Report) {
		t.Errorf("%q does not say where to report it", err)
	}
	if first, _, _ := strings.Cut(caught.Detail(), "\n"); !strings.HasSuffix(first, "crash_test.fail") {
		t.Errorf("the stack begins with %q, want the function that panicked:\n%s", first, caught.Detail())
	}
}

//go:noinline
func fail(word string) error { panic(word) }
