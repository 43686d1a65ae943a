#!/bin/sh
# Removes RKE2 from this host with all its data, snapshots included, and itself.
set -eu
if [ "$(id -u)" != 0 ]; then
	echo "rke2-uninstall.sh: must be run as root" >&2
	exit 1
fi
PREFIX="/usr/local"
case "$0" in
/*/bin/rke2-uninstall.sh) PREFIX="${0%/bin/rke2-uninstall.sh}" ;;
esac
DATA_DIR="${RKE2_DATA_DIR:-/var/lib/rancher/rke2}"
"$(dirname "$0")/rke2-killall.sh"
for role in server agent; do
	systemctl disable "rke2-$role" || true
	systemctl reset-failed "rke2-$role" || true
	rm -f "$PREFIX/lib/systemd/system/rke2-$role.service" "$PREFIX/lib/systemd/system/rke2-$role.env" "/etc/systemd/system/rke2-$role.service"
done
systemctl daemon-reload
rm -rf /etc/rancher/rke2 /etc/rancher/node /etc/cni /opt/cni/bin /var/lib/cni /var/log/pods /var/log/containers
rm -rf --one-file-system /var/lib/kubelet || true
rm -rf "$DATA_DIR" "$PREFIX/share/rke2"
rmdir /etc/rancher /var/lib/rancher 2>/dev/null || true
rm -f "$PREFIX/bin/rke2" "$PREFIX/bin/rke2-killall.sh" "$PREFIX/bin/rke2-uninstall.sh"
