#!/usr/bin/env bash
# minio-go's GetObject gives no error for an object, or a whole bucket, that does not exist: it
# sends nothing before the first Read or Stat, and the error comes from there.
# Where it hurts: a restore that checks GetObject's error, opens its target file and copies
# leaves an empty file where an etcd snapshot stood; the error that says why comes late.
# Versions: github.com/minio/minio-go/v7 v7.4.1, github.com/johannesboyne/gofakes3 v1.2.0 as server
# Source: none found
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

func main() {
	fake := gofakes3.New(s3mem.New()).Server()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		fake.ServeHTTP(w, r)
	}))
	defer server.Close()
	client, err := minio.New(server.Listener.Addr().String(), &minio.Options{Creds: credentials.NewStaticV4("id", "key", ""), Region: "us-east-1"})
	if err == nil {
		err = client.MakeBucket(context.Background(), "bucket", minio.MakeBucketOptions{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, bucket := range []string{"bucket", "no-bucket"} {
		requests.Store(0)
		object, err := client.GetObject(context.Background(), bucket, "missing", minio.GetObjectOptions{})
		fmt.Printf("%s: GetObject %v after %d requests; ", bucket, err, requests.Load())
		_, err = io.ReadAll(object)
		fmt.Printf("read: %s\n", minio.ToErrorResponse(err).Code)
	}
}
EOF
go mod init finding 2>/dev/null
go get github.com/minio/minio-go/v7@v7.4.1 github.com/minio/minio-go/v7/pkg/credentials@v7.4.1 github.com/johannesboyne/gofakes3@v1.2.0 github.com/johannesboyne/gofakes3/backend/s3mem@v1.2.0 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m github.com/minio/minio-go/v7), $(go list -m github.com/johannesboyne/gofakes3)"
echo "expected: GetObject fails"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
want='bucket: GetObject <nil> after 0 requests; read: NoSuchKey
no-bucket: GetObject <nil> after 0 requests; read: NoSuchBucket'
[ "$got" = "$want" ] || { echo "CHANGED: GetObject asks at another time now"; exit 1; }
echo "AS DESCRIBED"
