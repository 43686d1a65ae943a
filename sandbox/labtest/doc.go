// Package labtest holds tests that observe a real cluster in the lab: what Kubernetes and MetalLB do when machines die (domain.md §6).
package labtest
