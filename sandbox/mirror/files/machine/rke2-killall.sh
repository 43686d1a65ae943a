#!/bin/sh
# Stops RKE2 and everything that it runs. Of the real script's work only this exists in the sandbox: the services with the
# control plane and the pods that they run, and the static pods' manifests.
set -eu
DATA_DIR="${RKE2_DATA_DIR:-/var/lib/rancher/rke2}"
for unit in rke2-server.service rke2-agent.service; do
	if systemctl is-active --quiet "$unit" || [ "$(systemctl show -p ActiveState --value "$unit")" = activating ]; then
		systemctl stop "$unit"
	fi
done
rm -f "$DATA_DIR/agent/pod-manifests/etcd.yaml" "$DATA_DIR/agent/pod-manifests/kube-apiserver.yaml" \
	"$DATA_DIR/agent/pod-manifests/kube-controller-manager.yaml" "$DATA_DIR/agent/pod-manifests/cloud-controller-manager.yaml" \
	"$DATA_DIR/agent/pod-manifests/kube-scheduler.yaml" "$DATA_DIR/agent/pod-manifests/kube-proxy.yaml"
