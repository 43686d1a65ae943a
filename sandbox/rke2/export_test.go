package rke2

import (
	"context"
	"net"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// Inner parts with formats of their own, for their tests.
var (
	SealBootstrap = sealBootstrap
	OpenBootstrap = openBootstrap
	HashPassword  = hashPassword
	CheckPassword = checkPassword
	RenderChart   = renderChart
	ChartDefaults = chartDefaults
	IngressCharts = ingressDefaults
)

// Apply applies a manifest as the stand-in does; Remove deletes what is in it.
func Apply(ctx context.Context, config *rest.Config, manifest []byte) error {
	return withObjects(config, manifest, func(a *applier, objects []*unstructured.Unstructured) error { return a.apply(ctx, objects) })
}

func Remove(ctx context.Context, config *rest.Config, manifest []byte) error {
	return withObjects(config, manifest, func(a *applier, objects []*unstructured.Unstructured) error { return a.remove(ctx, objects) })
}

func withObjects(config *rest.Config, manifest []byte, do func(a *applier, objects []*unstructured.Unstructured) error) error {
	a, err := newApplier(config)
	if err != nil {
		return err
	}
	objects, err := decode(manifest)
	if err != nil {
		return err
	}
	return do(a, objects)
}

// Balancer is an agent's load balancer to port 6443 of a server.
type Balancer struct{ inner *balancer }

// NewBalancer makes a load balancer of an agent with this server, on this host; its state is in file.
func NewBalancer(host Host, serverURL, server, file string) Balancer {
	a := &agent{daemon: &daemon{host: host}, serverURL: serverURL, server: server}
	return Balancer{&balancer{agent: a, file: file, port: "6443"}}
}

func (b Balancer) Dial(ctx context.Context) (net.Conn, error) { return b.inner.dialServer(ctx) }
