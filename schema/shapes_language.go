package schema

import "github.com/zclconf/go-cty/cty"

// languageShapes are the blocks that describe no part of the cluster.
func languageShapes() []Shape {
	return []Shape{variableShape(), localsShape(), outputShape(), checkShape()}
}

func variableShape() Shape {
	return Shape{
		Type:  "variable",
		Root:  "var",
		Label: Label{Name: "NAME"},
		Doc: "A value that the blueprint gets from outside, so that one blueprint serves several installations. It is used as `var.NAME`. " +
			"The section on values of variables says where it comes from.",
		Example: "variable \"ssh\" {\n  type = object({\n    user = optional(string, \"ops\")\n    key  = optional(string)\n  })\n  default = {}\n}",
		Attrs: []Attr{
			{Name: "type", Form: FormType, DefaultDoc: "any", Doc: "What values are accepted: `string`, `number`, `bool`, `any`, `list(T)`, `set(T)`, `map(T)`, " +
				"`tuple([T, ...])`, `object({name = T, other = optional(T, default)})`. A value is converted where that loses nothing.", Example: "map(object({ address = string, site = string }))"},
			{Name: "default", Type: cty.DynamicPseudoType, Secrecy: Keeps, DefaultDoc: "none: a value must be given", Doc: "The value where none is given. It cannot refer to anything.", Example: "{}"},
			{Name: "description", Type: cty.String, Doc: "What the variable is for, for the people who give the values.", Example: "\"How the hosts are reached.\""},
			{Name: "sensitive", Type: cty.Bool, Default: cty.False, Doc: "The value, and whatever is computed from it, is never shown in plans, logs and messages.", Example: "true"},
		},
		Blocks: []Shape{{
			Type:    "validation",
			Doc:     "A condition that the value has to satisfy. There can be several.",
			Example: "validation {\n  condition     = var.replicas > 1\n  error_message = \"One replica does not survive the loss of a site.\"\n}",
			Attrs:   conditionAttrs("var.replicas > 1"),
		}},
	}
}

func localsShape() Shape {
	return Shape{
		Type: "locals",
		Root: "local",
		Open: true,
		Doc: "Names for expressions: each attribute `NAME = expression` can be used as `local.NAME`. There can be several such blocks, and " +
			"locals can refer to each other and to other blocks.",
		Example: "locals {\n  zone   = \"cx.internal\"\n  labels = { \"cx.example/zone\" = local.zone }\n}",
	}
}

func outputShape() Shape {
	return Shape{
		Type:    "output",
		Label:   Label{Name: "NAME"},
		Doc:     "A value for the people and programs that use the cluster.",
		Example: "output \"api\" {\n  value = \"https://${cluster.cx.endpoint}:6443\"\n}",
		Attrs: []Attr{
			{Name: "value", Type: cty.DynamicPseudoType, Required: true, Secrecy: Keeps, Doc: "The value.", Example: "cluster.cx.endpoint"},
			{Name: "description", Type: cty.String, Doc: "What the value is.", Example: "\"Address of the API.\""},
			{Name: "sensitive", Type: cty.Bool, Default: cty.False, Doc: "The value is not shown. It is required where the value was computed from something sensitive.", Example: "true"},
		},
	}
}

func checkShape() Shape {
	return Shape{
		Type:  "check",
		Label: Label{Name: "NAME"},
		Doc: "A rule of your own that the blueprint has to satisfy. A check that fails is an error: nothing is planned or " +
			"applied before it holds again.",
		Example: "check \"two_sites\" {\n  condition     = worker.w1.site != worker.w2.site\n  error_message = \"The workers must stand at different sites.\"\n}",
		Attrs:   conditionAttrs("worker.w1.site != worker.w2.site"),
	}
}

func conditionAttrs(example string) []Attr {
	return []Attr{
		{Name: "condition", Type: cty.Bool, Required: true, Secrecy: Keeps, Doc: "What must be true.", Example: example},
		{Name: "error_message", Type: cty.String, Required: true, Doc: "What is wrong where it is not, in full sentences: why it matters and what to do.", Example: "\"Add a worker at the other site.\""},
	}
}
