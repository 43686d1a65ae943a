package blueprint

import (
	"slices"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/expertflow/cxha/schema"
)

// builtin is a function of the language.
type builtin struct {
	name, usage, doc string
	impl             function.Function
}

// Functions describes the functions that every expression can use, in the order of the language reference. Most are cty's own.
func Functions() []schema.Function {
	var out []schema.Function
	for _, f := range builtins("", nil) {
		out = append(out, schema.Function{Name: f.name, Usage: f.usage, Doc: f.doc})
	}
	return out
}

func builtins(dir string, env environment) []builtin {
	return slices.Concat(numberFunctions(), stringFunctions(), collectionFunctions(), encodingFunctions(), conversionFunctions(), worldFunctions(dir, env))
}

// functions is the table for evaluation; files are read relative to dir.
func functions(dir string, env environment) map[string]function.Function {
	table := map[string]function.Function{}
	for _, f := range builtins(dir, env) {
		table[f.name] = f.impl
	}
	table["templatefile"] = templateFile(dir, env, table)
	return table
}

func numberFunctions() []builtin {
	return []builtin{
		{"abs", "abs(number)", "the number without its sign", stdlib.AbsoluteFunc},
		{"ceil", "ceil(number)", "the next whole number at or above", stdlib.CeilFunc},
		{"floor", "floor(number)", "the next whole number at or below", stdlib.FloorFunc},
		{"log", "log(number, base)", "the logarithm", stdlib.LogFunc},
		{"max", "max(numbers...)", "the greatest", stdlib.MaxFunc},
		{"min", "min(numbers...)", "the smallest", stdlib.MinFunc},
		{"parseint", "parseint(text, base)", "the whole number that the text writes in a base", stdlib.ParseIntFunc},
		{"pow", "pow(number, power)", "the power", stdlib.PowFunc},
		{"signum", "signum(number)", "-1, 0 or 1: the sign", stdlib.SignumFunc},
	}
}

func stringFunctions() []builtin {
	return []builtin{
		{"chomp", "chomp(text)", "the text without line breaks at its end", stdlib.ChompFunc},
		{"format", "format(pattern, values...)", "the pattern with values in it, as in `format(\"%s-%02d\", \"w\", 3)`", stdlib.FormatFunc},
		{"formatlist", "formatlist(pattern, lists...)", "one formatted text for each element", stdlib.FormatListFunc},
		{"indent", "indent(spaces, text)", "the text with all lines but the first indented", stdlib.IndentFunc},
		{"join", "join(separator, list)", "the elements as one text", stdlib.JoinFunc},
		{"lower", "lower(text)", "the text in lower case", stdlib.LowerFunc},
		{"regex", "regex(pattern, text)", "the first match: a text, or a list or an object of its groups", stdlib.RegexFunc},
		{"regexall", "regexall(pattern, text)", "all matches", stdlib.RegexAllFunc},
		{"regexreplace", "regexreplace(text, pattern, replacement)", "the text with every match replaced; `$1` is the first group", stdlib.RegexReplaceFunc},
		{"replace", "replace(text, part, replacement)", "the text with every occurrence of a part replaced", stdlib.ReplaceFunc},
		{"split", "split(separator, text)", "the list of what stands between separators", stdlib.SplitFunc},
		{"strlen", "strlen(text)", "the number of characters", stdlib.StrlenFunc},
		{"strrev", "strrev(text)", "the text backwards", stdlib.ReverseFunc},
		{"substr", "substr(text, offset, length)", "a part of the text; length -1 is the rest", stdlib.SubstrFunc},
		{"title", "title(text)", "the text with a capital at each word", stdlib.TitleFunc},
		{"trim", "trim(text, characters)", "the text without these characters at both ends", stdlib.TrimFunc},
		{"trimprefix", "trimprefix(text, prefix)", "the text without that beginning", stdlib.TrimPrefixFunc},
		{"trimspace", "trimspace(text)", "the text without white space at both ends", stdlib.TrimSpaceFunc},
		{"trimsuffix", "trimsuffix(text, suffix)", "the text without that end", stdlib.TrimSuffixFunc},
		{"upper", "upper(text)", "the text in upper case", stdlib.UpperFunc},
	}
}

