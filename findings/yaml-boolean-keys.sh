#!/usr/bin/env bash
# sigs.k8s.io/yaml (kubectl, Helm, every controller) reads bare y, yes, on, n, no and off as
# booleans also where they are keys: y becomes "true", and of "on" and "yes" one is lost. The
# strict form renames too, and it misses keys that become equal only in JSON: true beside
# "true", 1 beside 1.0. Which of those two stays changes from call to call.
# Where it hurts: a ConfigMap or values file with keys of one letter, or a CI file with `on:`,
# reaches the cluster with other keys than it was written with.
# Version: sigs.k8s.io/yaml v1.6.0
# Source: https://github.com/kubernetes/kubernetes/issues/34146, https://github.com/helm/helm/issues/13153
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"maps"
	"slices"

	"sigs.k8s.io/yaml"
)

// outcomes gives every answer that a thousand calls with the same text got.
func outcomes(text string, read func([]byte) ([]byte, error)) []string {
	seen := map[string]bool{}
	for range 1000 {
		json, err := read([]byte(text))
		if err != nil {
			json = []byte("refused")
		}
		seen[string(json)] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

func main() {
	for _, text := range []string{"x: 1\ny: 2\nn: 3\n", "on: 1\nyes: 2\n", "true: 1\n\"true\": 2\n", "1: a\n1.0: b\n"} {
		fmt.Printf("%q: %v, strict: %v\n", text, outcomes(text, yaml.YAMLToJSON), outcomes(text, yaml.YAMLToJSONStrict))
	}
}
EOF
go mod init finding 2>/dev/null
go get sigs.k8s.io/yaml@v1.6.0 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m sigs.k8s.io/yaml)"
echo "expected: the keys as they are written, or an error"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='"x: 1\ny: 2\nn: 3\n": [{"false":3,"true":2,"x":1}], strict: [{"false":3,"true":2,"x":1}]
"on: 1\nyes: 2\n": [{"true":2}], strict: [refused]
"true: 1\n\"true\": 2\n": [{"true":1} {"true":2}], strict: [{"true":1} {"true":2}]
"1: a\n1.0: b\n": [{"1":"a"} {"1":"b"}], strict: [{"1":"a"} {"1":"b"}]'
[ "$got" = "$want" ] || { echo "CHANGED: such keys are read in another way now"; exit 1; }
echo "AS DESCRIBED"
