#!/usr/bin/env bash
# iptables-nft lists what nft put into "table ip filter" as something else. A chain with a
# priority other than its own is left out (a comment says so) and its policy shown as ACCEPT,
# though it drops; of a rule that matches a set only the verdict is shown, so "drop who is in
# the set" reads "-A INPUT -j DROP". The exit code is 0 in both cases.
# Where it hurts: a tool that checks a host by `iptables -S` finds no firewall, or one that
# drops everything; `iptables-save` before an upgrade and `iptables-restore` after it lock
# the host. Ask `nft -j list ruleset` on hosts that have nft.
# Versions: Debian 12's iptables 1.8.9-2, nftables 1.0.6-2+deb12u2; a kernel with nf_tables
# Source: https://github.com/netbirdio/netbird/issues/2725 (a table that iptables refuses)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for package in iptables=1.8.9-2 libxtables12=1.8.9-2 nftables=1.0.6-2+deb12u2 libnftables1=1.0.6-2+deb12u2 libnftnl11=1.2.4-2 \
	libmnl0=1.0.4-3 libjansson4=2.14-2 libedit2=3.1-20221030-2 libbsd0=0.11.7-2; do
	apt-get -qq download "$package" 2>get.log || { cat get.log >&2; exit 1; }
done
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu:$dir/root/lib/x86_64-linux-gnu
export XTABLES_LIBDIR=$dir/root/usr/lib/x86_64-linux-gnu/xtables
echo "version: $(root/usr/sbin/xtables-nft-multi iptables --version), $(root/usr/sbin/nft --version)"
echo "expected: the policy drop and the set, or an exit code that tells"
# A network namespace of its own: the machine's rules are not touched.
cat >try.sh <<'EOF'
nft=root/usr/sbin/nft
$nft add table ip filter
$nft add chain ip filter INPUT '{ type filter hook input priority 10; policy drop; }'
root/usr/sbin/xtables-nft-multi iptables -S INPUT >list 2>&1
echo "foreign priority: exit $?, $(grep -v '^#' list)"
$nft flush ruleset
$nft add table ip filter
$nft add set ip filter bad '{ type ipv4_addr; }'
$nft add chain ip filter INPUT '{ type filter hook input priority 0; }'
$nft add rule ip filter INPUT ip saddr @bad drop
root/usr/sbin/xtables-nft-multi iptables -S INPUT >list 2>&1
echo "set: exit $?, $(grep -v '^-P' list)"
EOF
got=$(unshare --map-root-user --net sh try.sh)
printf 'seen:\n%s\n' "$got"
want='foreign priority: exit 0, -P INPUT ACCEPT
set: exit 0, -A INPUT -j DROP'
[ "$got" = "$want" ] || { echo "CHANGED: iptables lists foreign rules in another way now"; exit 1; }
echo "AS DESCRIBED"
