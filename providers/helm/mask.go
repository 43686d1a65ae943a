package helm

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/expertflow/cxha/providers/kube"
)

// hidden stands for what is not shown.
const hidden = "(sensitive)"

// masks are the texts that must not appear in what is shown, the longest first, because one may hold another. nil masks nothing.
type masks []string

// newMasks returns the masks of secrets in every form in which charts have them: as they are, in base64, in URLs, in JSON, in hexadecimal
// digits, line by line, and as a part of a longer text that is written so.
func newMasks(secrets ...string) masks {
	var all masks
	add := func(least int, forms ...string) {
		for _, f := range forms {
			if len(f) >= least {
				all = append(all, f)
			}
		}
	}
	for _, s := range secrets {
		add(least, s, strings.TrimSpace(s))
		add(4, inJSON(s), strings.Trim(strconv.Quote(s), `"`), url.QueryEscape(s), url.PathEscape(s), hex.EncodeToString([]byte(s)))
		add(4, inBase64(s)...)
		for line := range strings.Lines(s) {
			add(8, strings.TrimSpace(line))
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		if d := len(b) - len(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}

// least is how long a secret is at least that is looked for: what is shorter hides nothing, and would tear messages apart.
const least = 3

func inJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil { // no text has none
		return ""
	}
	return strings.Trim(string(b), `"`)
}

// inBase64 are the characters that a secret is sure to have in the base64 of any text that it is a part of: the three ways it can lie to
// the groups of three bytes, in both alphabets.
func inBase64(s string) []string {
	var forms []string
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", before) + s))
		from := (before*8 + 5) / 6      // characters that hold bits of what is before
		to := (before + len(s)) * 8 / 6 // those that lie in it as a whole
		if from >= to {
			continue
		}
		core := text[from:to]
		forms = append(forms, core, strings.NewReplacer("+", "-", "/", "_").Replace(core))
	}
	return forms
}

// text takes what is masked out of a text.
func (m masks) text(text string) string {
	for _, s := range m {
		text = strings.ReplaceAll(text, s, hidden)
	}
	return text
}

// in reports whether a text holds something that is masked.
func (m masks) in(text string) bool {
	return slices.ContainsFunc(m, func(s string) bool { return strings.Contains(text, s) })
}

// error is an error whose text holds nothing that is masked.
func (m masks) error(err error) error {
	if err == nil || !m.in(err.Error()) {
		return err
	}
	return &maskedError{text: m.text(err.Error()), err: err}
}

type maskedError struct {
	text string
	err  error
}

func (e *maskedError) Error() string { return e.text }

func (e *maskedError) Unwrap() error { return e.err }

// drift are fields that are not as released, with what they are and were released as. Of one that is, or was released as, something that is
// masked it is told only that it differs: its value by hand may be the next secret.
func (m masks) drift(found []kube.Difference) map[string]string {
	shown := map[string]string{}
	for _, d := range found {
		live, wanted := inline(d.Live), inline(d.Wanted)
		text := fmt.Sprintf("%s, released %s", brieflyShown(live), brieflyShown(wanted))
		switch {
		case d.Path == "":
			text = "missing"
		case d.Sensitive || m.in(live) || m.in(wanted):
			text = "differs"
		}
		shown[m.text(strings.TrimSuffix(d.Object+" "+d.Path, " "))] = text
	}
	return shown
}

// inline is a value in one line: a plain word as it is, everything else as JSON.
func inline(v cty.Value) string {
	v, _ = v.UnmarkDeep()
	if v == cty.NilVal || v.IsNull() {
		return "missing"
	}
	if v.Type() == cty.String && !strings.ContainsAny(v.AsString(), "\n\t ,") && v.AsString() != "" {
		return v.AsString()
	}
	text, err := ctyjson.Marshal(v, v.Type())
	if err != nil { // of a value that is not wholly known
		return "?"
	}
	return string(text)
}

// brieflyShown cuts a text that is long. It is looked at for secrets before: half of one would not be found.
func brieflyShown(text string) string {
	const longest = 60
	if r := []rune(text); len(r) > longest {
		return string(r[:longest]) + "…"
	}
	return text
}

// otherSecrets returns values whose sensitive texts and numbers are replaced by others of the same shape: what a chart gives with them, and
// otherwise than before, is computed from a secret.
func otherSecrets(v cty.Value) (cty.Value, error) {
	plain, paths := v.UnmarkDeepWithPaths()
	return cty.Transform(plain, func(p cty.Path, e cty.Value) (cty.Value, error) {
		secret := slices.ContainsFunc(paths, func(pm cty.PathValueMarks) bool { return p.HasPrefix(pm.Path) })
		if !secret || e.IsNull() || !e.IsKnown() {
			return e, nil
		}
		switch e.Type() {
		case cty.String:
			return cty.StringVal(strings.Map(turned, e.AsString())), nil
		case cty.Number:
			return e.Add(cty.NumberIntVal(1)), nil
		}
		return e, nil
	})
}

// turned is another letter or digit.
func turned(r rune) rune {
	switch {
	case r >= 'a' && r < 'z', r >= 'A' && r < 'Z', r >= '0' && r < '9':
		return r + 1
	case r == 'z':
		return 'a'
	case r == 'Z':
		return 'A'
	case r == '9':
		return '0'
	}
	return r
}

// computed returns the texts in objects that are otherwise in others, which come of the same chart with other secrets.
func computed(objects, others []object) []string {
	by := map[string]object{}
	for _, o := range others {
		by[o.id()] = o
	}
	var texts []string
	for _, o := range objects {
		if other, ok := by[o.id()]; ok {
			texts = append(texts, otherTexts(o.Object, other.Object)...)
		}
	}
	return texts
}

func otherTexts(v, other any) []string {
	var texts []string
	switch v := v.(type) {
	case map[string]any:
		m, _ := other.(map[string]any)
		for key, e := range v {
			texts = append(texts, otherTexts(e, m[key])...)
		}
	case []any:
		l, _ := other.([]any)
		for i, e := range v {
			var o any
			if i < len(l) {
				o = l[i]
			}
			texts = append(texts, otherTexts(e, o)...)
		}
	case string:
		if v != other {
			texts = append(texts, v)
		}
	}
	return texts
}
