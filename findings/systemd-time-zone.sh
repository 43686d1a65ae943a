#!/usr/bin/env bash
# systemd prints a time with the zone's abbreviation. A zone that has none gets its offset in
# its place: "-03", "+0545". Go's time.Parse with "MST" in the layout refuses "+0545", and it
# takes "-03" (and "MSK") but as an unknown zone with offset 0: three hours wrong, no error.
# Where it hurts: a tool that reads `systemctl show -p ActiveEnterTimestamp` on hosts in
# Kathmandu gets an error, and on hosts in Sao Paulo a wrong time. Ask for UTC (TZ=UTC) or for
# the ...Monotonic property.
# Versions: Debian 12's systemd 252.39-1~deb12u2 and tzdata 2026f-0+deb12u1; Go's own library
# Source: time.Parse's documentation says what it does with an abbreviation it does not know
set -euo pipefail
export CGO_ENABLED=0 GOWORK=off
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for package in systemd=252.39-1~deb12u2 tzdata=2026f-0+deb12u1; do
	apt-get -qq download "$package" 2>get.log || { cat get.log >&2; exit 1; }
	echo "version: $package"
done
for deb in *.deb; do dpkg -x "$deb" root; done
cat >main.go <<'EOF'
package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		t, err := time.Parse("Mon 2006-01-02 15:04:05 MST", lines.Text())
		if err != nil {
			fmt.Printf("%s: refused\n", lines.Text())
			continue
		}
		fmt.Printf("%s: %s\n", lines.Text(), t.UTC().Format(time.RFC3339))
	}
}
EOF
go mod init finding 2>/dev/null
echo "version: $(go version)"
echo "expected: 2026-11-27T10:00:00Z for each zone"
got=$(for zone in Asia/Kathmandu America/Sao_Paulo Europe/Moscow UTC; do
	TZDIR=$dir/root/usr/share/zoneinfo TZ=$zone LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu/systemd:$dir/root/lib/x86_64-linux-gnu \
		root/usr/bin/systemd-analyze timestamp '2026-11-27 10:00:00 UTC' | sed -n 's/^ *Normalized form: //p'
done | TZ=UTC go run .)
printf 'seen:\n%s\n' "$got"
want='Fri 2026-11-27 15:45:00 +0545: refused
Fri 2026-11-27 07:00:00 -03: 2026-11-27T07:00:00Z
Fri 2026-11-27 13:00:00 MSK: 2026-11-27T13:00:00Z
Fri 2026-11-27 10:00:00 UTC: 2026-11-27T10:00:00Z'
[ "$got" = "$want" ] || { echo "CHANGED: systemd prints or Go reads in another way now"; exit 1; }
echo "AS DESCRIBED"
