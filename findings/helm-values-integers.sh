#!/usr/bin/env bash
# Helm 4 renders an integer from values.yaml as a floating point number: 1000000 becomes
# 1e+06, and a number of 19 digits loses its last digits. The same number by --set is exact.
# Where it hurts: an account number, a sysctl or a size in bytes reaches the host as
# "1.2345678901234568e+18"; a value that works by --set breaks when it moves into a file.
# Quote such values, or render them with int64 (which is still wrong past 2^53).
# Version: helm.sh/helm/v4 v4.3.1
# Source: https://github.com/helm/helm/issues/1707 and https://github.com/helm/helm/issues/12195
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p chart/templates
printf 'apiVersion: v2\nname: c\nversion: 1.0.0\n' >chart/Chart.yaml
printf 'id: 1234567890123456789\nmillion: 1000000\nsmall: 999999\n' >chart/values.yaml
printf '%s\n' 'id: {{ .Values.id }}, as int64 {{ int64 .Values.id }}' 'million: {{ .Values.million }}' 'small: {{ .Values.small }}' >chart/templates/a.yaml
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/strvals"
)

func render(set string) (string, error) {
	chart, err := loader.Load("chart")
	if err != nil {
		return "", err
	}
	values, err := strvals.Parse(set)
	if err != nil {
		return "", err
	}
	all, err := util.ToRenderValues(chart, values, common.ReleaseOptions{Name: "r"}, common.DefaultCapabilities)
	if err != nil {
		return "", err
	}
	files, err := engine.Render(chart, all)
	return files["c/templates/a.yaml"], err
}

func main() {
	for _, set := range []string{"", "id=1234567890123456789,million=1000000"} {
		text, err := render(set)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Print(text)
	}
}
EOF
go mod init finding 2>/dev/null
go get helm.sh/helm/v4/pkg/engine@v4.3.1 helm.sh/helm/v4/pkg/chart/v2/loader@v4.3.1 helm.sh/helm/v4/pkg/chart/common/util@v4.3.1 helm.sh/helm/v4/pkg/strvals@v4.3.1 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m helm.sh/helm/v4)"
echo "expected: the numbers as they are written"
got=$(go run .)
printf 'seen (first from values.yaml, then by --set):\n%s\n' "$got"
want='id: 1.2345678901234568e+18, as int64 1234567890123456768
million: 1e+06
small: 999999
id: 1234567890123456789, as int64 1234567890123456789
million: 1000000
small: 999999'
[ "$got" = "$want" ] || { echo "CHANGED: integers are rendered in another way now"; exit 1; }
echo "AS DESCRIBED"
