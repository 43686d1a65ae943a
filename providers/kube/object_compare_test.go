package kube_test

import (
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

// named and tags are lists whose elements the server tells apart.
const (
	keyedList = `{"f:c":{"k:{\"name\":\"x\"}":{".":{},"f:name":{}}}}`
	portList  = `{"f:p":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}}}}`
	setList   = `{"f:s":{"v:\"a\"":{}}}`
	wholeMap  = `{"f:m":{}}`
)

func TestOverlay(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ managed, wanted, live, want string }{
		"live has more":                  {"", `{"a":1}`, `{"a":1,"b":2}`, `{"a":1,"b":2}`},
		"another value":                  {"", `{"a":1}`, `{"a":2}`, `{"a":1}`},
		"a number is a number":           {"", `{"a":1}`, `{"a":1.0}`, `{"a":1.0}`},
		"a large number is not its like": {"", `{"a":9007199254740993}`, `{"a":9007199254740992}`, `{"a":9007199254740993}`},
		"zero and not there":             {"", `{"a":0,"b":"","c":false,"d":{},"e":[],"f":{"g":false}}`, `{}`, `{}`},
		"zero and not zero":              {"", `{"a":0}`, `{"a":5}`, `{"a":0}`},
		"by place":                       {"", `{"c":[{"x":1}]}`, `{"c":[{"x":2,"y":3}]}`, `{"c":[{"x":1,"y":3}]}`},
		"another length":                 {"", `{"c":[1]}`, `{"c":[1,2]}`, `{"c":[1]}`},
		"by name":                        {keyedList, `{"c":[{"name":"x","v":1}]}`, `{"c":[{"name":"side"},{"name":"x","v":2,"w":3}]}`, `{"c":[{"name":"side"},{"name":"x","v":1,"w":3}]}`},
		"a new name":                     {keyedList, `{"c":[{"name":"y"}]}`, `{"c":[{"name":"x"}]}`, `{"c":[{"name":"x"},{"name":"y"}]}`},
		"another order":                  {keyedList, `{"c":[{"name":"y"},{"name":"x"}]}`, `{"c":[{"name":"x"},{"name":"o"},{"name":"y"}]}`, `{"c":[{"name":"y"},{"name":"x"},{"name":"o"}]}`},
		"part of a key":                  {portList, `{"p":[{"port":80,"t":1}]}`, `{"p":[{"port":80,"protocol":"TCP","t":2}]}`, `{"p":[{"port":80,"protocol":"TCP","t":1}]}`},
		"a set":                          {setList, `{"s":["b","a"]}`, `{"s":["a","c"]}`, `{"s":["a","c","b"]}`},
		"a map of others, as a whole":    {wholeMap, `{"m":{"a":1}}`, `{"m":{"a":1,"b":2}}`, `{"m":{"a":1}}`},
		"another type":                   {"", `{"a":{"b":1}}`, `{"a":[1]}`, `{"a":{"b":1}}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := kube.Overlaid(decoded(t, test.wanted), decoded(t, test.live), test.managed)
			if diff := cmp.Diff(decoded(t, test.want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Both states have the same form. What only others have set and what stays is left out.
func TestPair(t *testing.T) {
	t.Parallel()
	const others = `{"f:theirs":{},"f:c":{"k:{\"name\":\"x\"}":{".":{},"f:name":{},"f:v":{}}}}`
	tests := map[string]struct{ managed, wanted, before, after, b, a string }{
		"others' field":            {others, `{}`, `{"theirs":1,"free":2}`, `{"theirs":1,"free":2}`, `{"free":2}`, `{"free":2}`},
		"others' stated field":     {others, `{"theirs":1}`, `{"theirs":1}`, `{"theirs":1}`, `{"theirs":1}`, `{"theirs":1}`},
		"others' field changes":    {others, `{}`, `{"theirs":1}`, `{"theirs":2}`, `{"theirs":1}`, `{"theirs":2}`},
		"a field falls back":       {"", `{}`, `{"a":3}`, `{"a":1}`, `{"a":3}`, `{"a":1}`},
		"elements by name":         {keyedList, `{}`, `{"c":[{"name":"x","v":1}]}`, `{"c":[{"name":"y"},{"name":"x","v":2}]}`, `{"c":{"name=x":{"v":1}}}`, `{"c":{"name=x":{"v":2},"name=y":{"name":"y"}}}`},
		"their order":              {keyedList, `{}`, `{"c":[{"name":"x"},{"name":"y","v":1}]}`, `{"c":[{"name":"y","v":1},{"name":"x"}]}`, `{"c":{"name=y":{"name":"y","v":1},"order":["name=x","name=y"]}}`, `{"c":{"name=y":{"name":"y","v":1},"order":["name=y","name=x"]}}`},
		"a name that stands twice": {keyedList, `{}`, `{"c":[{"name":"x"},{"name":"x"}]}`, `{"c":[{"name":"x"}]}`, `{"c":[{"name":"x"},{"name":"x"}]}`, `{"c":[{"name":"x"}]}`},
		"a set":                    {setList, `{}`, `{"s":["a","b"]}`, `{"s":["b","c"]}`, `{"s":{"a":"a","b":"b"}}`, `{"s":{"b":"b","c":"c"}}`},
		"nothing left":             {`{"f:m":{"f:a":{}}}`, `{}`, `{"m":{"a":1}}`, `{"m":{"a":1}}`, `{}`, `{}`},
		"an empty one":             {"", `{}`, `{"m":{}}`, `{}`, `{"m":{}}`, `{}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, a := kube.Paired(decoded(t, test.wanted), decoded(t, test.before), decoded(t, test.after), test.managed)
			for _, side := range []struct {
				name, want string
				got        any
			}{{"before", test.b, b}, {"after", test.a, a}} {
				got := side.got
				if got == nil {
					got = map[string]any{}
				}
				if diff := cmp.Diff(decoded(t, side.want), got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", side.name, diff)
				}
			}
		})
	}
}

