package blueprint

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	ctyjson "github.com/zclconf/go-cty/cty/json"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/schema"
)

// maxFileSize keeps a slip such as file("disk.img") from filling the memory of every host's probe.
const maxFileSize = 4 << 20

// readText reads a text file of the blueprint.
func readText(dir string, env environment, path string) (string, error) {
	full, err := env.path(dir, path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(full)
	if err != nil {
		return "", fmt.Errorf("there is no file %s that can be read", path)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file", path)
	}
	if info.Size() > maxFileSize {
		return "", fmt.Errorf("%s has more than %d MiB", path, maxFileSize>>20)
	}
	b, err := os.ReadFile(full)
	if err != nil {
		return "", fmt.Errorf("there is no file %s that can be read", path)
	}
	if !utf8.Valid(b) {
		return "", fmt.Errorf("%s is no text in UTF-8", path)
	}
	return string(b), nil
}

func fileFunction(dir string, env environment) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := readText(dir, env, args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return cty.StringVal(text), nil
		},
	})
}

// templateFile gives templates all functions but itself: a template that reads itself would never end.
func templateFile(dir string, env environment, table map[string]function.Function) function.Function {
	inner := maps.Clone(table)
	delete(inner, "templatefile")
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "values", Type: cty.DynamicPseudoType}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := readText(dir, env, args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			if ty := args[1].Type(); !ty.IsObjectType() && !ty.IsMapType() {
				return cty.UnknownVal(cty.String), function.NewArgErrorf(1, "the values are an object: { name = value }")
			}
			v, err := renderTemplate(args[0].AsString(), text, &hcl.EvalContext{Variables: args[1].AsValueMap(), Functions: inner})
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return v, nil
		},
	})
}

func renderTemplate(path, text string, ctx *hcl.EvalContext) (cty.Value, error) {
	expr, diags := hclsyntax.ParseTemplate([]byte(text), path, hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal, templateProblem(diags)
	}
	v, diags := expr.Value(ctx)
	diags = append(diags, keysTwice(expr, ctx)...)
	if diags.HasErrors() {
		return cty.NilVal, templateProblem(diags)
	}
	if v.IsNull() || v.Type() != cty.String {
		return cty.NilVal, fmt.Errorf("the template %s yields %s instead of a text", path, describe(v))
	}
	return v, nil
}

func templateProblem(diags hcl.Diagnostics) error {
	d := diags[0]
	problem := strings.TrimRight(d.Detail, ".?") // it becomes a part of a sentence
	if d.Subject == nil {
		return errors.New(problem)
	}
	return fmt.Errorf("%s: %s", at(*d.Subject), problem)
}

func envFunction(env environment) function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.String},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if len(args) > 2 {
				return cty.UnknownVal(cty.String), function.NewArgErrorf(2, "env takes a name and a default")
			}
			if value, ok := env[name]; ok {
				return cty.StringVal(value), nil
			}
			if len(args) == 2 {
				return args[1], nil
			}
			return cty.UnknownVal(cty.String), function.NewArgErrorf(0, "the environment variable %s is not set; give a default as the second argument if it may be missing", name)
		},
	})
}

// length counts what cty's own function does not: the attributes of an object, such as all workers.
func length() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "collection", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if ty := args[0].Type(); !ty.IsCollectionType() && !ty.IsTupleType() && !ty.IsObjectType() {
				return cty.NilType, function.NewArgErrorf(0, "it must be a list, a set, a map or an object; strlen counts the characters of a text")
			}
			return cty.Number, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].Type().IsObjectType() {
				return cty.NumberIntVal(int64(len(args[0].Type().AttributeTypes()))), nil
			}
			return args[0].Length(), nil
		},
	})
}

func yamlEncode() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(cty.String), nil
			}
			asJSON, err := ctyjson.Marshal(args[0], args[0].Type())
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			text, err := yaml.JSONToYAML(asJSON)
			if err != nil {
				return cty.UnknownVal(cty.String), function.NewArgError(0, err)
			}
			return cty.StringVal(string(text)), nil
		},
	})
}

func yamlDecode() function.Function {
	decode := func(text string) (cty.Value, error) {
		asJSON, err := yaml.YAMLToJSONStrict([]byte(text))
		if err != nil {
			return cty.NilVal, fmt.Errorf("yaml: %w", err)
		}
		ty, err := ctyjson.ImpliedType(asJSON)
		if err != nil {
			return cty.NilVal, fmt.Errorf("yaml: %w", err)
		}
		v, err := ctyjson.Unmarshal(asJSON, ty)
		if err != nil {
			return cty.NilVal, fmt.Errorf("yaml: %w", err)
		}
		return v, nil
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			v, err := decode(args[0].AsString())
			if err != nil {
				return cty.NilType, function.NewArgError(0, err)
			}
			return v.Type(), nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return decode(args[0].AsString()) },
	})
}

func anyParameter() []function.Parameter {
	return []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowMarked: true, AllowDynamicType: true}}
}

func sameType(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil }

func sensitive() function.Function {
	return function.New(&function.Spec{
		Params: anyParameter(),
		Type:   sameType,
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return args[0].Mark(schema.Sensitive), nil },
	})
}

func nonsensitive() function.Function {
	return function.New(&function.Spec{
		Params: anyParameter(),
		Type:   sameType,
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return schema.Plain(args[0]), nil },
	})
}
