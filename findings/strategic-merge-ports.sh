#!/usr/bin/env bash
# A strategic merge patch knows ports by their number alone, though Kubernetes knows them by
# number and protocol. Renaming the TCP port 53 of a container renames its UDP port 53; adding
# UDP to a Service that has the same TCP port gives a patch that changes nothing.
# Where it hurts: a tool that makes patches for DNS (53), HTTP/3 (443) or memberlist (7946,
# MetalLB's own) reports success and finds the same difference in the next run. Server-side
# apply knows both keys.
# Versions: k8s.io/apimachinery v0.37.1, k8s.io/api v0.37.1
# Source: https://github.com/kubernetes/kubernetes/issues/39188 and .../issues/59482
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

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// patched gives what an API server makes of old with the patch that leads from old to wanted.
func patched(old, wanted string, kind any) string {
	patch, err := strategicpatch.CreateTwoWayMergePatch([]byte(old), []byte(wanted), kind)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	result, err := strategicpatch.StrategicMergePatch([]byte(old), patch, kind)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return string(result)
}

func main() {
	container := `{"spec":{"containers":[{"name":"a","ports":[{"containerPort":53,"name":"dns","protocol":"UDP"},{"containerPort":53,"name":"%s","protocol":"TCP"}]}]}}`
	fmt.Println(patched(fmt.Sprintf(container, "old"), fmt.Sprintf(container, "new"), corev1.Pod{}))
	fmt.Println(patched(
		`{"spec":{"ports":[{"name":"tcp","port":53,"protocol":"TCP"}]}}`,
		`{"spec":{"ports":[{"name":"tcp","port":53,"protocol":"TCP"},{"name":"udp","port":53,"protocol":"UDP"}]}}`, corev1.Service{}))
}
EOF
go mod init finding 2>/dev/null
go get k8s.io/api/core/v1@v0.37.1 k8s.io/apimachinery/pkg/util/strategicpatch@v0.37.1 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m k8s.io/apimachinery)"
echo "expected: the TCP port has the name new; the Service has both protocols"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='{"spec":{"containers":[{"name":"a","ports":[{"containerPort":53,"name":"new","protocol":"UDP"},{"containerPort":53,"name":"old","protocol":"TCP"}]}]}}
{"spec":{"ports":[{"name":"tcp","port":53,"protocol":"TCP"}]}}'
[ "$got" = "$want" ] || { echo "CHANGED: patches of ports come out in another way now"; exit 1; }
echo "AS DESCRIBED"
