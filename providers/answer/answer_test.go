package answer_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/answer"
)

func TestText(t *testing.T) {
	t.Parallel()
	wanted := providers.Resource{Desired: cty.EmptyObjectVal}
	gone := providers.Resource{Desired: cty.NullVal(cty.EmptyObject)}
	for name, c := range map[string]struct {
		r      providers.Resource
		reply  providers.Reply
		text   string
		absent bool
		fails  bool
	}{
		"text":                      {wanted, providers.Reply{Stdout: "a\nb\n\n"}, "a\nb", false, false},
		"nothing":                   {wanted, providers.Reply{Stdout: "\n"}, "", false, true},
		"nothing of what is not to": {gone, providers.Reply{}, "", true, false},
		"failed":                    {gone, providers.Reply{Stdout: "a", Exit: 1}, "", false, true},
	} {
		text, absent, err := answer.Text(c.r, c.reply)
		if text != c.text || absent != c.absent || (err != nil) != c.fails {
			t.Errorf("%s: %q, absent %v, error %v; want %q, %v and an error: %v", name, text, absent, err, c.text, c.absent, c.fails)
		}
	}
}

func TestPairs(t *testing.T) {
	t.Parallel()
	got, err := answer.Pairs("a=1\n\nb=x=y\r\na=\n")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]answer.Pair{{Key: "a", Value: "1"}, {Key: "b", Value: "x=y"}, {Key: "a"}}, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if _, err := answer.Pairs("a=1\nhello\n"); err == nil {
		t.Error("a line without = was read")
	}
}

func FuzzMap(f *testing.F) {
	f.Add("a=1\nb=2\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := answer.Map(text)
		if err != nil {
			return
		}
		for k, v := range m {
			if !strings.Contains(text, k+"="+v) {
				t.Errorf("%q=%q is not in %q", k, v, text)
			}
		}
	})
}
