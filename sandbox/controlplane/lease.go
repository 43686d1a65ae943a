package controlplane

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/component-helpers/apimachinery/lease"
	"k8s.io/utils/clock"
)

// kubelet's own figures: nodeLeaseDurationSeconds, of which it renews after a quarter, and the longest time a request takes.
const (
	leaseSeconds  = 40
	leaseInterval = leaseSeconds * time.Second / 4
	leaseTimeout  = 10 * time.Second
)

// leaseFlag is the flag, beside kwok's own, for the kubeconfig with which the node's lease is kept.
const leaseFlag = "lease-kubeconfig"

// keepLease has kwok's command keep the lease of its node too, as kubelet does: with the same code and the same identity.
func keepLease(command *cobra.Command) {
	kubeconfig := command.Flags().String(leaseFlag, "", "kubeconfig of kubelet")
	run := command.RunE
	command.RunE = func(command *cobra.Command, args []string) error {
		node, err := command.Flags().GetString("manage-single-node")
		if err != nil {
			return err
		}
		renewal, err := leaseRenewal(command.Context(), *kubeconfig, node)
		if err != nil {
			return fmt.Errorf("lease of node %s: %w", node, err)
		}
		go renewal.Run(command.Context())
		return run(command, args)
	}
}

// leaseRenewal returns what creates and renews the lease of a node. A lease belongs to its Node, and goes with it.
func leaseRenewal(ctx context.Context, kubeconfig, node string) (lease.Controller, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.Timeout = leaseTimeout
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	setOwner := func(lease *coordinationv1.Lease) error {
		if len(lease.OwnerReferences) > 0 {
			return nil
		}
		owner, err := client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
		if err != nil {
			return err
		}
		lease.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: owner.Name, UID: owner.UID}}
		return nil
	}
	return lease.NewController(clock.RealClock{}, client, node, leaseSeconds, nil, leaseInterval, node, corev1.NamespaceNodeLease, setOwner), nil
}
