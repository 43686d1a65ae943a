package plans

import (
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// DiffOptions says how values are compared.
type DiffOptions struct {
	Replace []string // top-level attributes that cannot be changed in place
}

// Delta is what makes a live value right.
type Delta struct {
	Action Action
	After  cty.Value    // what will be live; null: absent; unknown parts are known only after apply
	Attrs  []AttrChange // what differs; for Create and Delete every attribute that is not null
}

// Diff compares what is desired with what is live: normalised objects of one type, or null where the thing shall not be or is
// not. It is pure. A null attribute of an object that is desired is not managed: the live one stays. An unknown one is
// computed: the live one is right, and where it is null the value is known only after apply. Marks of both sides stay on After,
// and do not count in the comparison. An error means a fault of the caller.
func Diff(desired, live cty.Value, o DiffOptions) (Delta, error) {
	d, err := object(desired)
	if err != nil {
		return Delta{}, fmt.Errorf("desired value: %w", err)
	}
	l, err := object(live)
	if err != nil {
		return Delta{}, fmt.Errorf("live value: %w", err)
	}
	switch {
	case d.IsNull() && l.IsNull():
		return Delta{Action: NoOp, After: d}, nil
	case l.IsNull():
		return Delta{Action: Create, After: d, Attrs: Attrs(l, d)}, nil
	case d.IsNull():
		return Delta{Action: Delete, After: cty.NullVal(l.Type()), Attrs: Attrs(l, d)}, nil
	case d.RawEquals(l):
		return Delta{Action: NoOp, After: d}, nil
	}
	delta := Delta{After: merge(d, l)}
	delta.Attrs = Attrs(l, delta.After)
	delta.Action = actionOf(delta.Attrs, o)
	return delta, nil
}

// Between compares what is live with what will be live, where the system that makes it has said what that is. Everything that
// differs counts. An error means a fault of the caller.
func Between(live, result cty.Value, o DiffOptions) (Delta, error) {
	l, err := object(live)
	if err != nil {
		return Delta{}, fmt.Errorf("live value: %w", err)
	}
	r, err := object(result)
	if err != nil {
		return Delta{}, fmt.Errorf("result: %w", err)
	}
	if l.IsNull() || r.IsNull() {
		return Diff(result, live, o)
	}
	delta := Delta{After: r, Attrs: Attrs(l, r)}
	delta.Action = actionOf(delta.Attrs, o)
	return delta, nil
}

// actionOf is what has to be done about attributes of a thing that is there and shall be.
func actionOf(attrs []AttrChange, o DiffOptions) Action {
	action := NoOp
	for _, a := range attrs {
		if slices.Contains(o.Replace, a.Root) {
			return Replace
		}
		action = Update
	}
	return action
}

// object checks that a value can be a side of a comparison.
func object(v cty.Value) (cty.Value, error) {
	switch {
	case v == cty.NilVal:
		return cty.NullVal(cty.EmptyObject), nil
	case !v.IsKnown():
		return v, fmt.Errorf("it is unknown as a whole")
	case !v.IsNull() && !v.Type().IsObjectType():
		return v, fmt.Errorf("it is a %s, not an object", v.Type().FriendlyName())
	}
	return v, nil
}

// merge returns desired with its gaps filled from live, and the marks of both.
func merge(desired, live cty.Value) cty.Value {
	d, dm := desired.Unmark()
	l, lm := live.Unmark()
	return mergePlain(d, l).WithMarks(dm, lm)
}

func mergePlain(d, l cty.Value) cty.Value {
	switch {
	case l.IsNull() || !l.IsKnown():
		return d
	case !d.IsKnown() || d.Type().IsSetType() && !d.IsWhollyKnown(): // nobody knows which element of a set is the unknown one
		return fill(d, l)
	case d.IsNull():
		return d
	case d.Type().IsObjectType() && isMapping(l):
		return mergeObject(d, l)
	case d.Type().IsMapType() && isMapping(l):
		return mergeMap(d, l)
	case isSequence(d) && isSequence(l):
		return mergeSequence(d, l)
	default:
		return d
	}
}

// fill puts live in the place of a desired value that says nothing, if it is of its type.
func fill(desired, live cty.Value) cty.Value {
	if len(live.Type().TestConformance(desired.Type())) > 0 {
		return desired
	}
	return live
}

func mergeObject(d, l cty.Value) cty.Value {
	attrs, live := d.AsValueMap(), l.AsValueMap()
	for name, want := range attrs {
		is, ok := live[name]
		switch {
		case !ok, want.RawEquals(is):
		case want.IsNull():
			_, marks := want.Unmark()
			attrs[name] = fill(want, is).WithMarks(marks)
		default:
			attrs[name] = merge(want, is)
		}
	}
	if len(attrs) == 0 {
		return d
	}
	return cty.ObjectVal(attrs)
}

func mergeMap(d, l cty.Value) cty.Value {
	elems, live := d.AsValueMap(), l.AsValueMap()
	if len(elems) == 0 {
		return d
	}
	for key, want := range elems {
		if is, ok := live[key]; ok {
			elems[key] = mergeElement(d.Type().ElementType(), want, is)
		}
	}
	return cty.MapVal(elems)
}

func mergeSequence(d, l cty.Value) cty.Value {
	elems, live := d.AsValueSlice(), l.AsValueSlice()
	if len(elems) == 0 {
		return d
	}
	isList := d.Type().IsListType()
	for i := range min(len(elems), len(live)) {
		if isList {
			elems[i] = mergeElement(d.Type().ElementType(), elems[i], live[i])
		} else {
			elems[i] = merge(elems[i], live[i])
		}
	}
	if isList {
		return cty.ListVal(elems)
	}
	return cty.TupleVal(elems)
}

// mergeElement is merge inside a collection, whose elements all have one type.
func mergeElement(ty cty.Type, desired, live cty.Value) cty.Value {
	if merged := merge(desired, live); merged.Type().Equals(ty) {
		return merged
	}
	return desired
}
