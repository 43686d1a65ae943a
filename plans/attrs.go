package plans

import (
	"maps"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// AttrChange is one attribute, or one part of it, that differs.
type AttrChange struct {
	Path          string    // labels["a"], options.tls-san[1]
	Root          string    // name of the top-level attribute
	Before, After cty.Value // null: not there. Marked where either side is.
	Sensitive     bool      // the values as a whole are secret
}

// Attrs returns what differs between two values, in the order of names; null stands for a thing that is absent, whose
// attributes are all null. It goes into objects, maps and lists of equal length, and not into anything sensitive.
func Attrs(before, after cty.Value) []AttrChange {
	b, bm := orNull(before).Unmark()
	a, am := orNull(after).Unmark()
	marks := cty.NewValueMarks()
	maps.Copy(marks, bm)
	maps.Copy(marks, am)
	w := &attrWalk{}
	for _, name := range keys(b, a) {
		if cb, ca := child(b, name), child(a, name); !equal(cb, ca) {
			w.root = name
			w.compare(AttrPath("", name), cb.WithMarks(marks), ca.WithMarks(marks))
		}
	}
	return w.found
}

func orNull(v cty.Value) cty.Value {
	if v == cty.NilVal {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	return v
}

type attrWalk struct {
	root  string
	found []AttrChange
}

// compare adds what differs between two values that are not equal.
func (w *attrWalk) compare(path string, before, after cty.Value) {
	b, bm := before.Unmark()
	a, am := after.Unmark()
	switch {
	case len(bm) > 0 || len(am) > 0:
		w.add(path, b.WithMarks(bm, am), a.WithMarks(bm, am))
	case isMapping(b) && isMapping(a):
		for _, k := range keys(b, a) {
			if cb, ca := child(b, k), child(a, k); !equal(cb, ca) {
				w.compare(childPath(path, a, k), cb, ca)
			}
		}
	case isSequence(b) && isSequence(a) && b.LengthInt() == a.LengthInt():
		as := a.AsValueSlice()
		for i, cb := range b.AsValueSlice() {
			if !equal(cb, as[i]) {
				w.compare(indexPath(path, i), cb, as[i])
			}
		}
	default:
		w.add(path, b, a)
	}
}

func (w *attrWalk) add(path string, before, after cty.Value) {
	w.found = append(w.found, AttrChange{Path: path, Root: w.root, Before: before, After: after, Sensitive: after.HasMark(schema.Sensitive)})
}

// parts returns every part of a value by the path that Attrs gives it. Sensitive parts are not taken apart.
func parts(v cty.Value) map[string]cty.Value {
	found := map[string]cty.Value{}
	v, marks := orNull(v).Unmark()
	for _, name := range keys(v, v) {
		collect(found, AttrPath("", name), child(v, name).WithMarks(marks))
	}
	return found
}

func collect(found map[string]cty.Value, path string, v cty.Value) {
	found[path] = v
	switch {
	case v.IsMarked():
	case isMapping(v):
		for _, k := range keys(v, v) {
			collect(found, childPath(path, v, k), child(v, k))
		}
	case isSequence(v):
		for i, e := range v.AsValueSlice() {
			collect(found, indexPath(path, i), e)
		}
	}
}

// equal compares what values say: marks do not count, nor does a null in a mapping, nor whether a mapping is a map or an
// object, or a sequence a list or a tuple.
func equal(a, b cty.Value) bool {
	if a.RawEquals(b) { // quick, and mostly so
		return true
	}
	a, _ = a.Unmark()
	b, _ = b.Unmark()
	switch {
	case !a.IsKnown() || !b.IsKnown():
		return !a.IsKnown() && !b.IsKnown()
	case a.IsNull() || b.IsNull():
		return a.IsNull() && b.IsNull()
	case isMapping(a) && isMapping(b):
		for _, k := range keys(a, b) {
			if !equal(child(a, k), child(b, k)) {
				return false
			}
		}
		return true
	case isSequence(a) && isSequence(b):
		return slices.EqualFunc(a.AsValueSlice(), b.AsValueSlice(), equal)
	default:
		a, _ = a.UnmarkDeep()
		b, _ = b.UnmarkDeep()
		return a.RawEquals(b)
	}
}

// isMapping reports whether v has named parts. v is unmarked.
func isMapping(v cty.Value) bool {
	return v.IsKnown() && !v.IsNull() && (v.Type().IsObjectType() || v.Type().IsMapType())
}

// isSequence reports whether v has numbered parts. v is unmarked.
func isSequence(v cty.Value) bool {
	return v.IsKnown() && !v.IsNull() && (v.Type().IsListType() || v.Type().IsTupleType())
}

// keys returns the names of the parts of both, sorted. What is no mapping has none.
func keys(a, b cty.Value) []string {
	set := map[string]bool{}
	for _, v := range []cty.Value{a, b} {
		if !isMapping(v) {
			continue
		}
		for it := v.ElementIterator(); it.Next(); {
			k, _ := it.Element()
			set[k.AsString()] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// child returns a mapping's part, or null.
func child(v cty.Value, key string) cty.Value {
	switch {
	case !isMapping(v):
	case v.Type().IsObjectType():
		if v.Type().HasAttribute(key) {
			return v.GetAttr(key)
		}
	case v.HasIndex(cty.StringVal(key)).True():
		return v.Index(cty.StringVal(key))
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

func childPath(path string, parent cty.Value, key string) string {
	if parent.Type().IsObjectType() {
		return AttrPath(path, key)
	}
	return cty.NormalizeString(path + "[" + strconv.Quote(validText(key)) + "]")
}

// AttrPath returns the path of a part of an object, as [Attrs] gives it.
func AttrPath(path, name string) string {
	name = validText(name)
	switch {
	case !hclsyntax.ValidIdentifier(name):
		path += "[" + strconv.Quote(name) + "]"
	case path == "":
		path = name
	default:
		path += "." + name
	}
	return cty.NormalizeString(path) // as it is when it comes back from a plan file
}

func indexPath(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
