package helm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

func TestReview(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values map[string]cty.Value
		want   []string // beginnings of the notes
	}{
		"none":             {},
		"known":            {values: map[string]cty.Value{"text": cty.StringVal("hi"), "nested": object(map[string]cty.Value{"deep": cty.True})}},
		"free below empty": {values: map[string]cty.Value{"extra": object(map[string]cty.Value{"anything": cty.StringVal("x")})}},
		"global":           {values: map[string]cty.Value{"global": object(map[string]cty.Value{"anything": cty.StringVal("x")})}},
		"unknown": {
			values: map[string]cty.Value{"txt": cty.StringVal("hi"), "nested": object(map[string]cty.Value{"dep": cty.True})},
			want:   []string{"the chart greeting 1.0.0 does not know the value nested.dep", "the chart greeting 1.0.0 does not know the value txt"},
		},
		"refused by the schema": {
			values: map[string]cty.Value{"size": cty.StringVal("large"), "password": schema.Secret("NOT-TO-BE-SEEN")},
			want:   []string{"the chart greeting 1.0.0 does not know the value password", "the values do not fit the chart greeting 1.0.0: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shop := openShop(t)
			g := greeting("1.0.0")
			shop.put("greeting", "1.0.0", pack(t, g.with(files{"values.yaml": g["values.yaml"] + "nested: {deep: false}\n"})))
			r := release("a", shop.inRepository("greeting", "1.0.0"))
			r.Values = cty.NullVal(cty.DynamicPseudoType)
			if test.values != nil {
				r.Values = object(test.values)
			}
			bp := site(t, r)
			cs, _ := charts(t)
			lock, err := cs.Resolve(t.Context(), bp, nil)
			if err != nil {
				t.Fatal(err)
			}
			notes, err := cs.Review(t.Context(), bp, lock)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, n := range notes {
				text := n.Text
				if i < len(test.want) && strings.HasPrefix(text, test.want[i]) {
					text = test.want[i]
				}
				if got = append(got, text); n.Block != r.Addr || strings.Contains(n.Text, "NOT-TO-BE-SEEN") {
					t.Errorf("note %v", n)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("notes (-want +got):\n%s", diff)
			}
		})
	}
}
