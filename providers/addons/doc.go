// Package addons is what the blocks load_balancer, ingress and storage stand for: Helm releases, Kubernetes objects, options of
// RKE2, and what their hosts need. It is pure; the providers make resources of it.
package addons
