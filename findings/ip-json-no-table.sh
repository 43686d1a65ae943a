#!/usr/bin/env bash
# `ip -j route show table N` prints half a JSON text, a lone "[", for a table that has had no
# route since boot, and exits 2; the kernel knows no such table yet. Once a route was there and
# is gone again, the same command prints "[]" and exits 0.
# Where it hurts: a tool that reads policy routes as JSON fails on every fresh host and works
# on the one on which it was tried.
# Version: Debian 12's iproute2 6.1.0-3; a kernel with user namespaces
# Source: https://github.com/iproute2/iproute2/issues/32 (the error; not the half text)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for package in iproute2=6.1.0-3 libbpf1=1:1.1.2-0+deb12u1 libelf1=0.188-2.1 libmnl0=1.0.4-3 libbsd0=0.11.7-2; do
	apt-get -qq download "$package" 2>get.log || { cat get.log >&2; exit 1; }
done
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu:$dir/root/lib/x86_64-linux-gnu
ip=$(find root -name ip -type f -perm -u+x)
echo "version: $("$ip" -V)"
echo "expected: [] and exit code 0 each time that the table has no routes"
# A network namespace of its own: the machine's routes are not touched.
cat >try.sh <<'EOF'
ip=$1
$ip link set lo up
text=$($ip -j route show table 999 2>/dev/null)
echo "fresh: exit $?, $text"
$ip route add 10.9.0.0/24 dev lo table 999
$ip route flush table 999
text=$($ip -j route show table 999 2>/dev/null)
echo "emptied: exit $?, $text"
EOF
got=$(unshare --map-root-user --net sh try.sh "$ip" | tr -s ' ')
printf 'seen:\n%s\n' "$got"
want='fresh: exit 2, [
emptied: exit 0, []'
[ "$got" = "$want" ] || { echo "CHANGED: ip prints such a table in another way now"; exit 1; }
echo "AS DESCRIBED"
