#!/usr/bin/env bash
# kstatus calls a Job "Current" from its first pod on, long before it is done.
# Where it hurts: a tool that waits for "Current" and takes it for "finished" starts the next
# step (a migration's consumer, a node's upgrade) while the Job still runs. Ask for the
# Complete condition instead. It is meant so: Current says "reconciled", not "done".
# Version: github.com/fluxcd/cli-utils v1.3.0
# Source: https://github.com/kubernetes-sigs/cli-utils/issues/329
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
	for _, s := range []struct{ name, status string }{
		{"not started", `{}`},
		{"one pod runs", `{"active":1,"startTime":"2026-01-01T00:00:00Z"}`},
		{"third try runs", `{"active":1,"failed":2,"startTime":"2026-01-01T00:00:00Z"}`},
		{"complete", `{"succeeded":1,"startTime":"2026-01-01T00:00:00Z","conditions":[{"type":"Complete","status":"True"}]}`},
	} {
		job := &unstructured.Unstructured{}
		text := `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j","generation":1},"spec":{"completions":1},"status":` + s.status + `}`
		if err := job.UnmarshalJSON([]byte(text)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		res, err := status.Compute(job)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Printf("%s: %s\n", s.name, res.Status)
	}
}
EOF
go mod init finding 2>/dev/null
go get github.com/fluxcd/cli-utils/pkg/kstatus/status@v1.3.0 k8s.io/apimachinery/pkg/apis/meta/v1/unstructured@v0.37.1 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m github.com/fluxcd/cli-utils)"
echo "expected: InProgress until the Job is complete"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='not started: InProgress
one pod runs: Current
third try runs: Current
complete: Current'
[ "$got" = "$want" ] || { echo "CHANGED: kstatus says something else now"; exit 1; }
echo "AS DESCRIBED"
