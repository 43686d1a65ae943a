#!/usr/bin/env bash
# age refuses one file for a post-quantum (hybrid) recipient and a classic X25519 one: the
# encryption fails before a byte is written. It is meant so: the classic part would be the
# weak one. Each kind alone, also several of a kind, works.
# Where it hurts: a team whose members change over one by one cannot share a sealed file until
# the last one has a new key; a tool that adds one new recipient to a list breaks all sealing.
# Version: filippo.io/age v1.3.2
# Source: the documentation of age.RecipientWithLabels
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >main.go <<'EOF'
package main

import (
	"bytes"
	"fmt"

	"filippo.io/age"
)

func main() {
	var classic, hybrid []age.Recipient
	for range 2 {
		x, err := age.GenerateX25519Identity()
		if err != nil {
			fmt.Println(err)
			return
		}
		h, err := age.GenerateHybridIdentity()
		if err != nil {
			fmt.Println(err)
			return
		}
		classic, hybrid = append(classic, x.Recipient()), append(hybrid, h.Recipient())
	}
	for _, recipients := range [][]age.Recipient{classic, hybrid, {classic[0], hybrid[0]}, {hybrid[0], classic[0]}} {
		var sealed bytes.Buffer
		_, err := age.Encrypt(&sealed, recipients...)
		fmt.Printf("%T and %T: %v\n", recipients[0], recipients[1], err)
	}
}
EOF
go mod init finding 2>/dev/null
go get filippo.io/age@v1.3.2 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m filippo.io/age)"
echo "expected: any recipients together"
got=$(go run .)
printf 'seen:\n%s\n' "$got"
refused="incompatible recipients: can't mix post-quantum and classic recipients, or the file would be vulnerable to quantum computers"
want="*age.X25519Recipient and *age.X25519Recipient: <nil>
*age.HybridRecipient and *age.HybridRecipient: <nil>
*age.X25519Recipient and *age.HybridRecipient: $refused
*age.HybridRecipient and *age.X25519Recipient: $refused"
[ "$got" = "$want" ] || { echo "CHANGED: age mixes recipients in another way now"; exit 1; }
echo "AS DESCRIBED"
