#!/usr/bin/env bash
# kustomize's generators read the same KEY="value" in two ways: a literal loses its outer
# quotes, a line of an env file keeps them, and its blanks at the end too.
# Where it hurts: moving a setting from `literals` to `envs` puts quotes into the container's
# variable, and a file that a shell or Docker Compose reads too means something else there.
# Version: sigs.k8s.io/kustomize/api v0.21.2
# Source: none found
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir app
printf 'configMapGenerator:\n- name: c\n  options: {disableNameSuffixHash: true}\n  literals: ["L=\\"x y\\"", "M=z "]\n  envs: [e.env]\n' >app/kustomization.yaml
printf 'E="x y"\nT=z \n' >app/e.env
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	result, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "app")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, object := range result.Resources() {
		fmt.Printf("%q\n", object.GetDataMap())
	}
}
EOF
go mod init finding 2>/dev/null
go get sigs.k8s.io/kustomize/api/krusty@v0.21.2 sigs.k8s.io/kustomize/kyaml/filesys@v0.21.2 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m sigs.k8s.io/kustomize/api)"
echo "expected: one rule for both forms"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='map["E":"\"x y\"" "L":"x y" "M":"z " "T":"z "]'
[ "$got" = "$want" ] || { echo "CHANGED: the generators read values in another way now"; exit 1; }
echo "AS DESCRIBED"
