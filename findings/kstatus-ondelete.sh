#!/usr/bin/env bash
# kstatus answers the same situation in two ways: an update strategy OnDelete after a change
# of the pod template. A DaemonSet stays "InProgress" until somebody deletes each pod; a
# StatefulSet is "Current" at once, though not one pod has the new template.
# Where it hurts: a tool that waits for "Current" waits out its time limit on the first and
# calls the second rolled out. It has to look at the strategy itself.
# Version: github.com/fluxcd/cli-utils v1.3.0
# Source: pkg/kstatus/README.md and pkg/kstatus/status/core.go of that module (read, not copied)
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
		`{"apiVersion":"apps/v1","kind":"DaemonSet","metadata":{"name":"d","generation":2},
		  "spec":{"updateStrategy":{"type":"OnDelete"}},
		  "status":{"observedGeneration":2,"desiredNumberScheduled":3,"currentNumberScheduled":3,
		            "updatedNumberScheduled":0,"numberReady":3,"numberAvailable":3}}`,
		`{"apiVersion":"apps/v1","kind":"StatefulSet","metadata":{"name":"s","generation":2},
		  "spec":{"replicas":3,"updateStrategy":{"type":"OnDelete"}},
		  "status":{"observedGeneration":2,"replicas":3,"readyReplicas":3,"currentReplicas":3,
		            "currentRevision":"old","updateRevision":"new"}}`,
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
		fmt.Printf("%s, 3 pods ready, 0 updated: %s\n", obj.GetKind(), res.Status)
	}
}
EOF
go mod init finding 2>/dev/null
go get github.com/fluxcd/cli-utils/pkg/kstatus/status@v1.3.0 k8s.io/apimachinery/pkg/apis/meta/v1/unstructured@v0.37.1 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m github.com/fluxcd/cli-utils)"
echo "expected: one answer for both kinds"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='DaemonSet, 3 pods ready, 0 updated: InProgress
StatefulSet, 3 pods ready, 0 updated: Current'
[ "$got" = "$want" ] || { echo "CHANGED: kstatus says something else now"; exit 1; }
echo "AS DESCRIBED"
