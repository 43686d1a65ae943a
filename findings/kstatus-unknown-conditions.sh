#!/usr/bin/env bash
# kstatus knows three generic conditions only (Ready, Reconciling, Stalled). An aggregated
# API whose condition Available is False, a HelmChart whose condition Failed is True and a
# LoadBalancer Service that has no address yet are all "Current".
# Where it hurts: a tool that installs metrics-server, an RKE2 HelmChart or MetalLB and waits
# by kstatus goes on while none of them works.
# Version: github.com/fluxcd/cli-utils v1.3.0
# Source: pkg/kstatus/README.md of that module lists the conditions (read, not copied)
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

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func main() {
	for _, text := range []string{
		`{"apiVersion":"apiregistration.k8s.io/v1","kind":"APIService","metadata":{"name":"v1beta1.metrics.k8s.io"},
		  "status":{"conditions":[{"type":"Available","status":"False","reason":"MissingEndpoints"}]}}`,
		`{"apiVersion":"helm.cattle.io/v1","kind":"HelmChart","metadata":{"name":"c","generation":1},
		  "status":{"conditions":[{"type":"Failed","status":"True"}]}}`,
		`{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},
		  "spec":{"type":"LoadBalancer","clusterIP":"10.43.0.9"},"status":{"loadBalancer":{}}}`,
		`{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"w","generation":1},
		  "status":{"conditions":[{"type":"Ready","status":"False"}]}}`,
	} {
		obj := &unstructured.Unstructured{}
		if err := obj.UnmarshalJSON([]byte(text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		res, err := status.Compute(obj)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%s: %s\n", obj.GetKind(), res.Status)
	}
}
EOF
go mod init finding 2>/dev/null
go get github.com/fluxcd/cli-utils/pkg/kstatus/status@v1.3.0 k8s.io/apimachinery/pkg/apis/meta/v1/unstructured@v0.37.1 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m github.com/fluxcd/cli-utils)"
echo "expected: InProgress or Failed for all four (the last one has a condition that kstatus knows)"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='APIService: Current
HelmChart: Current
Service: Current
Widget: InProgress'
[ "$got" = "$want" ] || { echo "CHANGED: kstatus says something else now"; exit 1; }
echo "AS DESCRIBED"
