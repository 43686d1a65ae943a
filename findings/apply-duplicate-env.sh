#!/usr/bin/env bash
# Server-side apply refuses a container in which one environment variable stands twice, and a
# Service in which port and protocol stand twice: its lists are maps with keys. The same
# converter takes both with AllowDuplicates, which the library uses for the object that the
# server holds already. So an object can live in the cluster that cannot be applied as it is.
# Where it hurts: a chart that renders a variable twice fails on the day that a tool applies
# what was created until then; the error names the list, not the template.
# Versions: k8s.io/client-go v0.37.1, sigs.k8s.io/structured-merge-diff/v6 v6.4.2
# Source: none found
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
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
)

func main() {
	converter := applyconfigurations.NewTypeConverter(scheme.Scheme)
	for _, text := range []string{
		`{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"a","image":"i","env":[{"name":"A","value":"1"},{"name":"A","value":"2"}]}]}}`,
		`{"apiVersion":"v1","kind":"Service","spec":{"ports":[{"name":"a","port":53},{"name":"b","port":53},{"name":"c","port":53,"protocol":"UDP"}]}}`,
	} {
		obj := &unstructured.Unstructured{}
		if err := obj.UnmarshalJSON([]byte(text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		_, err := converter.ObjectToTyped(obj)
		fmt.Println("as applied:", err)
		_, err = converter.ObjectToTyped(obj, typed.AllowDuplicates)
		fmt.Println("as stored:", err)
	}
}
EOF
go mod init finding 2>/dev/null
go get k8s.io/client-go/applyconfigurations@v0.37.1 k8s.io/client-go/kubernetes/scheme@v0.37.1 k8s.io/apimachinery/pkg/apis/meta/v1/unstructured@v0.37.1 sigs.k8s.io/structured-merge-diff/v6/typed@v6.4.2 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m k8s.io/client-go), $(go list -m sigs.k8s.io/structured-merge-diff/v6)"
echo "expected: one answer for each object, whichever way it comes"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='as applied: .spec.containers[name="a"].env: duplicate entries for key [name="A"]
as stored: <nil>
as applied: .spec.ports: duplicate entries for key [port=53,protocol="TCP"]
as stored: <nil>'
[ "$got" = "$want" ] || { echo "CHANGED: double entries are treated in another way now"; exit 1; }
echo "AS DESCRIBED"
