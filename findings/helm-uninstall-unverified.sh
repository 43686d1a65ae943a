#!/usr/bin/env bash
# Helm 4's uninstall asks for each object who owns it before it deletes it. When that question
# fails (here: the API server answers 503) it leaves the object alone, purges the release's
# record all the same and returns no error; only the text in Info names what was left.
# Where it hurts: one passing fault, and the release is gone for `helm list` while its objects
# go on running; a second uninstall finds no release. A tool has to read Info, or look itself.
# Version: helm.sh/helm/v4 v4.3.1
# Source: https://github.com/helm/helm/pull/31584 brought the question
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
	"helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

var answers = map[string]string{
	"/version": `{"major":"1","minor":"37"}`,
	"/api":     `{"kind":"APIVersions","versions":["v1"]}`,
	"/apis":    `{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`,
	"/api/v1":  `{"kind":"APIResourceList","groupVersion":"v1","resources":[{"name":"configmaps","kind":"ConfigMap","namespaced":true,"verbs":["get","delete"]}]}`,
}

func main() {
	deletes := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			deletes++
		}
		w.Header().Set("Content-Type", "application/json")
		if text, ok := answers[r.URL.Path]; ok {
			io.WriteString(w, text)
			return
		}
		http.Error(w, "overloaded", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	flags, namespace := genericclioptions.NewConfigFlags(false), "ns"
	flags.APIServer, flags.Namespace = &server.URL, &namespace
	cfg := action.NewConfiguration()
	cfg.SetLogger(slog.DiscardHandler)
	fmt.Println("init:", cfg.Init(flags, namespace, "memory"))
	fmt.Println("store:", cfg.Releases.Create(&release.Release{Name: "r", Namespace: namespace, Version: 1,
		Info: &release.Info{Status: common.StatusDeployed}, Manifest: "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"}))
	uninstall := action.NewUninstall(cfg)
	uninstall.WaitStrategy = kube.HookOnlyStrategy
	_, err := uninstall.Run("r")
	_, lost := cfg.Releases.Last("r")
	fmt.Printf("uninstall: %v\ndeletes sent: %d\nrecord: %v\n", err, deletes, lost)
}
EOF
go mod init finding 2>/dev/null
go get helm.sh/helm/v4/pkg/action@v4.3.1 k8s.io/cli-runtime/pkg/genericclioptions@v0.37.1 github.com/fluxcd/cli-utils@v1.3.0 golang.org/x/crypto@v0.58.0 sigs.k8s.io/kustomize/api@v0.21.2 2>get.log || { cat get.log >&2; exit 1; }
go build -o try .
echo "version: $(go list -m helm.sh/helm/v4)"
echo "expected: an error, and the record stays"
got=$(HOME=$dir KUBECONFIG=/dev/null ./try)
printf 'seen:\n%s\n' "$got"
want='init: <nil>
store: <nil>
uninstall: <nil>
deletes sent: 0
record: release: not found'
[ "$got" = "$want" ] || { echo "CHANGED: uninstall treats the failed question in another way now"; exit 1; }
echo "AS DESCRIBED"
