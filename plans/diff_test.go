package plans_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

var (
	text   = cty.StringVal
	secret = schema.Secret
	none   = cty.NullVal(cty.String)
	later  = cty.UnknownVal(cty.String)
)

type attrs = map[string]cty.Value

func obj(a attrs) cty.Value { return cty.ObjectVal(a) }

func absent(a attrs) cty.Value { return cty.NullVal(obj(a).Type()) }

func list(elems ...string) cty.Value {
	var vs []cty.Value
	for _, e := range elems {
		vs = append(vs, text(e))
	}
	return cty.ListVal(vs)
}

// line is an attribute change for reading: path, before and after; ! marks secrets.
func lines(t *testing.T, changes []plans.AttrChange) []string {
	t.Helper()
	var out []string
	for _, c := range changes {
		s := c.Path + ": " + show(t, c.Before) + " -> " + show(t, c.After)
		if c.Sensitive {
			s += " !"
		}
		out = append(out, s)
	}
	return out
}

func show(t *testing.T, v cty.Value) string {
	t.Helper()
	v, _ = v.UnmarkDeep()
	switch {
	case !v.IsKnown():
		return "?"
	case v.IsNull():
		return "none"
	case v.Type() == cty.String:
		return v.AsString()
	}
	return v.GoString()
}

