#!/bin/sh
# Stops RKE2 and everything that it runs on this host: services, containers, mounts, network devices and packet filter rules, and
# removes the static pods' manifests. Data, images and configuration stay.
set -u
if [ "$(id -u)" != 0 ]; then
	echo "rke2-killall.sh: must be run as root" >&2
	exit 1
fi
DATA_DIR="${RKE2_DATA_DIR:-/var/lib/rancher/rke2}"

# tree PID...: the processes and all their descendants.
tree() {
	for pid in "$@"; do
		echo "$pid"
		# shellcheck disable=SC2046 # a list of numbers
		tree $(ps -e -o ppid= -o pid= | awk -v parent="$pid" '$1 == parent { print $2 }')
	done
}

# shims: one runs beside every pod and is the parent of its containers.
shims() {
	ps -e -ww -o pid= -o args= | awk -v program="$DATA_DIR/data/" 'index($2, program) == 1 && $2 ~ /\/bin\/containerd-shim/ { print $1 }'
}

# release DIR: unmounts what is mounted at or below DIR, the deepest first, and removes the mount points.
release() {
	awk -v dir="$1" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r point; do
		umount "$point" && rm -rf --one-file-system "$point"
	done
}

systemctl stop rke2-server.service rke2-agent.service

pids="$(shims)"
if [ -n "$pids" ]; then
	# shellcheck disable=SC2046,SC2086 # lists of numbers
	kill -9 $(tree $pids) 2>/dev/null
fi

release /run/k3s
release /var/lib/kubelet/pods
release /run/netns/cni-

ip -o link show 2>/dev/null | awk -F ': ' '/ master cni0 / { sub(/@.*/, "", $2); print $2 }' | while read -r device; do
	ip link delete "$device"
done
for device in cni0 flannel.1 flannel-v6.1 flannel-wg flannel-wg-v6 vxlan.calico vxlan-v6.calico cilium_vxlan cilium_net cilium_wg0 kube-ipvs0; do
	if [ -e "/sys/class/net/$device" ]; then
		ip link delete "$device"
	fi
done

for pod in etcd kube-apiserver kube-controller-manager cloud-controller-manager kube-scheduler kube-proxy; do
	rm -f "$DATA_DIR/agent/pod-manifests/$pod.yaml"
done

# kube-proxy's tables, the network's and the port mapping plugin's; and the rules that iptables shows.
nft list tables 2>/dev/null | awk '$3 == "kube-proxy" || $3 == "rke2-masquerade" || $3 == "cni_hostport" { print $2, $3 }' |
	while read -r family table; do
		nft delete table "$family" "$table"
	done
for tool in iptables ip6tables; do
	if command -v "$tool-save" >/dev/null && "$tool-save" 2>/dev/null | grep -qE 'KUBE-|CNI-|cali-|flannel'; then
		"$tool-save" 2>/dev/null | grep -vE 'KUBE-|CNI-|cali-|cali:|CILIUM_|flannel' | "$tool-restore"
	fi
done
exit 0