func TestByHand(t *testing.T) {
	t.Parallel()
	for manager, want := range map[string]bool{
		"kubectl": true, "kubectl-client-side-apply": true, "kubectl-edit": true, "helm": true, "Helm": true, "k9s": true, "Mozilla": true, "node-fetch": true, "": true,
		"kube-controller-manager": false, "helm-controller": false, "kubelet": false, "keda": false, "vpa-updater": false, "manager": false, "argocd-application-controller": false,
	} {
		if got := kube.ByHand(manager); got != want {
			t.Errorf("%q: by hand %v, want %v", manager, got, want)
		}
	}
}

// An apply twice is an apply once, and one that changes nothing is shown as no change.
func FuzzOverlay(f *testing.F) {
	f.Add(`{"c":[{"name":"x","b":1}]}`, `{"c":[{"name":"x","b":2},{"name":"y"}]}`, keyedList)
	f.Add(`{"p":[{"port":80}]}`, `{"p":[{"port":80,"protocol":"TCP"}]}`, portList)
	f.Add(`{"a":{}}`, `{"a":null}`, wholeMap)
	f.Add(`{"s":["b","b"]}`, `{"s":["a"]}`, setList)
	f.Fuzz(func(t *testing.T, wanted, live, managed string) {
		var w, l map[string]any
		if utiljson.Unmarshal([]byte(wanted), &w) != nil || utiljson.Unmarshal([]byte(live), &l) != nil || w == nil || l == nil {
			return
		}
		b, a := kube.Paired(w, l, l, managed)
		if !cmp.Equal(b, a) {
			t.Errorf("%s is shown as a change of itself: %v, %v", live, b, a)
		}
		once := kube.Overlaid(w, l, managed)
		if twice := kube.Overlaid(w, once, managed); !cmp.Equal(once, twice) {
			t.Errorf("%s on %s: once %v, twice %v", wanted, live, once, twice)
		}
	})
}
