#!/usr/bin/env bash
# On the night when the clocks go back, robfig/cron (the schedules of RKE2's etcd snapshots and
# of CronJobs) runs "30 2 * * *" twice; systemd's OnCalendar=02:30 runs once. In spring both
# leave the day out, because there is no 02:30.
# Where it hurts: one day without the nightly snapshot and one with two, of which the second
# pushes an older one out of the retention; a tool that reckons the next run by systemd's rules
# is wrong on that day. Schedule in UTC (CRON_TZ=UTC, timers with "UTC").
# Versions: github.com/robfig/cron/v3 v3.0.1; Debian 12's systemd 252.39-1~deb12u2, tzdata 2026f-0+deb12u1
# Source: https://github.com/kubernetes/kubernetes/issues/121594
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
	"fmt"
	"os"
	"time"
	_ "time/tzdata"

	"github.com/robfig/cron/v3"
)

func main() {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	schedule, err := cron.ParseStandard("30 2 * * *")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, noon := range []time.Time{time.Date(2026, 3, 28, 12, 0, 0, 0, berlin), time.Date(2026, 10, 24, 12, 0, 0, 0, berlin)} {
		first := schedule.Next(noon)
		fmt.Println("cron", first.Format("2006-01-02 15:04 MST"), "then", schedule.Next(first).Format("2006-01-02 15:04 MST"))
	}
}
EOF
go mod init finding 2>/dev/null
go get github.com/robfig/cron/v3@v3.0.1 2>get.log || { cat get.log >&2; exit 1; }
echo "version: $(go list -m github.com/robfig/cron/v3)"
echo "expected: the same days and as many runs by both"
got=$(go run .
for noon in 2026-03-28 2026-10-24; do
	TZDIR=$dir/root/usr/share/zoneinfo TZ=Europe/Berlin LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu/systemd:$dir/root/lib/x86_64-linux-gnu \
		root/usr/bin/systemd-analyze calendar --base-time="$noon 12:00:00" --iterations=2 '*-*-* 02:30:00' |
		sed -nE 's/.*(Next elapse|Iter. #2): ... ([0-9-]+ [0-9]+:[0-9]+):00 (.*)/\2 \3/p' | paste -sd, | sed 's/^/systemd /; s/,/ then /'
done)
printf 'seen:\n%s\n' "$got"
want='cron 2026-03-30 02:30 CEST then 2026-03-31 02:30 CEST
cron 2026-10-25 02:30 CEST then 2026-10-25 02:30 CET
systemd 2026-03-30 02:30 CEST then 2026-03-31 02:30 CEST
systemd 2026-10-25 02:30 CEST then 2026-10-26 02:30 CET'
[ "$got" = "$want" ] || { echo "CHANGED: one of them reckons in another way now"; exit 1; }
echo "AS DESCRIBED"
