package schema_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/expertflow/cxha/schema"
)

// eachShape visits all shapes with the path of their types.
func eachShape(shapes []schema.Shape, path string, visit func(path string, s *schema.Shape)) {
	for i := range shapes {
		p := strings.TrimPrefix(path+" "+shapes[i].Type, " ")
		visit(p, &shapes[i])
		eachShape(shapes[i].Blocks, p, visit)
	}
}

func TestEveryShapeIsDescribed(t *testing.T) {
	t.Parallel()
	count := 0
	eachShape(schema.Shapes(), "", func(path string, s *schema.Shape) {
		if s.Doc == "" || s.Example == "" {
			t.Errorf("%s: doc %q, example %q", path, s.Doc, s.Example)
		}
		for _, a := range s.Attrs {
			count++
			if a.Doc == "" || a.Example == "" || !strings.HasSuffix(a.Doc, ".") {
				t.Errorf("%s: %s: doc %q, example %q", path, a.Name, a.Doc, a.Example)
			}
		}
	})
	if count < 60 {
		t.Errorf("only %d attributes", count)
	}
}

func TestExamplesOfShapesAreHCL(t *testing.T) {
	t.Parallel()
	eachShape(schema.Shapes(), "", func(path string, s *schema.Shape) {
		file, diags := hclsyntax.ParseConfig([]byte(s.Example+"\n"), path, hcl.InitialPos)
		if diags.HasErrors() {
			t.Errorf("%s: %s", path, diags)
			return
		}
		body := file.Body.(*hclsyntax.Body)
		if len(body.Blocks) != 1 || body.Blocks[0].Type != s.Type {
			t.Errorf("%s: the example is another block", path)
			return
		}
		for name := range body.Blocks[0].Body.Attributes {
			if _, ok := s.Attr(name); !ok && !s.Open {
				t.Errorf("%s: the example has the attribute %q, the shape has not", path, name)
			}
		}
		for _, a := range s.Attrs {
			if _, diags := hclsyntax.ParseExpression([]byte(a.Example), a.Name, hcl.InitialPos); diags.HasErrors() {
				t.Errorf("%s: example of %s: %s", path, a.Name, diags)
			}
		}
	})
}

// TestExamplesObeyTheirRules computes what can be computed without a blueprint.
func TestExamplesObeyTheirRules(t *testing.T) {
	t.Parallel()
	checked := 0
	eachShape(schema.Shapes(), "", func(path string, s *schema.Shape) {
		for _, a := range s.Attrs {
			expr, diags := hclsyntax.ParseExpression([]byte(a.Example), a.Name, hcl.InitialPos)
			if a.Form != schema.FormValue || diags.HasErrors() || len(expr.Variables()) > 0 {
				continue
			}
			v, diags := expr.Value(nil)
			if diags.HasErrors() {
				continue // calls a function
			}
			for _, v := range []cty.Value{v, a.Default} {
				if v == cty.NilVal {
					continue
				}
				v, err := convert.Convert(v, a.Type)
				if err != nil {
					t.Errorf("%s: %s: %v", path, a.Name, err)
					continue
				}
				if a.Rule != nil && a.Type == cty.String && v.AsString() != "" {
					checked++
					if problem := a.Rule.Check(v.AsString()); problem != "" {
						t.Errorf("%s: %s: %s", path, a.Name, problem)
					}
				}
			}
		}
	})
	if checked < 20 {
		t.Errorf("only %d values were checked", checked)
	}
}

func TestPlannedTypesAreNotThereYet(t *testing.T) {
	t.Parallel()
	for _, s := range schema.Shapes() {
		for _, p := range schema.Planned() {
			if s.Type == p {
				t.Errorf("%s is both known and planned", p)
			}
		}
	}
}

func TestSuggest(t *testing.T) {
	t.Parallel()
	names := []string{"address", "name", "site", "labels", "pod_cidr", "service_cidr"}
	for given, want := range map[string]string{
		"adress": "address", "Address": "address", "podCidr": "pod_cidr", "pod-cidr": "pod_cidr", "lables": "labels", "sites": "site",
		"servicecidr": "service_cidr", "ip": "", "x": "", "nodes": "", "": "",
	} {
		if got := schema.Suggest(given, names); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", given, got, want)
		}
	}
}
