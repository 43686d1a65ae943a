package rke2

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// onlyAtRegistration are options that a running node does not heed: they are no reason for a restart (domain.md §2.5).
var onlyAtRegistration = []string{"node-label", "node-taint"}

// configDigest identifies a configuration as RKE2 understands it: the options, the drop-ins and the registries. It is sensitive
// if a part is, because a weak secret could be guessed from it.
func configDigest(opts map[string]cty.Value, dropIns map[string]cty.Value, registries cty.Value) cty.Value {
	h, sensitive := sha256.New(), false
	add := func(words ...string) {
		for _, w := range words {
			h.Write(fmt.Appendf(nil, "%d:%s", len(w), w)) // the lengths keep the words apart
		}
	}
	text := func(v cty.Value) string {
		sensitive = sensitive || v.HasMark(schema.Sensitive)
		return schema.Plain(v).AsString()
	}
	for _, name := range slices.Sorted(maps.Keys(opts)) {
		if slices.Contains(onlyAtRegistration, name) {
			continue
		}
		sensitive = sensitive || opts[name].HasMark(schema.Sensitive)
		add("option", name)
		for _, e := range schema.Plain(opts[name]).AsValueSlice() {
			add("value", e.AsString())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(dropIns)) {
		add("drop-in", name, text(dropIns[name]))
	}
	if registries != cty.NilVal && !registries.IsNull() {
		add("registries", text(registries))
	}
	v := cty.StringVal("sha256:" + hex.EncodeToString(h.Sum(nil)[:16]))
	if sensitive {
		return v.Mark(schema.Sensitive)
	}
	return v
}

// tokenDigest identifies a token in records and comparisons that must not hold it. It is as secret as the token if that is
// weak, so it is sensitive and written only where root alone reads.
func tokenDigest(token string) cty.Value {
	mac := hmac.New(sha256.New, []byte("cxha rke2 token"))
	mac.Write([]byte(token))
	return schema.Secret(hex.EncodeToString(mac.Sum(nil)[:16]))
}
