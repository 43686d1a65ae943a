package virtualhost

import (
	"context"
	"fmt"
	"net/netip"
	"path"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/expertflow/cxha/sandbox/controlplane"
	"github.com/expertflow/cxha/sandbox/rke2"
)

const (
	kubeletRetry = 2 * time.Second
	nodeGrace    = 3 * time.Second
)

// kwokNode is a node whose kubelet and pods are played by kwok.
type kwokNode struct {
	*controlplane.Component
	powerIsOff func(ctx context.Context) bool
}

// Stop implements [rke2.Node].
func (n kwokNode) Stop(ctx context.Context) error {
	if n.powerIsOff(ctx) {
		n.Kill()
		return nil
	}
	return n.Component.Stop(nodeGrace)
}

// registrar makes a machine a node.
type registrar struct {
	rke2.NodeOptions
}

// startNode registers the node and starts its heart. It tries until it succeeds or the context ends, as kubelet does.
func startNode(ctx context.Context, options rke2.NodeOptions) (rke2.Node, error) {
	pods, err := netip.ParsePrefix(options.Cluster.ClusterCIDR)
	if err != nil {
		return nil, fmt.Errorf("cluster configuration: %w", err)
	}
	r := registrar{options}
	client, err := r.kubeletClient()
	if err != nil {
		return nil, err
	}
	if err := r.register(ctx, client); err != nil {
		return nil, err
	}
	component, err := controlplane.StartNode(controlplane.NodeOptions{
		Dir: r.realPath("sandbox"), NodeName: r.Name, NodeIP: r.IP, PodCIDR: pods,
		Kubeconfig: r.realPath("rke2controller.kubeconfig"), KubeletKubeconfig: r.realPath("kubelet.kubeconfig"),
	})
	if err != nil {
		return nil, err
	}
	return kwokNode{component, r.Host.PowerIsOff}, nil
}

// register creates the Node with its mirror pods, and tries until that succeeds.
func (r registrar) register(ctx context.Context, client kubernetes.Interface) error {
	registration, err := r.registration()
	if err != nil {
		// RKE2 starts kubelet again and again; the unit stays in activation.
		r.Log.Errorf("Kubelet exited: exit status 1: %v", err)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	ticker := time.NewTicker(kubeletRetry)
	defer ticker.Stop()
	for {
		err := registration.register(ctx, client)
		if err == nil {
			return nil
		}
		r.Log.Errorf("Unable to register node with API server: %v", err)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// realPath is the real path of a file of the agent.
func (r registrar) realPath(name string) string {
	return path.Join(r.Host.Root, r.DataDir, "agent", name)
}

// kubeletClient writes both kubeconfigs and returns a client with the kubelet's identity.
func (r registrar) kubeletClient() (kubernetes.Interface, error) {
	files := map[string][]byte{"server-ca.crt": r.Access.ServerCA}
	for name, pair := range map[string]rke2.KeyPair{"kubelet": r.Access.Kubelet, "rke2controller": r.Access.Controller} {
		kubeconfig, err := controlplane.Kubeconfig{
			Server: "https://" + r.Access.APIServer, CA: r.Access.ServerCA, CertPEM: pair.CertPEM, KeyPEM: pair.KeyPEM,
		}.Encode()
		if err != nil {
			return nil, err
		}
		files[name+".kubeconfig"] = kubeconfig
	}
	files["client-kubelet.crt"], files["client-kubelet.key"] = r.Access.Kubelet.CertPEM, r.Access.Kubelet.KeyPEM
	files["client-rke2-controller.crt"], files["client-rke2-controller.key"] = r.Access.Controller.CertPEM, r.Access.Controller.KeyPEM
	agent := path.Join(r.DataDir, "agent")
	if err := r.Host.Files.MkdirAll(agent, 0o755); err != nil {
		return nil, err
	}
	for name, data := range files {
		if err := r.Host.Files.WriteFile(path.Join(agent, name), data, 0o600); err != nil {
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
