package schema

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// HideSensitive returns v without marks, in which every sensitive part is replaced by the string "(sensitive DIGEST)" (an
// unknown one by "(sensitive)"). Collections that hold sensitive elements become tuples and objects, so the result is for
// reading and comparing, not for conversion back.
func HideSensitive(v cty.Value, salt string) (cty.Value, error) {
	if v.HasMark(Sensitive) {
		return hide(v, salt)
	}
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() || !v.CanIterateElements() {
		return v, nil
	}
	ty := v.Type()
	if ty.IsObjectType() || ty.IsMapType() {
		attrs := make(map[string]cty.Value, v.LengthInt())
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			h, err := HideSensitive(e, salt)
			if err != nil {
				return cty.NilVal, err
			}
			k, _ = k.Unmark()
			attrs[k.AsString()] = h
		}
		return cty.ObjectVal(attrs), nil
	}
	var elems []cty.Value
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		h, err := HideSensitive(e, salt)
		if err != nil {
			return cty.NilVal, err
		}
		elems = append(elems, h)
	}
	return cty.TupleVal(elems), nil
}

func hide(v cty.Value, salt string) (cty.Value, error) {
	text, err := hidden(v, salt)
	switch {
	case err != nil:
		return cty.NilVal, err
	case text == "":
		return Plain(v), nil
	}
	return cty.StringVal(text), nil
}

// hidden returns what stands for a sensitive value; nothing for one that is null, which is no secret.
func hidden(v cty.Value, salt string) (string, error) {
	plain := Plain(v)
	if plain.IsKnown() && plain.IsNull() {
		return "", nil
	}
	if !plain.IsWhollyKnown() || salt == "" {
		return "(sensitive)", nil
	}
	b, err := appendValue(nil, plain, "")
	if err != nil {
		return "", fmt.Errorf("digest of a sensitive value: %w", err)
	}
	mac := hmac.New(sha256.New, []byte(salt))
	mac.Write(b)
	return "(sensitive " + hex.EncodeToString(mac.Sum(nil)[:8]) + ")", nil
}