func collectionFunctions() []builtin {
	return []builtin{
		{"chunklist", "chunklist(list, size)", "the list in pieces of a size", stdlib.ChunklistFunc},
		{"coalesce", "coalesce(values...)", "the first that is not null", stdlib.CoalesceFunc},
		{"coalescelist", "coalescelist(lists...)", "the first that is not empty", stdlib.CoalesceListFunc},
		{"compact", "compact(list)", "the texts that are not empty", stdlib.CompactFunc},
		{"concat", "concat(lists...)", "one list of all elements", stdlib.ConcatFunc},
		{"contains", "contains(list, value)", "whether the value is in the list", stdlib.ContainsFunc},
		{"distinct", "distinct(list)", "the list without repetitions", stdlib.DistinctFunc},
		{"element", "element(list, index)", "one element; the index wraps around", stdlib.ElementFunc},
		{"flatten", "flatten(list)", "the elements of lists in the list, as one list", stdlib.FlattenFunc},
		{"keys", "keys(map)", "the keys, sorted", stdlib.KeysFunc},
		{"length", "length(collection)", "the number of elements; of an object, of attributes", length()},
		{"lookup", "lookup(map, key, default)", "the element, or the default where there is none", stdlib.LookupFunc},
		{"merge", "merge(maps...)", "one map of all; later ones win", stdlib.MergeFunc},
		{"range", "range(start, limit, step)", "numbers; start and step can be left out", stdlib.RangeFunc},
		{"reverse", "reverse(list)", "the list backwards", stdlib.ReverseListFunc},
		{"setintersection", "setintersection(sets...)", "what is in all of them", stdlib.SetIntersectionFunc},
		{"setproduct", "setproduct(sets...)", "all combinations of one element of each", stdlib.SetProductFunc},
		{"setsubtract", "setsubtract(a, b)", "what is in a and not in b", stdlib.SetSubtractFunc},
		{"setunion", "setunion(sets...)", "what is in any of them", stdlib.SetUnionFunc},
		{"slice", "slice(list, start, end)", "the elements from start up to, without, end", stdlib.SliceFunc},
		{"sort", "sort(list)", "the texts in order", stdlib.SortFunc},
		{"values", "values(map)", "the elements, in the order of the keys", stdlib.ValuesFunc},
		{"zipmap", "zipmap(keys, values)", "a map of two lists", stdlib.ZipmapFunc},
	}
}

func encodingFunctions() []builtin {
	return []builtin{
		{"csvdecode", "csvdecode(text)", "a list of objects; the first line has the names", stdlib.CSVDecodeFunc},
		{"formatdate", "formatdate(pattern, time)", "a time in another form", stdlib.FormatDateFunc},
		{"jsondecode", "jsondecode(text)", "the value that a JSON text writes", jsonDecode()},
		{"jsonencode", "jsonencode(value)", "the value as JSON", stdlib.JSONEncodeFunc},
		{"timeadd", "timeadd(time, duration)", "the time a duration later", stdlib.TimeAddFunc},
		{"yamldecode", "yamldecode(text)", "the value that a YAML text of one document writes", yamlDecode()},
		{"yamlencode", "yamlencode(value)", "the value as YAML, keys sorted", yamlEncode()},
	}
}

func conversionFunctions() []builtin {
	return []builtin{
		{"can", "can(expression)", "whether the expression can be computed", tryfunc.CanFunc},
		{"nonsensitive", "nonsensitive(value)", "the value, shown in plans and messages from now on", nonsensitive()},
		{"sensitive", "sensitive(value)", "the value, no longer shown", sensitive()},
		{"tobool", "tobool(value)", "the value as a bool", stdlib.MakeToFunc(cty.Bool)},
		{"tolist", "tolist(value)", "the value as a list", stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType))},
		{"tomap", "tomap(value)", "the value as a map", stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType))},
		{"tonumber", "tonumber(value)", "the value as a number", stdlib.MakeToFunc(cty.Number)},
		{"toset", "toset(value)", "the value as a set: for `for_each` over a list of texts", stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType))},
		{"tostring", "tostring(value)", "the value as a text", stdlib.MakeToFunc(cty.String)},
		{"try", "try(expressions...)", "the first that can be computed", tryfunc.TryFunc},
	}
}

// worldFunctions are those that read something outside of the blueprint's files.
func worldFunctions(dir string, env environment) []builtin {
	return []builtin{
		{"env", "env(name, default)", "an environment variable; without a default, it must be set", envFunction(env)},
		{"file", "file(path)", "the content of a file, relative to the blueprint's directory", fileFunction(dir, env)},
		{"templatefile", "templatefile(path, values)", "the content of a file in which `${...}` and `%{...}` are computed with these values", templateFile(dir, env, nil)},
	}
}
