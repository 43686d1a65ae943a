package hostfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// Text is the codec of files whose content is one string.
type Text struct {
	Attr   string // the attribute: content
	Line   bool   // the content is the attribute and a newline, as in files that hold a token
	Secret bool   // always sensitive

	// Shown, if set, reports whether a live content may be shown though the file is private: what stands in a blueprint in plain words is no
	// secret because its file is root's alone. What somebody else put there may be one.
	Shown func(content string) bool
}

var _ Codec = Text{}

// Attrs returns the one attribute.
func (t Text) Attrs() map[string]cty.Type { return map[string]cty.Type{t.Attr: cty.String} }

// Decode returns the content. What is no text, or too large, is described instead: it never equals a desired content.
func (t Text) Decode(s State, desired cty.Value, secret bool) map[string]cty.Value {
	v := cty.StringVal(t.text(s))
	var want cty.Value
	if !desired.IsNull() && desired.IsKnown() {
		want = desired.GetAttr(t.Attr)
	}
	switch {
	case t.Secret, want != cty.NilVal && schema.IsSensitive(want):
		v = v.Mark(schema.Sensitive)
	case secret && (want == cty.NilVal || !want.RawEquals(v)) && (t.Shown == nil || !t.Shown(v.AsString())):
		v = v.Mark(schema.Sensitive)
	}
	return map[string]cty.Value{t.Attr: v}
}

func (t Text) text(s State) string {
	switch {
	case !s.Whole:
		return fmt.Sprintf("(a file of %d bytes)", s.Size)
	case !utf8.Valid(s.Content):
		sum := sha256.Sum256(s.Content)
		return fmt.Sprintf("(not text: %d bytes, sha256 %s)", s.Size, hex.EncodeToString(sum[:]))
	case t.Line:
		return strings.TrimSuffix(string(s.Content), "\n")
	default:
		return string(s.Content)
	}
}

// Encode returns the file's content.
func (t Text) Encode(after cty.Value) (content string, secret bool, err error) {
	v := after.GetAttr(t.Attr)
	secret = t.Secret || schema.IsSensitive(v)
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() {
		return "", secret, fmt.Errorf("the attribute %s is not known", t.Attr)
	}
	content = v.AsString()
	if strings.ContainsRune(content, 0) {
		return "", secret, fmt.Errorf("the attribute %s holds a zero byte, which no script can carry", t.Attr)
	}
	if t.Line {
		content += "\n"
	}
	return content, secret, nil
}
