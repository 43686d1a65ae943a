//go:build linux

package linuxnode

import (
	"context"
	"errors"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/expertflow/cxha/sandbox/controlplane"
	"github.com/expertflow/cxha/sandbox/rke2"
)

const (
	stopGrace    = 5 * time.Second
	kubeletRetry = 5 * time.Second // RKE2's
)

// node is a running node. Its containers outlive it, as their shims are no children of it.
type node struct {
	rke2.NodeOptions
	programs   programs
	mirror     string // the registry of the lab's images; empty where there are none
	containerd *controlplane.Component
	proxy      *controlplane.Component
	cancel     context.CancelFunc // ends what runs in this process
	parts      sync.WaitGroup
	done       chan struct{}
	once       sync.Once
	err        error // set before done is closed
}

// Start makes this host a node. It returns when kubelet has been started; the Node registers soon after.
func Start(ctx context.Context, options rke2.NodeOptions) (rke2.Node, error) {
	n := &node{NodeOptions: options, done: make(chan struct{})}
	if err := n.start(ctx); err != nil {
		return nil, errors.Join(err, n.Stop(ctx))
	}
	return n, nil
}

func (n *node) start(ctx context.Context) error {
	// The node goes on until Stop: a daemon that ends stops its parts in order.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	n.cancel = cancel
	var err error
	if n.programs, err = n.install(); err != nil {
		return err
	}
	if err := n.writeCredentials(); err != nil {
		return err
	}
	for _, warning := range setKernel() {
		n.Log.Warnf("%v", warning)
	}
	if err := n.serveImages(running, registryDir, registryAddress); err != nil {
		return err
	}
	if err := n.startContainerd(ctx); err != nil {
		return err
	}
	if err := n.importImages(ctx); err != nil {
		return err
	}
	if err := n.writeStaticPods(); err != nil {
		return err
	}
	if err := n.startProxy(); err != nil {
		return err
	}
	if err := n.startNetwork(running); err != nil {
		return err
	}
	if err := n.writeKubeletConfig(); err != nil {
		return err
	}
	n.parts.Go(func() { n.keepKubelet(running) })
	return nil
}

// path is a path in the agent's directory.
func (n *node) path(elements ...string) string {
	return path.Join(append([]string{n.DataDir, "agent"}, elements...)...)
}

// watch ends the node when a component ends by itself.
func (n *node) watch(component *controlplane.Component) {
	go func() {
		n.end(component.Err())
	}()
}

// end says why the node is no node any more; the first reason counts.
func (n *node) end(err error) {
	n.once.Do(func() {
		n.err = err
		close(n.done)
	})
}

// Done implements [rke2.Node].
func (n *node) Done() <-chan struct{} { return n.done }

// Err implements [rke2.Node].
func (n *node) Err() error {
	<-n.done
	return n.err
}

// Stop implements [rke2.Node]. Containers go on.
func (n *node) Stop(context.Context) error {
	n.cancel()
	n.parts.Wait()
	var errs []error
	for _, component := range []*controlplane.Component{n.proxy, n.containerd} {
		if component != nil {
			errs = append(errs, component.Stop(stopGrace))
		}
	}
	return errors.Join(errs...)
}

// keepKubelet runs kubelet, and again when it ends, until the context ends.
func (n *node) keepKubelet(ctx context.Context) {
	for ctx.Err() == nil {
		if err := n.runKubelet(ctx); err != nil {
			n.Log.Errorf("Kubelet exited: %v", err)
		}
		timer := time.NewTimer(kubeletRetry)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

// runKubelet runs kubelet once, until it or the context ends.
func (n *node) runKubelet(ctx context.Context) error {
	arguments, err := n.kubeletArguments()
	if err != nil {
		return err
	}
	kubelet, err := controlplane.StartComponent(Kubelet, n.path("logs", "kubelet.log"), arguments)
	if err != nil {
		return err
	}
	select {
	case <-kubelet.Done():
		return kubelet.Err()
	case <-ctx.Done():
		return kubelet.Stop(stopGrace)
	}
}

// startProxy starts kube-proxy.
func (n *node) startProxy() error {
	arguments, err := controlplane.MergeArguments(map[string]string{
		"cluster-cidr":                      n.Cluster.ClusterCIDR,
		"conntrack-max-per-core":            "0",
		"conntrack-tcp-timeout-close-wait":  "0s",
		"conntrack-tcp-timeout-established": "0s",
		"healthz-bind-address":              "127.0.0.1",
		"hostname-override":                 n.Name,
		"kubeconfig":                        n.path("kubeproxy.kubeconfig"),
		"proxy-mode":                        "nftables",
	}, n.Config.List("kube-proxy-arg"))
	if err != nil {
		return fmt.Errorf("kube-proxy: %w", err)
	}
	if n.proxy, err = controlplane.StartComponent(Proxy, n.path("logs", "kube-proxy.log"), arguments); err != nil {
		return err
	}
	n.watch(n.proxy)
	return nil
}
