package controlplane_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/sandbox/controlplane"
)

func TestMergeArguments(t *testing.T) {
	t.Parallel()
	defaults := map[string]string{"b": "2", "a": "1"}
	for name, c := range map[string]struct {
		extra []string
		want  []string
		fails bool
	}{
		"defaults": {want: []string{"--a=1", "--b=2"}},
		"override": {extra: []string{"b=3", "c=4"}, want: []string{"--a=1", "--b=3", "--c=4"}},
		"repeated": {extra: []string{"b=3", "b=4"}, want: []string{"--a=1", "--b=3", "--b=4"}},
		"append":   {extra: []string{"b+=3"}, want: []string{"--a=1", "--b=2,3"}},
		"dashes":   {extra: []string{"--a=x=y"}, want: []string{"--a=x=y", "--b=2"}},
		"no value": {extra: []string{"a"}, fails: true},
		"no name":  {extra: []string{"=a"}, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := controlplane.MergeArguments(defaults, c.extra)
			if (err != nil) != c.fails {
				t.Fatalf("error: %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("arguments (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzMergeArguments(f *testing.F) {
	for _, seed := range []string{"a=b", "+=", "a+=b", "--", "=", "a=b=c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, extra string) {
		arguments, err := controlplane.MergeArguments(map[string]string{"a": "1"}, []string{extra})
		if err != nil {
			return
		}
		for _, argument := range arguments {
			if name, _, ok := strings.Cut(strings.TrimPrefix(argument, "--"), "="); !ok || !strings.HasPrefix(argument, "--") || name == argument {
				t.Errorf("%q became %q", extra, argument)
			}
		}
	})
}
