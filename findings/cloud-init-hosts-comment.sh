#!/usr/bin/env bash
# cloud-init's parser of /etc/hosts drops the blank before a comment at the end of a line
# when it writes the file back: "10.0.0.1 a # note" becomes "10.0.0.1<tab>a# note".
# Where it hurts: programs that split a line at blanks and only then look for "#" find a host
# "a#"; a tool that compares the file's lines with its own finds them changed after cloud-init
# (manage_etc_hosts: localhost) has put the host's own name into the file.
# Version: Debian 12's cloud-init 22.4.2-1+deb12u4
# Source: cloudinit/distros/parsers/hosts.py of that package (read, not copied)
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
package=cloud-init=22.4.2-1+deb12u4
apt-get -qq download "$package" 2>get.log || { cat get.log >&2; exit 1; }
dpkg -x ./*.deb root
cat >try.py <<'EOF'
import sys
import types

base = "root/usr/lib/python3/dist-packages/"
sys.path.insert(0, base)
# The package around the parser wants many modules that the parser itself does not use.
around = types.ModuleType("cloudinit.distros")
around.__path__ = [base + "cloudinit/distros"]
sys.modules["cloudinit.distros"] = around
from cloudinit.distros.parsers.hosts import HostsConf

conf = HostsConf("10.0.0.1 a # note\n10.0.0.2 b b.example # x y\n# a line of its own\n")
conf.add_entry("10.0.0.3", "c")
print(repr(str(conf)))
EOF
echo "version: $package"
echo "expected: a blank stays before each #"
got=$(python3 try.py)
echo "seen: $got"
want='"10.0.0.1\ta# note\n10.0.0.2\tb\tb.example# x y\n# a line of its own\n10.0.0.3\tc\n"'
[ "$got" = "${want//\"/\'}" ] || { echo "CHANGED: the parser writes the file in another way now"; exit 1; }
echo "AS DESCRIBED"
