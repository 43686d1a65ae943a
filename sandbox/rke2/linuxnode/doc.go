// Package linuxnode is a real node of a stand-in cluster: containerd, kubelet, kube-proxy and the pod network of a Linux host.
package linuxnode