func TestDiff(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		desired, live cty.Value
		replace       []string
		action        plans.Action
		after         cty.Value // nil: desired
		attrs         []string
	}{
		"both absent": {desired: absent(attrs{"a": none}), live: absent(attrs{"a": none}), action: plans.NoOp},
		"the same":    {desired: obj(attrs{"a": text("x")}), live: obj(attrs{"a": text("x")}), action: plans.NoOp},
		"create": {
			desired: obj(attrs{"a": text("x"), "b": later, "c": none}), live: absent(attrs{"a": none, "b": none, "c": none}),
			action: plans.Create, attrs: []string{"a: none -> x", "b: none -> ?"},
		},
		"delete": {
			desired: absent(attrs{"a": none, "b": none}), live: obj(attrs{"a": text("x"), "b": none}),
			action: plans.Delete, attrs: []string{"a: x -> none"},
		},
		"update": {
			desired: obj(attrs{"a": text("x"), "b": text("y")}), live: obj(attrs{"a": text("x"), "b": text("z")}),
			action: plans.Update, attrs: []string{"b: z -> y"},
		},
		"replace": {
			desired: obj(attrs{"a": text("x"), "b": list("y")}), live: obj(attrs{"a": text("z"), "b": list("z")}), replace: []string{"b"},
			action: plans.Replace, attrs: []string{"a: z -> x", "b[0]: z -> y"},
		},
		"no replace for another attribute": {
			desired: obj(attrs{"a": text("x"), "b": text("y")}), live: obj(attrs{"a": text("z"), "b": text("y")}), replace: []string{"b"},
			action: plans.Update, attrs: []string{"a: z -> x"},
		},
		"computed and there": {
			desired: obj(attrs{"a": later}), live: obj(attrs{"a": text("made")}),
			action: plans.NoOp, after: obj(attrs{"a": text("made")}),
		},
		"computed and missing": {
			desired: obj(attrs{"a": later}), live: obj(attrs{"a": none}),
			action: plans.Update, attrs: []string{"a: none -> ?"},
		},
		"not managed": {
			desired: obj(attrs{"a": none, "b": text("x")}), live: obj(attrs{"a": text("theirs"), "b": text("y")}),
			action: plans.Update, after: obj(attrs{"a": text("theirs"), "b": text("x")}), attrs: []string{"b: y -> x"},
		},
		"nested": {
			desired: obj(attrs{"o": obj(attrs{"tls-san": list("a", "b"), "made": later, "own": none})}),
			live:    obj(attrs{"o": obj(attrs{"tls-san": list("a", "c"), "made": text("m"), "own": text("w")})}),
			action:  plans.Update,
			after:   obj(attrs{"o": obj(attrs{"tls-san": list("a", "b"), "made": text("m"), "own": text("w")})}),
			attrs:   []string{"o.tls-san[1]: c -> b"},
		},
		"map": {
			desired: obj(attrs{"labels": cty.MapVal(attrs{"a": text("1"), "b/c": text("2")})}),
			live:    obj(attrs{"labels": cty.MapVal(attrs{"a": text("1"), "b/c": text("3"), "d": text("4")})}),
			action:  plans.Update, attrs: []string{`labels["b/c"]: 3 -> 2`, `labels["d"]: 4 -> none`},
		},
		"options of any type": {
			desired: obj(attrs{"o": obj(attrs{"new": text("x"), "same": cty.True, "a b": text("1")})}),
			live:    obj(attrs{"o": obj(attrs{"old": text("y"), "same": cty.True, "a b": text("2")})}),
			action:  plans.Update, attrs: []string{`o["a b"]: 2 -> 1`, "o.new: none -> x", "o.old: y -> none"},
		},
		"a longer list is compared as a whole": {
			desired: obj(attrs{"l": list("a", "b")}), live: obj(attrs{"l": list("a")}),
			action: plans.Update, attrs: []string{`l: cty.ListVal([]cty.Value{cty.StringVal("a")}) -> cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")})`},
		},
		"a tuple and a list say the same": {
			desired: obj(attrs{"l": cty.TupleVal([]cty.Value{text("a")})}), live: obj(attrs{"l": list("a")}), action: plans.NoOp,
		},
		"computed element": {
			desired: obj(attrs{"l": cty.ListVal([]cty.Value{later, text("b")})}), live: obj(attrs{"l": list("a", "b")}),
			action: plans.NoOp, after: obj(attrs{"l": list("a", "b")}),
		},
		"a set with something computed is computed as a whole": {
			desired: obj(attrs{"s": cty.SetVal([]cty.Value{later})}), live: obj(attrs{"s": cty.SetVal([]cty.Value{text("a"), text("b")})}),
			action: plans.NoOp, after: obj(attrs{"s": cty.SetVal([]cty.Value{text("a"), text("b")})}),
		},
		"a live value of another type is not taken": {
			desired: obj(attrs{"a": later}), live: obj(attrs{"a": cty.True}),
			action: plans.Update, attrs: []string{"a: cty.True -> ?"},
		},
		"secrets": {
			desired: obj(attrs{"a": secret("new"), "b": text("same").Mark(schema.Sensitive), "c": later.Mark(schema.Sensitive), "d": none.Mark(schema.Sensitive)}),
			live:    obj(attrs{"a": text("old"), "b": text("same"), "c": text("made"), "d": text("theirs")}),
			action:  plans.Update,
			after:   obj(attrs{"a": secret("new"), "b": secret("same"), "c": secret("made"), "d": secret("theirs")}),
			attrs:   []string{"a: old -> new !"},
		},
		"live secrets stay secret": {
			desired: obj(attrs{"a": text("new"), "m": cty.MapVal(attrs{"k": text("v")})}),
			live:    obj(attrs{"a": secret("old"), "m": cty.MapVal(attrs{"k": secret("w")})}),
			action:  plans.Update,
			after:   obj(attrs{"a": secret("new"), "m": cty.MapVal(attrs{"k": secret("v")})}),
			attrs:   []string{"a: old -> new !", `m["k"]: w -> v !`},
		},
		"inside a secret nothing is shown": {
			desired: obj(attrs{"o": obj(attrs{"user": text("u"), "pass": text("p")}).Mark(schema.Sensitive)}),
			live:    obj(attrs{"o": obj(attrs{"user": text("u"), "pass": text("q")}).Mark(schema.Sensitive)}),
			action:  plans.Update,
			attrs: []string{`o: cty.ObjectVal(map[string]cty.Value{"pass":cty.StringVal("q"), "user":cty.StringVal("u")})` +
				` -> cty.ObjectVal(map[string]cty.Value{"pass":cty.StringVal("p"), "user":cty.StringVal("u")}) !`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := plans.Diff(tt.desired, tt.live, plans.DiffOptions{Replace: tt.replace})
			if err != nil {
				t.Fatal(err)
			}
			if got.Action != tt.action {
				t.Errorf("action %s, want %s", got.Action, tt.action)
			}
			if diff := cmp.Diff(tt.attrs, lines(t, got.Attrs)); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			want := tt.after
			if want == cty.NilVal {
				want = tt.desired
			}
			if !want.RawEquals(got.After) {
				t.Errorf("after\n%#v\nwant\n%#v", got.After, want)
			}
		})
	}
}

func TestDiffRefusesWhatIsNoObject(t *testing.T) {
	t.Parallel()
	good := obj(attrs{"a": text("x")})
	for name, tt := range map[string]struct {
		desired, live cty.Value
		want          string
	}{
		"a text":          {text("x"), good, "desired value: it is a string, not an object"},
		"unknown desired": {cty.UnknownVal(good.Type()), good, "desired value: it is unknown as a whole"},
		"unknown live":    {good, cty.DynamicVal, "live value: it is unknown as a whole"},
	} {
		if _, err := plans.Diff(tt.desired, tt.live, plans.DiffOptions{}); err == nil || err.Error() != tt.want {
			t.Errorf("%s: error is %v, want %s", name, err, tt.want)
		}
	}
}

func TestDiffTakesNilAsAbsent(t *testing.T) {
	t.Parallel()
	got, err := plans.Diff(obj(attrs{"a": text("x")}), cty.NilVal, plans.DiffOptions{})
	if err != nil || got.Action != plans.Create {
		t.Errorf("action %s, error %v, want create", got.Action, err)
	}
}
