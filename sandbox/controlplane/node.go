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
	// Kubeconfig is the real path of a kubeconfig of a user that may manage nodes and pods.
	Kubeconfig string
	// KubeletKubeconfig is the real path of kubelet's own kubeconfig, with which the node's lease is kept.
	KubeletKubeconfig string
	// PodCIDR is where pod addresses are taken from.
	PodCIDR netip.Prefix
}

// StartNode starts kwok for one node: it keeps the node's conditions and plays its pods' lives, and kubelet's lease is kept beside it.
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
		"--" + leaseFlag + "=" + options.KubeletKubeconfig,
		// kwok's own lease would make it leave pods alone for ever that it sees before it has seen the lease itself.
		"--node-lease-duration-seconds=0",
	})
}
