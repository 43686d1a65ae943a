#!/bin/sh
# Builds Traefik: build.sh DIR makes DIR/programs/traefik and works in DIR/source.
#
# Its ACME library names two hundred DNS services and brings a client of each. Some of those are not in the module proxy, and a lab
# asks nobody for certificates. So the library is copied, and one file of the copy is replaced by one that knows no service.
set -eu
out=$1
cd "$(dirname "$0")"
library=github.com/go-acme/lego/v5

mkdir -p "$out/source" "$out/programs"
copy=$out/source/lego
go mod download "$library"
from=$(go list -m -f '{{.Dir}}' "$library")
if [ ! -e "$copy/from" ] || [ "$(cat "$copy/from")" != "$from" ] || ! cmp -s certificates/providers.go "$copy/providers/dns/zz_gen_dns_providers.go"; then
  rm -rf "$copy"
  cp -R "$from" "$copy"
  chmod -R u+w "$copy"
  cp certificates/providers.go "$copy/providers/dns/zz_gen_dns_providers.go"
  printf '%s' "$from" >"$copy/from"
fi

# The module file is copied too: one that names a directory that may not be there could not be read.
cp go.sum "$out/source/traefik.sum"
sed "s|=> ./extension|=> $PWD/extension|" go.mod >"$out/source/traefik.mod"
go mod edit -replace "$library=$copy" "$out/source/traefik.mod"
CGO_ENABLED=0 go build -v -modfile="$out/source/traefik.mod" -ldflags='-s -w -X github.com/traefik/traefik/v3/pkg/version.Version=3.7.13' \
  -o "$out/programs/traefik" github.com/traefik/traefik/v3/cmd/traefik
