#!/usr/bin/env bash
# An unstructured Kubernetes object filled by sigs.k8s.io/yaml holds each number as a float64.
# GetGeneration then says 0 without an error, and NestedInt64 fails. The object's own
# UnmarshalJSON, fed with the same text, keeps integers.
# Where it hurts: "observedGeneration >= generation" is true for every object that a tool read
# from a file in this way: it takes an old status for the new one and waits for nothing.
# Versions: k8s.io/apimachinery v0.37.1, sigs.k8s.io/yaml v1.6.0
# Source: https://github.com/kubernetes-sigs/yaml/issues/45
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, generation: 7}\nspec: {replicas: 3}\n"

func tell(how string, obj *unstructured.Unstructured, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	replicas, found, err := unstructured.NestedInt64(obj.Object, "spec", "replicas")
	fmt.Printf("%s: generation %d, replicas %d, found %t, failed %t\n", how, obj.GetGeneration(), replicas, found, err != nil)
}

func main() {
	first, second := &unstructured.Unstructured{}, &unstructured.Unstructured{}
	tell("yaml.Unmarshal", first, yaml.Unmarshal([]byte(text), &first.Object))
	json, err := yaml.YAMLToJSON([]byte(text))
	if err == nil {
		err = second.UnmarshalJSON(json)
	}
	tell("UnmarshalJSON", second, err)
}
EOF
go mod init finding 2>/dev/null
go get k8s.io/apimachinery/pkg/apis/meta/v1/unstructured@v0.37.1 sigs.k8s.io/yaml@v1.6.0 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m k8s.io/apimachinery), $(go list -m sigs.k8s.io/yaml)"
echo "expected: generation 7 and 3 replicas from both"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='yaml.Unmarshal: generation 0, replicas 0, found false, failed true
UnmarshalJSON: generation 7, replicas 3, found true, failed false'
[ "$got" = "$want" ] || { echo "CHANGED: numbers are read in another way now"; exit 1; }
echo "AS DESCRIBED"
