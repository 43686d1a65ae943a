// Package kube is the family of resources that live in the cluster's Kubernetes API: nodes, their labels and taints, the
// isolation of the control plane, the draining of workers that leave, the inventory of hosts, and the objects of manifests,
// kustomizations and whatever else expands to manifests.
//
// The API is reached through the SSH connection of the control plane's host; no port of it has to be open to cxha. Objects
// are read by a fixed number of list calls, however many nodes there are, and what cxha made carries its mark: the field
// manager and the label that [FieldManager] and [ClusterLabel] name. No Kubernetes type leaves the package.
package kube
