package plans_test

import (
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/schema"
)

// FuzzDiff checks the laws of the comparison: nothing differs from itself; what is desired and known is what will be; once that
// is live, nothing is left to do; no secret loses its mark.
func FuzzDiff(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte("\x01\x02\x03\x01\x02\x03\x04\x05\x06"), []byte("\x07\x07\x07\x07\x07\x07\x07\x07"))
	f.Add([]byte("\x05\x05\x05\x05\x03\x02\x05\x05\x05\x05\x05\x05\x05\x05\x02\x02\x02\x02"), []byte("\x00\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03\x03"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		live := (&generator{data: b, marks: true}).object()
		checkSelf(t, live)
		full := (&generator{data: a, marks: true}).object()
		d := diff(t, full, live)
		if !schema.Plain(d.After).RawEquals(schema.Plain(full)) {
			t.Errorf("after\n%#v\nis not what was desired:\n%#v", d.After, full)
		}
		desired := (&generator{data: a, marks: true, gaps: true}).object()
		d = diff(t, desired, live)
		if (d.Action == plans.NoOp) != (len(d.Attrs) == 0) {
			t.Errorf("%s with %d changed attributes", d.Action, len(d.Attrs))
		}
		checkMarks(t, desired, d.After)
		settled := fillUnknown(t, d.After)
		if again := diff(t, desired, settled); again.Action != plans.NoOp {
			t.Errorf("after it was made, still %s: %v\ndesired %#v\nlive %#v", again.Action, lines(t, again.Attrs), desired, settled)
		}
	})
}

func diff(t *testing.T, desired, live cty.Value) plans.Delta {
	t.Helper()
	d, err := plans.Diff(desired, live, plans.DiffOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func checkSelf(t *testing.T, v cty.Value) {
	t.Helper()
	d := diff(t, v, v)
	if d.Action != plans.NoOp || len(d.Attrs) > 0 || !d.After.RawEquals(v) {
		t.Errorf("compared with itself: %s, %v, after %#v\nof %#v", d.Action, lines(t, d.Attrs), d.After, v)
	}
}

// checkMarks fails where a top-level attribute or element is secret in desired and not in after.
func checkMarks(t *testing.T, desired, after cty.Value) {
	t.Helper()
	_, marks := desired.UnmarkDeepWithPaths()
	_, kept := after.UnmarkDeepWithPaths()
	for _, m := range marks {
		found := false
		for _, k := range kept {
			if m.Path.HasPrefix(k.Path) {
				found = true
			}
		}
		if !found {
			t.Errorf("the mark at %#v is lost", m.Path)
		}
	}
}

// fillUnknown is what a run does: it puts values in the place of those that were known only after apply.
func fillUnknown(t *testing.T, v cty.Value) cty.Value {
	t.Helper()
	plain, marks := v.UnmarkDeepWithPaths()
	filled, err := cty.Transform(plain, func(_ cty.Path, e cty.Value) (cty.Value, error) {
		if e.IsKnown() {
			return e, nil
		}
		return (&generator{}).plain(e.Type(), 3), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return filled.MarkWithPaths(marks)
}
