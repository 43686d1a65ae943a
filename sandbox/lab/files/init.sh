#!/bin/sh
# The first process of a host: what is to be different from a plain container, then systemd.
set -u
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ ! -d "$hierarchy" ] || [ -L "$hierarchy" ] || mount -o remount,bind,rw "$hierarchy"
done

# Settings that belong to the whole machine: the host gets files of its own, with the machine's values, so that it can write them.
mkdir -p /run/lab-sysctl
for name in $LAB_SYSCTLS; do
    [ -r "/proc/sys/$name" ] || continue
    own=/run/lab-sysctl/$(echo "$name" | tr / .)
    cat "/proc/sys/$name" > "$own" && mount --bind "$own" "/proc/sys/$name"
done
unset LAB_SYSCTLS
mount --make-rshared /
exec /lib/systemd/systemd
