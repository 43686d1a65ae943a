package kube

import (
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
)

// attr returns a string attribute; null and unknown are empty.
func attr(v cty.Value, name string) string {
	if v.IsNull() || !v.IsKnown() {
		return ""
	}
	return text(v.GetAttr(name))
}

// nodeOf returns the node that a value is about.
func nodeOf(v cty.Value) string { return attr(v, "node") }

// target returns the node that a change is about.
func target(c plans.Change) (string, error) {
	for _, v := range []cty.Value{c.After, c.Before} {
		if name := nodeOf(v); name != "" {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s: the change names no node; this is a bug in cxha", c.Addr)
}

func text(v cty.Value) string {
	if v.IsNull() || !v.IsKnown() {
		return ""
	}
	return v.AsString()
}

// texts returns a list of strings.
func texts(v cty.Value) []string {
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	var ss []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		ss = append(ss, text(e))
	}
	return ss
}

// textMap returns a map of strings.
func textMap(v cty.Value) map[string]string {
	m := map[string]string{}
	if v.IsNull() || !v.IsKnown() {
		return m
	}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		m[k.AsString()] = text(e)
	}
	return m
}

// listOf returns the sorted list of strings.
func listOf(ss []string) cty.Value {
	if len(ss) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	var vs []cty.Value
	for _, s := range slices.Sorted(slices.Values(ss)) {
		vs = append(vs, cty.StringVal(s))
	}
	return cty.ListVal(vs)
}

func mapOf(m map[string]string) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	vs := make(map[string]cty.Value, len(m))
	for k, s := range m {
		vs[k] = cty.StringVal(s)
	}
	return cty.MapVal(vs)
}

// keys returns a map's keys in order.
func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
