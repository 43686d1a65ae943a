# Runs once, inside the base system: what all hosts have in common.
set -eu
useradd --create-home --shell /bin/bash ops
useradd --create-home --shell /usr/sbin/nologin jump
echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops
chmod 0440 /etc/sudoers.d/ops

# The lab counts connections and commands in sshd's messages. Each host gets a key of its own.
echo 'LogLevel VERBOSE' > /etc/ssh/sshd_config.d/lab.conf
rm -f /etc/ssh/ssh_host_*

# Addresses are given from outside, and there is neither hardware nor internet.
systemctl mask systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service \
    systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service systemd-timesyncd.service systemd-resolved.service \
    getty.target console-getty.service getty@.service serial-getty@.service systemd-modules-load.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount modprobe@.service > /dev/null 2>&1
systemctl disable ufw NetworkManager NetworkManager-wait-online NetworkManager-dispatcher nftables conntrackd > /dev/null 2>&1 || true
mkdir -p /etc/systemd/system.conf.d /var/log/journal
printf '[Manager]\nDefaultTimeoutStopSec=15s\n' > /etc/systemd/system.conf.d/lab.conf

# Unpacking RKE2's tarball is a tenth of what a lab's cluster costs; this gzip, which tar finds first, halves it.
ln -s /usr/bin/igzip /usr/local/bin/gzip

# ufw and NetworkManager run on one host each. Neither may come between the hosts: the last of NetworkManager's files wins.
sed -i 's/^DEFAULT_INPUT_POLICY=.*/DEFAULT_INPUT_POLICY="ACCEPT"/; s/^DEFAULT_FORWARD_POLICY=.*/DEFAULT_FORWARD_POLICY="ACCEPT"/' /etc/default/ufw
printf '[keyfile]\nunmanaged-devices=*\n' > /etc/NetworkManager/conf.d/zz-lab.conf

: > /etc/machine-id
rm -rf /var/lib/dbus/machine-id /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
