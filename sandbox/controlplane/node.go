package controlplane

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
)

// NodeOptions describe the part of a host that stands for kubelet's heart and its pods.
type NodeOptions struct {
	// Dir is a real directory of the host for the configuration and the log.
	Dir      string
	NodeName string
	NodeIP   netip.Addr
	// Kubeconfig is the real path of a kubeconfig of a user that may manage nodes, pods and leases.
	Kubeconfig string
	// PodCIDR is where pod addresses are taken from.
	PodCIDR netip.Prefix
}

// StartNode starts kwok for one node: it keeps the node's lease and conditions, and plays its pods' lives.
func StartNode(options NodeOptions) (*Component, error) {
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("node %s: %w", options.NodeName, err)
	}
	stages := filepath.Join(options.Dir, "kwok.yaml")
	text, err := kwokStages()
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", options.NodeName, err)
	}
	if err := writeFile(stages, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("node %s: %w", options.NodeName, err)
	}
	return StartComponent(Kwok, filepath.Join(options.Dir, "kwok.log"), []string{
		"--config=" + stages,
		"--kubeconfig=" + options.Kubeconfig,
		"--manage-single-node=" + options.NodeName,
		"--manage-all-nodes=false",
		"--node-name=" + options.NodeName,
		"--node-ip=" + options.NodeIP.String(),
		"--cidr=" + options.PodCIDR.String(),
		"--node-lease-duration-seconds=40", // kubelet's
	})
}
