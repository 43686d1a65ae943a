package kube_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/expertflow/cxha/providers/kube"
)

func decoded(t *testing.T, text string) any {
	t.Helper()
	var v map[string]any
	if err := utiljson.Unmarshal([]byte(`{"v":`+text+`}`), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v["v"]
}

func TestStates(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		wanted, live string
		want         bool
	}{
		"equal":                      {`{"a":1}`, `{"a":1}`, true},
		"live has more":              {`{"a":1}`, `{"a":1,"b":2}`, true},
		"live has less":              {`{"a":1,"b":2}`, `{"a":1}`, false},
		"another value":              {`{"a":1}`, `{"a":2}`, false},
		"another type":               {`{"a":1}`, `{"a":"1"}`, false},
		"a number is a number":       {`{"a":1}`, `{"a":1.0}`, true},
		"zero and not there":         {`{"a":0,"b":"","c":false,"d":{},"e":[],"f":{"g":false}}`, `{}`, true},
		"zero and not zero":          {`{"a":0}`, `{"a":5}`, false},
		"false and true":             {`{"a":false}`, `{"a":true}`, false},
		"elements have more":         {`[{"name":"a"}]`, `[{"name":"a","b":1}]`, true},
		"more elements":              {`[{"name":"a"}]`, `[{"name":"a"},{"name":"b"}]`, false},
		"elements in another order":  {`["a","b"]`, `["b","a"]`, false},
		"a list where a mapping was": {`{"a":{"b":1}}`, `{"a":[1]}`, false},
		"a mapping where a list was": {`{"a":[1]}`, `{"a":{"b":1}}`, false},
		"deep":                       {`{"a":{"b":[{"c":{"d":1}}]}}`, `{"a":{"b":[{"c":{"d":1,"e":2}}]}}`, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := kube.States(decoded(t, test.wanted), decoded(t, test.live)); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// What is shown as live equals what is wanted exactly where the apply changes nothing of it.
func TestMerged(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ wanted, dry, live, want string }{
		"nothing changes":             {`{"a":1}`, `{"a":1,"b":2}`, `{"a":1,"b":2}`, `{"a":1}`},
		"a value is put back":         {`{"a":1}`, `{"a":1,"b":2}`, `{"a":3,"b":2}`, `{"a":3}`},
		"a field is added":            {`{"a":1,"c":3}`, `{"a":1,"c":3}`, `{"a":1}`, `{"a":1}`},
		"a field is taken away":       {`{"a":1}`, `{"a":1}`, `{"a":1,"c":3}`, `{"a":1,"c":3}`},
		"a deep one is taken away":    {`{"a":1}`, `{"a":1,"m":{"x":1}}`, `{"a":1,"m":{"x":1,"y":2}}`, `{"a":1,"m":{"y":2}}`},
		"a default is added":          {`{"a":1}`, `{"a":1,"d":9}`, `{"a":1}`, `{"a":1}`},
		"the server writes otherwise": {`{"cpu":"1000m"}`, `{"cpu":"1"}`, `{"cpu":"1"}`, `{"cpu":"1000m"}`},
		"the server drops it":         {`{"a":1,"z":0}`, `{"a":1}`, `{"a":1}`, `{"a":1,"z":0}`},
		"one of a list":               {`[{"name":"a","i":1},{"name":"b","i":1}]`, `[{"name":"a","i":1},{"name":"b","i":1}]`, `[{"name":"a","i":1},{"name":"b","i":2}]`, `[{"name":"a","i":1},{"name":"b","i":2}]`},
		"one of a list is missing":    {`[{"name":"a"},{"name":"b"}]`, `[{"name":"b"},{"name":"a"}]`, `[{"name":"b"}]`, `[{"name":"b"}]`},
		"one of a list is too much":   {`[{"name":"a"}]`, `[{"name":"a"}]`, `[{"name":"a"},{"name":"b"}]`, `[{"name":"a"},{"name":"b"}]`},
		"one of a list is others'":    {`[{"name":"a"}]`, `[{"name":"a"},{"name":"c"}]`, `[{"name":"a"},{"name":"c"}]`, `[{"name":"a"}]`},
		"a list without names":        {`["a"]`, `["a"]`, `["a","b"]`, `["a","b"]`},
		"another type":                {`{"a":{"b":1}}`, `{"a":{"b":1}}`, `{"a":"x"}`, `{"a":"x"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := kube.Merged(decoded(t, test.wanted), decoded(t, test.dry), decoded(t, test.live))
			if diff := cmp.Diff(decoded(t, test.want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ wanted, live, want string }{
		"none":                     {`{"a":1}`, `{"a":1,"b":2}`, ""},
		"a value":                  {`{"spec":{"replicas":2}}`, `{"spec":{"replicas":5}}`, "spec.replicas 5 2"},
		"missing":                  {`{"spec":{"a":"x"}}`, `{"spec":{}}`, "spec.a missing x"},
		"an element by its name":   {`{"c":[{"name":"x","image":"a"}]}`, `{"c":[{"name":"side"},{"name":"x","image":"b"}]}`, "c[x].image b a"},
		"others' elements":         {`{"c":[{"name":"x"}]}`, `{"c":[{"name":"side"},{"name":"x"}]}`, ""},
		"an element is missing":    {`{"c":[{"name":"x"},{"name":"y"}]}`, `{"c":[{"name":"x"}]}`, `c[y] missing {"name":"y"}`},
		"an element by its place":  {`{"p":[{"port":80}]}`, `{"p":[{"port":81}]}`, "p[0].port 81 80"},
		"a list of another length": {`{"a":["x"]}`, `{"a":["x","y"]}`, `a ["x","y"] ["x"]`},
		"a name with dots":         {`{"labels":{"a.b/c":"1"}}`, `{"labels":{"a.b/c":"2"}}`, "labels[a.b/c] 2 1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(kube.Differences(decoded(t, test.wanted), decoded(t, test.live)), "\n"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func FuzzMerged(f *testing.F) {
	f.Add(`{"a":[{"name":"x","b":1}]}`, `{"a":[{"name":"x","b":2},{"name":"y"}]}`)
	f.Add(`{"a":{}}`, `{"a":null}`)
	f.Add(`{"a":[1,2]}`, `{"a":[2]}`)
	f.Fuzz(func(t *testing.T, wanted, live string) {
		var w, l map[string]any
		if utiljson.Unmarshal([]byte(wanted), &w) != nil || utiljson.Unmarshal([]byte(live), &l) != nil || w == nil || l == nil {
			return
		}
		if got := kube.Merged(w, l, l); !cmp.Equal(got, any(w)) {
			t.Errorf("an apply that changes nothing is shown as a change of %s: %v", wanted, got)
		}
		if kube.States(w, l) != (len(kube.Differences(w, l)) == 0) && !hasLists(w) {
			t.Errorf("%s in %s: stated %v, differences %v", wanted, live, kube.States(w, l), kube.Differences(w, l))
		}
	})
}

func hasLists(v any) bool {
	b, err := json.Marshal(v)
	return err != nil || strings.Contains(string(b), "[")
}
