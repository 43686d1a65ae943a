#!/bin/sh
# Removes RKE2 and all its data, snapshots included, and itself.
set -eu
PREFIX="/usr/local"
case "$0" in
/*/bin/rke2-uninstall.sh) PREFIX="${0%/bin/rke2-uninstall.sh}" ;;
esac
DATA_DIR="${RKE2_DATA_DIR:-/var/lib/rancher/rke2}"
"$PREFIX/bin/rke2-killall.sh"
for unit in rke2-server.service rke2-agent.service; do
	if [ "$(systemctl show -p LoadState --value "$unit")" != not-found ]; then
		systemctl disable "$unit" || true
		systemctl reset-failed "$unit" || true
	fi
	rm -f "$PREFIX/lib/systemd/system/$unit" "/etc/systemd/system/$unit"
done
rm -f "$PREFIX/lib/systemd/system/rke2-server.env" "$PREFIX/lib/systemd/system/rke2-agent.env"
systemctl daemon-reload
rm -rf /etc/rancher/rke2 /etc/rancher/node /etc/cni /opt/cni/bin /var/lib/cni /var/log/pods /var/log/containers /var/lib/kubelet
rm -rf "$DATA_DIR" "$PREFIX/share/rke2"
rm -f "$PREFIX/bin/rke2" "$PREFIX/bin/rke2-killall.sh" "$PREFIX/bin/rke2-uninstall.sh"
