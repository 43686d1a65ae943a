#!/usr/bin/env bash
# kustomize takes a field that stands twice in a kustomization.yaml: the last one wins and no
# word is said, so a second `resources:` drops all files of the first. In a resource file the
# same mistake is an error, but only when the result is printed: the build itself succeeds.
# Where it hurts: after a merge of two branches half of the objects are missing from the
# output, and a tool with pruning removes them from the cluster.
# Version: sigs.k8s.io/kustomize/api v0.21.2
# Source: https://github.com/redhat-appstudio/infra-deployments/pull/8533 lost a ConfigMap so
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {a: b}\n"

func build(name, kustomization, second string) {
	fs := filesys.MakeFsInMemory()
	for file, text := range map[string]string{
		"kustomization.yaml": kustomization,
		"one.yaml":           strings.Replace(configMap, "NAME", "one", 1),
		"two.yaml":           strings.Replace(configMap, "NAME", "two", 1) + second,
	} {
		if err := fs.WriteFile("/app/"+file, []byte(text)); err != nil {
			fmt.Println(err)
		}
	}
	result, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(fs, "/app")
	if err != nil {
		fmt.Printf("%s: build fails\n", name)
		return
	}
	_, err = result.AsYaml()
	fmt.Printf("%s: build succeeds, printing fails %t, objects:", name, err != nil)
	for _, object := range result.Resources() {
		fmt.Printf(" %s in %q", object.GetName(), object.GetNamespace())
	}
	fmt.Println()
}

func main() {
	build("once", "namespace: a\nresources: [one.yaml, two.yaml]\n", "")
	build("resources twice", "resources: [one.yaml]\nresources: [two.yaml]\n", "")
	build("namespace twice", "namespace: a\nresources: [one.yaml]\nnamespace: b\n", "")
	build("data twice in an object", "resources: [one.yaml, two.yaml]\n", "data: {c: d}\n")
	build("unknown field", "resource: [one.yaml]\n", "")
}
EOF
go mod init finding 2>/dev/null
go get sigs.k8s.io/kustomize/api/krusty@v0.21.2 sigs.k8s.io/kustomize/kyaml/filesys@v0.21.2 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m sigs.k8s.io/kustomize/api)"
echo "expected: the build fails for each of the last four"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='once: build succeeds, printing fails false, objects: one in "a" two in "a"
resources twice: build succeeds, printing fails false, objects: two in ""
namespace twice: build succeeds, printing fails false, objects: one in "b"
data twice in an object: build succeeds, printing fails true, objects: one in "" two in ""
unknown field: build fails'
[ "$got" = "$want" ] || { echo "CHANGED: kustomize treats a double key in another way now"; exit 1; }
echo "AS DESCRIBED"
