package rke2

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/expertflow/cxha/sandbox/rke2/settings"

	"github.com/expertflow/cxha/sandbox/controlplane"
)

// controllerUser is the user under which kwok plays a node's kubelet and its pods.
const controllerUser = "system:rke2-controller"

const (
	kubeletRetry = 2 * time.Second
	nodeGrace    = 3 * time.Second
	leaseSpace   = "kube-node-lease"
)

// keyPair is a client certificate and its key, both PEM.
type keyPair struct {
	certPEM, keyPEM []byte
}

// nodeAccess is what a node needs for the API: the CA, the kubelet's and the controller's identity, and the real address.
type nodeAccess struct {
	caPEM      []byte
	kubelet    keyPair
	controller keyPair
	apiServer  string // host:port on the real loopback interface
	podCIDR    netip.Prefix
}

// startKubelet registers the node and starts its heart. It tries until it succeeds or the context ends, as kubelet does.
func (d *daemon) startKubelet(ctx context.Context, access nodeAccess, role settings.Role) (*controlplane.Component, error) {
	client, err := d.kubeletClient(access)
	if err != nil {
		return nil, err
	}
	registration, err := d.registration(role)
	if err != nil {
		// RKE2 starts kubelet again and again; the unit stays in activation.
		d.log.errorf("Kubelet exited: exit status 1: %v", err)
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	ticker := time.NewTicker(kubeletRetry)
	defer ticker.Stop()
	for {
		err := registration.register(ctx, client)
		if err == nil {
			break
		}
		d.log.errorf("Unable to register node with API server: %v", err)
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-ticker.C:
		}
	}
	if err := d.releaseLease(ctx, client); err != nil {
		return nil, err
	}
	return controlplane.StartNode(controlplane.NodeOptions{
		Dir: d.realPath("agent", "sandbox"), NodeName: d.nodeName, NodeIP: d.nodeIP,
		Kubeconfig: d.realPath("agent", "rke2controller.kubeconfig"), PodCIDR: access.podCIDR,
	})
}

// kubeletClient writes both kubeconfigs and returns a client with the kubelet's identity.
func (d *daemon) kubeletClient(access nodeAccess) (kubernetes.Interface, error) {
	files := map[string][]byte{"server-ca.crt": access.caPEM}
	for name, pair := range map[string]keyPair{"kubelet": access.kubelet, "rke2controller": access.controller} {
		kubeconfig, err := controlplane.Kubeconfig{
			Server: "https://" + access.apiServer, CA: access.caPEM, CertPEM: pair.certPEM, KeyPEM: pair.keyPEM,
		}.Encode()
		if err != nil {
			return nil, err
		}
		files[name+".kubeconfig"] = kubeconfig
	}
	files["client-kubelet.crt"], files["client-kubelet.key"] = access.kubelet.certPEM, access.kubelet.keyPEM
	files["client-rke2-controller.crt"], files["client-rke2-controller.key"] = access.controller.certPEM, access.controller.keyPEM
	for name, data := range files {
		if err := d.writeFile(d.path("agent", name), data, 0o600); err != nil {
			return nil, err
		}
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(files["kubelet.kubeconfig"])
	if err != nil {
		return nil, err
	}
	config.Timeout = 10 * time.Second
	return kubernetes.NewForConfig(config)
}

// releaseLease removes the node's lease of an earlier life: kwok would wait for its end, where kubelet just goes on renewing it.
func (d *daemon) releaseLease(ctx context.Context, client kubernetes.Interface) error {
	err := client.CoordinationV1().Leases(leaseSpace).Delete(ctx, d.nodeName, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("lease of node %s: %w", d.nodeName, err)
	}
	return nil
}

// endNode ends the node's heart as the daemon ends: at once when the power is cut.
func endNode(ctx context.Context, node *controlplane.Component) error {
	if powerIsOff(ctx) {
		node.Kill()
		return nil
	}
	return node.Stop(nodeGrace)
}
