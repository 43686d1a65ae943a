#!/usr/bin/env bash
# golang.org/x/crypto/ssh/knownhosts.New refuses a whole known_hosts file for one line whose
# key type it does not know, also when that line is about another host. OpenSSH passes over
# such a line and finds the rest.
# Where it hurts: a tool that uses the user's own ~/.ssh/known_hosts cannot reach any host
# after a newer OpenSSH (or a patched one) has written one line of a new type.
# Versions: golang.org/x/crypto v0.58.0; Debian 12's openssh-client 1:9.2p1-2+deb12u10
# Source: none found; golang/go issue 36126 is another difference of the same parser
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
package=openssh-client=1:9.2p1-2+deb12u10
apt-get -qq download "$package" 2>get.log || { cat get.log >&2; exit 1; }
dpkg -x ./*.deb root
keygen=$dir/root/usr/bin/ssh-keygen
"$keygen" -q -t ed25519 -N '' -C '' -f key
read -r type blob <key.pub
# A well-formed key of a type that nobody knows: its name, then 32 bytes, each with its length.
new=$(printf '\0\0\0\023ssh-ed99999@example\0\0\0\040%032d' 7 | base64 -w0)
printf '%s\n' "known.example $type $blob" "other.example ssh-ed99999@example $new" >known_hosts
cat >main.go <<'EOF'
package main

import (
	"fmt"

	"golang.org/x/crypto/ssh/knownhosts"
)

func main() {
	_, err := knownhosts.New("known_hosts")
	fmt.Println("knownhosts.New:", err)
}
EOF
go mod init finding 2>/dev/null
go get golang.org/x/crypto/ssh/knownhosts@v0.58.0 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m golang.org/x/crypto), $package"
echo "expected: both read the first line"
found=$("$keygen" -F known.example -f known_hosts | grep -c "$blob" || true)
got="ssh-keygen -F known.example: $found key
$(go run .)"
printf 'seen:\n%s\n' "$got"
case $got in
*": 1 key"*"knownhosts.New: knownhosts: "*":2: "*"unknown key algorithm"*) echo "AS DESCRIBED" ;;
*) echo "CHANGED: one of them treats the second line in another way now"; exit 1 ;;
esac
