package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

type mark string

// Sensitive is the cty mark of values that are never printed, logged or written to a plan.
const Sensitive = mark("sensitive")

// IsSensitive reports whether v itself, not something inside it, is sensitive.
func IsSensitive(v cty.Value) bool { return v.HasMark(Sensitive) }

// Secret returns a sensitive string.
func Secret(s string) cty.Value { return cty.StringVal(s).Mark(Sensitive) }

// Plain removes every mark, deep: for the code that has to write a secret to its place.
func Plain(v cty.Value) cty.Value {
	u, _ := v.UnmarkDeep()
	return u
}

// Fingerprint identifies an observed value: the same value always has the same fingerprint, in every run. Sensitive
// parts count by their salted digest, so they cannot be guessed from it. The salt is something that only the cluster's
// own hosts know (its machine id).
func Fingerprint(v cty.Value, salt string) (string, error) {
	if v == cty.NilVal || v.IsNull() {
		return "absent", nil
	}
	b, err := appendValue(nil, v, salt)
	if err != nil {
		return "", fmt.Errorf("fingerprint: %w", err)
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:16]), nil
}
