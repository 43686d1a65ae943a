#!/usr/bin/env bash
# haproxy refuses a configuration whose last line has no line break: a hard error, also for
# `haproxy -c`. The rest of the file may be faultless.
# Where it hurts: a tool that writes the file from a trimmed template or heredoc brings the
# load balancer in front of the API servers down at its next restart, not at once.
# Version: Debian 12's haproxy 2.6.12-1+deb12u4
# Source: https://github.com/element-hq/ess-helm/issues/821
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for package in haproxy=2.6.12-1+deb12u4 liblua5.3-0=5.3.6-2 libopentracing-c-wrapper0=1.1.3-3+b1 libopentracing1=1.6.0-4; do
	apt-get -qq download "$package" 2>get.log || { cat get.log >&2; exit 1; }
done
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$dir/root/usr/lib/x86_64-linux-gnu
cat >whole.cfg <<'EOF'
defaults
  mode tcp
  timeout connect 1s
  timeout client 1s
  timeout server 1s
listen api
  bind 127.0.0.1:16443
  server one 127.0.0.1:26443
EOF
printf %s "$(cat whole.cfg)" >cut.cfg
echo "version: $(root/usr/sbin/haproxy -v | head -1)"
echo "expected: both are valid"
# check FILE: only reads the file, binds no port.
check() {
	if root/usr/sbin/haproxy -c -f "$1" >log 2>&1; then
		echo "$1: valid"
	else
		echo "$1: refused, $(grep -o 'Missing LF on last line' log || true)"
	fi
}
got=$(check whole.cfg; check cut.cfg)
printf 'seen:\n%s\n' "$got"
want='whole.cfg: valid
cut.cfg: refused, Missing LF on last line'
[ "$got" = "$want" ] || { echo "CHANGED: haproxy treats the last line in another way now"; exit 1; }
echo "AS DESCRIBED"
