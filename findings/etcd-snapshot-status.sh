#!/usr/bin/env bash
# etcdctl 3.4's `snapshot status` counts as "total keys" every revision of every key that is
# not compacted, and the server's own entries too. And it is content with the database file of
# a data directory, which `snapshot restore` refuses because its checksum is missing.
# Where it hurts: a check of a backup by its number of keys, or by status alone, passes for a
# file that cannot be restored without --skip-hash-check.
# Version: Debian 12's etcd-server and etcd-client 3.4.23-4+b4
# Source: https://github.com/etcd-io/etcd/issues/19253 (mended for etcdutl by pull request 19344)
set -euo pipefail
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || { kill "$pid" && wait "$pid" || true; } 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir"
for package in etcd-server=3.4.23-4+b4 etcd-client=3.4.23-4+b4; do
	apt-get -qq download "$package" 2>get.log || { cat get.log >&2; exit 1; }
done
for deb in *.deb; do dpkg -x "$deb" root; done
client=http://127.0.0.1:23791 peer=http://127.0.0.1:23792
root/usr/bin/etcd --data-dir data --listen-client-urls $client --advertise-client-urls $client --listen-peer-urls $peer \
	--initial-advertise-peer-urls $peer --initial-cluster default=$peer >etcd.log 2>&1 &
pid=$!
export ETCDCTL_API=3
ctl() { root/usr/bin/etcdctl --endpoints $client "$@"; }
for try in 1 2 3 4 5 6; do
	if ctl --command-timeout=10s endpoint health >/dev/null 2>&1; then break; fi
	[ "$try" -lt 6 ] || { cat etcd.log >&2; exit 1; }
done
echo "version: $(root/usr/bin/etcdctl version | head -1)"
echo "expected: one key; status and restore of one mind about each file"
for value in 1 2 3 4 5; do ctl put key $value >/dev/null; done
ctl snapshot save saved >/dev/null 2>&1
kill "$pid"
wait "$pid" || true
pid=
cp data/member/snap/db copied

# say FILE: what status and restore make of it.
say() {
	local keys=refused restored=refused
	if root/usr/bin/etcdctl snapshot status "$1" -w json >json 2>/dev/null; then
		keys=$(sed 's/.*"totalKey":\([0-9]*\).*/\1/' json)
		[ "$keys" -le 5 ] || keys='more than 5'
	fi
	if root/usr/bin/etcdctl snapshot restore "$1" --data-dir "from-$1" >log 2>&1; then restored=done; fi
	echo "$1: status finds $keys keys, restore $restored"
}
got=$(say saved; say copied)
printf 'seen:\n%s\n' "$got"
want='saved: status finds more than 5 keys, restore done
copied: status finds more than 5 keys, restore refused'
[ "$got" = "$want" ] || { echo "CHANGED: etcdctl treats these files in another way now"; exit 1; }
echo "AS DESCRIBED"
