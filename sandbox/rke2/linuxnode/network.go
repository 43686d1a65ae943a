//go:build linux

package linuxnode

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"k8s.io/apimachinery/pkg/labels"
)

// networkFile is where Canal writes the configuration of the pods' network.
const networkFile = "/etc/cni/net.d/10-canal.conflist"

// podNetwork keeps the pods' network of this host in step with the cluster's nodes.
type podNetwork struct {
	*node
	nodes   listers.NodeLister
	overlay *overlay // nil until the node has its range of pod addresses
	failure string   // the last one, so that it is logged once
}

// startNetwork masks what leaves the cluster and starts the watch on the nodes, which goes on until the context ends. Without an API
// server what has been set up stays as it is.
func (n *node) startNetwork(ctx context.Context) error {
	if err := masquerade(ctx, n.Cluster.ClusterCIDR); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", n.path("rke2controller.kubeconfig"))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	network := &podNetwork{node: n, nodes: factory.Core().V1().Nodes().Lister()}
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // a look is due anyway
		}
	}
	informer := factory.Core().V1().Nodes().Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: func(any) { notify() }, DeleteFunc: func(any) { notify() },
		UpdateFunc: func(was, is any) {
			if seatOf(was.(*corev1.Node)) != seatOf(is.(*corev1.Node)) {
				notify()
			}
		},
	})
	if err != nil {
		return err
	}
	factory.Start(ctx.Done())
	n.parts.Go(func() {
		defer factory.Shutdown()
		network.run(ctx, informer.HasSynced, changed)
	})
	return nil
}

// networkRetry is how long the pod network is left as it is after it could not be changed.
const networkRetry = 5 * time.Second

func (p *podNetwork) run(ctx context.Context, synced cache.InformerSynced, changed <-chan struct{}) {
	if !cache.WaitForCacheSync(ctx.Done(), synced) {
		return
	}
	for {
		err := p.update()
		p.report(err)
		var again <-chan time.Time // nil: never
		if err != nil {
			again = time.After(networkRetry)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again:
		}
	}
}

func (p *podNetwork) report(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != p.failure {
		p.Log.Errorf("Pod network: %s", text)
	}
	p.failure = text
}

// seat is where a node's pods are: their range of addresses and the address of their host.
type seat struct {
	pods netip.Prefix
	host netip.Addr
}

func (s seat) isWhole() bool {
	return s.pods.IsValid() && s.host.IsValid() && s.pods.Addr().Is4() && s.host.Is4()
}

func seatOf(node *corev1.Node) seat {
	var s seat
	// What is not there yet or is no address leaves the seat incomplete.
	if pods, err := netip.ParsePrefix(node.Spec.PodCIDR); err == nil {
		s.pods = pods
	}
	for _, address := range node.Status.Addresses {
		if host, err := netip.ParseAddr(address.Address); err == nil && address.Type == corev1.NodeInternalIP && !s.host.IsValid() {
			s.host = host
		}
	}
	return s
}

// update makes the host's part of the network what the nodes say.
func (p *podNetwork) update() error {
	nodes, err := p.nodes.List(labels.Everything())
	if err != nil {
		return err
	}
	var peers []seat
	for _, node := range nodes {
		s := seatOf(node)
		switch {
		case !s.isWhole():
		case node.Name != p.Name:
			peers = append(peers, s)
		default:
			s.host = p.IP
			if err := p.settle(s); err != nil {
				return err
			}
		}
	}
	if p.overlay == nil {
		return nil
	}
	return p.overlay.setPeers(peers)
}

// settle gives the host its own place in the network; from then on pods can start.
func (p *podNetwork) settle(own seat) error {
	if p.overlay != nil && p.overlay.own == own {
		return nil
	}
	overlay, err := openOverlay(own)
	if err != nil {
		return err
	}
	config, err := networkConfig(own.pods, overlay.mtu)
	if err != nil {
		return err
	}
	if err := p.write(networkFile, config); err != nil {
		return err
	}
	p.overlay = overlay
	p.Log.Infof("Pod network: %s on this node, by way of %s", own.pods, deviceName)
	return nil
}

// networkConfig is the configuration of the plugins that connect a pod: a bridge with addresses of the node's range, and host ports.
func networkConfig(pods netip.Prefix, mtu int) ([]byte, error) {
	return json.MarshalIndent(map[string]any{
		"cniVersion": "1.0.0", "name": "k8s-pod-network",
		"plugins": []any{
			map[string]any{
				"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false, "mtu": mtu,
				"ipam": map[string]any{
					"type": "host-local", "ranges": []any{[]any{map[string]any{"subnet": pods.String()}}},
					"routes": []any{map[string]any{"dst": "0.0.0.0/0"}},
				},
			},
			map[string]any{"type": "portmap", "snat": true, "capabilities": map[string]any{"portMappings": true}},
		},
	}, "", "  ")
}

// masqueradeTable gives what leaves the cluster the host's address.
const masqueradeTable = `table ip rke2-masquerade
delete table ip rke2-masquerade
table ip rke2-masquerade {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr PODS ip daddr != PODS ip daddr != 224.0.0.0/4 masquerade
	}
}
`

func masquerade(ctx context.Context, pods string) error {
	command := exec.CommandContext(ctx, "nft", "-f", "-")
	command.Stdin = strings.NewReader(strings.ReplaceAll(masqueradeTable, "PODS", pods))
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}
