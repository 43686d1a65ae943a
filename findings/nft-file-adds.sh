#!/usr/bin/env bash
# `nft -f FILE` adds to what is there, also when the file has the form of a whole table: after
# the second run each rule stands twice, while a set keeps each element once.
# Where it hurts: a tool that lays down /etc/nftables.d/x.nft and loads it after each change
# piles up rules, and a rule that was taken out of the file stays in force. The file has to
# make, delete and make its table first, in one transaction.
# Version: Debian 12's nftables 1.0.6-2+deb12u2; a kernel with nf_tables and user namespaces
# Source: none found
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for package in nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 libnftnl11=1.2.4-2 libmnl0=1.0.4-3 libjansson4=2.14-2 \
	libedit2=3.1-20221030-2 libxtables12=1.8.9-2 libbsd0=0.11.7-2; do
	apt-get -qq download "$package" 2>get.log || { cat get.log >&2; exit 1; }
done
for deb in *.deb; do dpkg -x "$deb" root; done
table='table inet t {
	set s { type ipv4_addr; elements = { 10.0.0.1 } }
	chain c { type filter hook input priority 0; tcp dport 22 accept; }
}'
printf '%s\n' "$table" >plain.nft
printf 'table inet t\ndelete table inet t\n%s\n' "$table" >whole.nft
export LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu:$dir/root/lib/x86_64-linux-gnu
echo "version: $(root/usr/sbin/nft --version)"
echo "expected: one rule and one element, however often the file is loaded"
# A network namespace of its own: the machine's rules are not touched.
cat >try.sh <<'EOF'
set -eu
for file in plain whole; do
	root/usr/sbin/nft flush ruleset
	for turn in 1 2; do
		root/usr/sbin/nft -f $file.nft
		root/usr/sbin/nft list ruleset >now
		echo "$file.nft, load $turn: $(grep -c 'dport 22' now) rules, $(grep -o '10\.0\.0\.1' now | wc -l) elements"
	done
done
EOF
got=$(unshare --map-root-user --net sh try.sh)
printf 'seen:\n%s\n' "$got"
want='plain.nft, load 1: 1 rules, 1 elements
plain.nft, load 2: 2 rules, 1 elements
whole.nft, load 1: 1 rules, 1 elements
whole.nft, load 2: 1 rules, 1 elements'
[ "$got" = "$want" ] || { echo "CHANGED: nft -f treats a table that exists in another way now"; exit 1; }
echo "AS DESCRIBED"
