// Package controlplane is a real Kubernetes control plane of one host: etcd, kube-apiserver, kube-controller-manager,
// kube-scheduler and kwok, each of them a child process of the sandbox's own binary.
package controlplane
