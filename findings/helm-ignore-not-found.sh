#!/usr/bin/env bash
# Helm 4's uninstall with IgnoreNotFound (`helm uninstall --ignore-not-found`) takes every
# error of the record store for "not found". An API server that answers 503 to the list of
# Secrets gives neither an error nor a release: the caller is told that there is nothing to do.
# Where it hurts: a clean-up that runs while the API server is overloaded reports success and
# removes nothing. A tool has to read the history itself first.
# Version: helm.sh/helm/v4 v4.3.1
# Source: pkg/action/uninstall.go of that module (read, not copied)
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/version" {
			io.WriteString(w, `{"major":"1","minor":"37"}`)
			return
		}
		http.Error(w, "overloaded", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	flags, namespace := genericclioptions.NewConfigFlags(false), "ns"
	flags.APIServer, flags.Namespace = &server.URL, &namespace
	for _, ignore := range []bool{false, true} {
		cfg := action.NewConfiguration()
		cfg.SetLogger(slog.DiscardHandler)
		if err := cfg.Init(flags, namespace, "secret"); err != nil {
			fmt.Println("init:", err)
		}
		uninstall := action.NewUninstall(cfg)
		uninstall.WaitStrategy, uninstall.IgnoreNotFound = kube.HookOnlyStrategy, ignore
		response, err := uninstall.Run("r")
		fmt.Printf("IgnoreNotFound %t: failed %t, response %t\n", ignore, err != nil, response != nil)
	}
}
EOF
go mod init finding 2>/dev/null
go get helm.sh/helm/v4/pkg/action@v4.3.1 k8s.io/cli-runtime/pkg/genericclioptions@v0.37.1 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
go build -o try .
echo "version: $(go list -m helm.sh/helm/v4)"
echo "expected: both fail, because nobody knows whether there is a release"
got=$(HOME=$dir KUBECONFIG=/dev/null ./try)
printf 'seen:\n%s\n' "$got"
want='IgnoreNotFound false: failed true, response false
IgnoreNotFound true: failed false, response false'
[ "$got" = "$want" ] || { echo "CHANGED: IgnoreNotFound treats other errors in another way now"; exit 1; }
echo "AS DESCRIBED"
