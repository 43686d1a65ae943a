#!/usr/bin/env bash
# `read -r v </proc/sys/...` of a number gives only its first digit in dash, mksh and busybox
# sh; bash gets it whole. These shells read one byte at a time, and the kernel answers a
# numeric entry of /proc/sys only at offset 0: the second read finds the end of the file.
# Text entries answer at every offset, so a script looks right as long as it is tried on those.
# Where it hurts: a tool that runs `sh -c` on Debian hosts compares "3" with the wanted
# "32768" and sees a difference for ever. `cat` or `sysctl -n` read it in one piece.
# Versions: Debian 12's dash, mksh, busybox and bash, pinned below
# Source: https://github.com/canonical/lxd-pkg-snap/pull/123 (the same in dash; Debian bug 595063)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for package in dash=0.5.12-2 mksh=59c-28+deb12u1 busybox=1:1.35.0-4+deb12u1+b1 bash=5.2.15-2+b13; do
	apt-get -qq download "$package" 2>get.log || { cat get.log >&2; exit 1; }
	echo "version: $package"
done
for deb in *.deb; do dpkg -x "$deb" root; done
bin=$dir/root/bin

entry=/proc/sys/kernel/pid_max
whole=$(cat "$entry")
first=${whole%"${whole#?}"}
if [ "${#whole}" -lt 2 ]; then
	echo "cannot tell: $entry has one digit here"
	exit 1
fi
echo "expected: every shell reads $whole from $entry and Linux from /proc/sys/kernel/ostype"

# seen NAME COMMAND...: what this shell reads of a number and of a text.
seen() {
	local name=$1
	shift
	echo "$name $("$@" -c "read -r v <$entry; read -r t </proc/sys/kernel/ostype; echo \"\$v \$t\"")"
}
got=$(
	seen dash "$bin/dash"
	seen mksh "$bin/mksh"
	seen busybox "$bin/busybox" sh
	seen bash "$bin/bash"
)
printf 'seen:\n%s\n' "$got"
want="dash $first Linux
mksh $first Linux
busybox $first Linux
bash $whole Linux"
[ "$got" = "$want" ] || { echo "CHANGED: a shell or the kernel reads this in another way now"; exit 1; }
echo "AS DESCRIBED"
