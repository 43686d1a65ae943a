package plans_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
)

func TestBetween(t *testing.T) {
	t.Parallel()
	object := func(attrs map[string]cty.Value) cty.Value { return cty.ObjectVal(attrs) }
	three, one := cty.NumberIntVal(3), cty.NumberIntVal(1)
	tests := map[string]struct {
		live, result cty.Value
		options      plans.DiffOptions
		action       plans.Action
		paths        []string
	}{
		"nothing differs": {live: object(map[string]cty.Value{"a": three}), result: object(map[string]cty.Value{"a": three}), action: plans.NoOp},
		"a field goes": {
			live: object(map[string]cty.Value{"a": three, "b": one}), result: object(map[string]cty.Value{"b": one}), action: plans.Update, paths: []string{"a"},
		},
		"a field falls back to its default": {
			live: object(map[string]cty.Value{"a": three}), result: object(map[string]cty.Value{"a": one}), action: plans.Update, paths: []string{"a"},
		},
		"a field comes that only the apply decides": {
			live: object(map[string]cty.Value{"a": three}), result: object(map[string]cty.Value{"a": three, "b": cty.UnknownVal(cty.Number)}), action: plans.Update, paths: []string{"b"},
		},
		"what cannot be changed in place": {
			live: object(map[string]cty.Value{"a": three}), result: object(map[string]cty.Value{"a": one}), options: plans.DiffOptions{Replace: []string{"a"}},
			action: plans.Replace, paths: []string{"a"},
		},
		"absent": {live: cty.NullVal(cty.EmptyObject), result: object(map[string]cty.Value{"a": one}), action: plans.Create, paths: []string{"a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			delta, err := plans.Between(test.live, test.result, test.options)
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, a := range delta.Attrs {
				paths = append(paths, a.Path)
			}
			if diff := cmp.Diff(test.paths, paths); diff != "" || delta.Action != test.action {
				t.Errorf("action %s, want %s; paths (-want +got):\n%s", delta.Action, test.action, diff)
			}
			if !delta.After.RawEquals(test.result) {
				t.Errorf("after %#v, want the result itself", delta.After)
			}
		})
	}
}
