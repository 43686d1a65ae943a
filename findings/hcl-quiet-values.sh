#!/usr/bin/env bash
# HCL takes three things without a word: a key that stands twice in an object (the last wins,
# though an attribute that stands twice in a block is an error), a leading zero (0644 is the
# decimal 644, where YAML 1.1 reads 420), and a letter with a combining accent (it is stored in
# Unicode's composed form).
# Where it hurts: a file mode or a map of labels means something else than in the YAML that it
# came from; a password or file name typed on a Mac no longer equals its own bytes.
# Versions: github.com/hashicorp/hcl/v2 v2.25.0, github.com/zclconf/go-cty v1.19.0
# Source: cty's docs/types.md on the composed form; hclsyntax/spec.md makes a double key an error
# in a `for` object only
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

func main() {
	for _, text := range []string{"a = 1\na = 2\n", "m = {a = 1, a = 2}\n", "m = 0644\n", "m = \"e\u0301\"\n"} {
		file, diags := hclsyntax.ParseConfig([]byte(text), "x.hcl", hcl.InitialPos)
		if diags.HasErrors() {
			fmt.Printf("%+q: %s\n", text, diags[0].Summary)
			continue
		}
		value, diags := file.Body.(*hclsyntax.Body).Attributes["m"].Expr.Value(nil)
		fmt.Printf("%+q: ", text)
		switch {
		case len(diags) > 0:
			fmt.Println(diags[0].Summary)
		case value.Type() == cty.String:
			fmt.Printf("%+q\n", value.AsString())
		default:
			fmt.Printf("%#v\n", value)
		}
	}
}
EOF
go mod init finding 2>/dev/null
go get github.com/hashicorp/hcl/v2/hclsyntax@v2.25.0 github.com/zclconf/go-cty/cty@v1.19.0 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m github.com/hashicorp/hcl/v2), $(go list -m github.com/zclconf/go-cty)"
echo "expected: an error for each double key, 420 or an error, the bytes as written"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='"a = 1\na = 2\n": Attribute redefined
"m = {a = 1, a = 2}\n": cty.ObjectVal(map[string]cty.Value{"a":cty.NumberIntVal(2)})
"m = 0644\n": cty.NumberIntVal(644)
"m = \"e\u0301\"\n": "\u00e9"'
[ "$got" = "$want" ] || { echo "CHANGED: HCL reads these in another way now"; exit 1; }
echo "AS DESCRIBED"
