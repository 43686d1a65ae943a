package rke2

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"sigs.k8s.io/yaml"

	"github.com/expertflow/cxha/providers/hostfile"
	"github.com/expertflow/cxha/schema"
)

// options are the options of a config.yaml. RKE2 turns each into command line flags, one per element of a list, so an option
// is a list of texts; a scalar is a list of one (domain.md §2.5).
type options map[string][]string

// listOptions are written as lists even when they have one element, because that is how RKE2's documentation shows them.
var listOptions = []string{"cni", "disable", "ingress-controller", "tls-san", "node-label", "node-taint"}

func isList(name string) bool {
	name = strings.TrimSuffix(name, "+")
	return slices.Contains(listOptions, name) || strings.HasSuffix(name, "-arg") || strings.HasSuffix(name, "-extra-env") || strings.HasSuffix(name, "-extra-mount")
}

// The attribute syntax.
const (
	syntaxValid   = "valid"
	syntaxTwice   = "an option is given twice"
	syntaxInvalid = "not a YAML object of options"
)

// parseOptions reads a config.yaml. Comments, order and the way of writing do not matter. Of an option that is given twice the
// last value counts, as for RKE2, and syntax says so: it is not what anybody meant.
func parseOptions(content []byte) (o options, syntax string, err error) {
	syntax = syntaxValid
	doc, err := yaml.YAMLToJSONStrict(content)
	if err != nil {
		syntax = syntaxTwice
		if doc, err = yaml.YAMLToJSON(content); err != nil {
			return nil, syntaxInvalid, fmt.Errorf("config.yaml: %w", err)
		}
	}
	if o, err = jsonOptions(doc); err != nil {
		return nil, syntaxInvalid, fmt.Errorf("config.yaml: %w", err)
	}
	return o, syntax, nil
}

func jsonOptions(doc []byte) (options, error) {
	dec := json.NewDecoder(bytes.NewReader(doc))
	dec.UseNumber()
	var raw map[string]any
	if err := dec.Decode(&raw); err != nil {
		return nil, err
	}
	o := options{}
	for name, v := range raw {
		list, isList := v.([]any)
		if !isList {
			list = []any{v}
		}
		o[name] = make([]string, len(list))
		for i, e := range list {
			text, err := optionText(e)
			if err != nil {
				return nil, fmt.Errorf("option %s: %w", name, err)
			}
			o[name][i] = text
		}
	}
	return o, nil
}

// optionText is the text that RKE2 would put behind the flag. What is no scalar is kept as JSON, so that it can be seen.
func optionText(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// yaml returns the options as a config.yaml: sorted, numbers and truth values bare.
func (o options) yaml() (string, error) {
	doc := make(map[string]any, len(o))
	for name, texts := range o {
		for _, text := range append([]string{name}, texts...) {
			if !writable(text) {
				return "", fmt.Errorf("config.yaml: option %q: %w", name, errControl)
			}
		}
		if len(texts) == 1 && !isList(name) {
			doc[name] = scalar(texts[0])
			continue
		}
		doc[name] = texts
	}
	b, err := yaml.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("config.yaml: %w", err)
	}
	return "# Written by cxha from the blueprint.\n" + string(b), nil
}

var errControl = errors.New("it holds control characters")

// writable reports whether a text survives being written to YAML and read again: the library does not escape every line break
// and control character that Unicode knows. No option of RKE2 has any.
func writable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return (unicode.IsControl(r) && r != '\n' && r != '\t') || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == '\ufffd'
	})
}

var bareNumber = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,14})$`)

// scalar returns what YAML writes bare and reads back as the same text; everything else stays a string, which YAML quotes where
// it must: a mode such as 0600 would become another number.
func scalar(text string) any {
	switch {
	case text == "true" || text == "false":
		return text == "true"
	case bareNumber.MatchString(text):
		return json.Number(text)
	default:
		return text
	}
}

// optionsCodec keeps the content of config.yaml as options. What is no valid file has the attribute syntax say so.
type optionsCodec struct{}

var (
	_          hostfile.Codec = optionsCodec{}
	optionsMap                = cty.Map(cty.List(cty.String))
)

func (optionsCodec) Attrs() map[string]cty.Type {
	return map[string]cty.Type{"options": optionsMap, "syntax": cty.String}
}

// Decode returns the live options. An option is sensitive where the blueprint's is, or where its name says that it is a secret.
func (optionsCodec) Decode(s hostfile.State, desired cty.Value, _ bool) map[string]cty.Value {
	o, syntax, err := parseOptions(s.Content)
	if err != nil || !s.Whole { // the library's words may quote the file, which may hold secrets
		return map[string]cty.Value{"options": cty.MapValEmpty(cty.List(cty.String)), "syntax": cty.StringVal(syntaxInvalid)}
	}
	want := map[string]cty.Value{}
	if !desired.IsNull() && desired.IsKnown() {
		want = desired.GetAttr("options").AsValueMap()
	}
	vs := make(map[string]cty.Value, len(o))
	for name, texts := range o {
		vs[name] = textList(texts)
		if w, ok := want[name]; secretOption(name) || (ok && schema.IsSensitive(w)) {
			vs[name] = vs[name].Mark(schema.Sensitive)
		}
	}
	return map[string]cty.Value{"options": optionsValue(vs), "syntax": cty.StringVal(syntax)}
}

func (optionsCodec) Encode(after cty.Value) (content string, secret bool, err error) {
	v := after.GetAttr("options")
	if !v.IsWhollyKnown() || v.IsNull() {
		return "", false, fmt.Errorf("the options are not known")
	}
	o := options{}
	for name, list := range v.AsValueMap() {
		secret = secret || list.HasMark(schema.Sensitive)
		o[name] = []string{}
		for _, e := range schema.Plain(list).AsValueSlice() {
			o[name] = append(o[name], e.AsString())
		}
	}
	content, err = o.yaml()
	return content, secret, err
}

// secretOption reports whether an option holds a secret by its name: token, agent-token, etcd-s3-secret-key ...
func secretOption(name string) bool {
	name = strings.TrimSuffix(name, "+")
	if strings.HasSuffix(name, "-file") {
		return false
	}
	for _, word := range []string{"token", "secret", "password", "access-key", "session"} {
		if strings.Contains(name, word) && name != "secrets-encryption" && name != "secrets-encryption-provider" {
			return true
		}
	}
	return false
}

func textList(texts []string) cty.Value {
	if len(texts) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	vs := make([]cty.Value, len(texts))
	for i, s := range texts {
		vs[i] = cty.StringVal(s)
	}
	return cty.ListVal(vs)
}

func optionsValue(vs map[string]cty.Value) cty.Value {
	if len(vs) == 0 {
		return cty.MapValEmpty(cty.List(cty.String))
	}
	return cty.MapVal(vs)
}
