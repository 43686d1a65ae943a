#!/bin/sh
# The first process of a host: what is to be different from a plain container, then systemd.
set -u
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ ! -d "$hierarchy" ] || [ -L "$hierarchy" ] || mount -o remount,bind,rw "$hierarchy"
done

# Settings that belong to the whole machine: the host gets ones of its own, with the machine's values, so that it can write them.
# They are settings of the kernel too, because those do not read like files: a number is shown only to a read at offset 0. A network
# interface has one without a meaning, its tag, so there is one interface for each setting, in a network namespace apart.
: > /run/lab-sysctl
unshare --net /bin/sh -s -- $LAB_SYSCTLS << 'END'
mount --bind /proc/self/ns/net /run/lab-sysctl # else the namespace would end with this shell
n=0
for name; do n=$((n + 1)); echo "link add s$n type bridge"; done | ip -batch -
n=0
for name; do
    n=$((n + 1)) own=/proc/sys/net/ipv4/conf/s$n/tag
    [ -r "/proc/sys/$name" ] || continue
    value=$(cat "/proc/sys/$name")
    [ "${#value}" -le 9 ] || value=2147483647 # the largest that fits
    echo "$value" > "$own" && mount --bind "$own" "/proc/sys/$name"
done
END
unset LAB_SYSCTLS
mount --make-rshared /
exec /lib/systemd/systemd
