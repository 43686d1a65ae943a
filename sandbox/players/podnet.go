package players

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// PodNetwork is the cluster's network as far as the sandbox has one: the API server's way to the players, by pod addresses and,
// as kube-proxy would do it, by the cluster addresses of Services. The zero value is ready, and has nothing on it.
type PodNetwork struct {
	mu      sync.Mutex
	exposed map[netip.AddrPort]string // a pod's port to the real address where its player listens
	lookup  func(service netip.Addr, port int32) (pods []netip.AddrPort, err error)
}

// expose connects a pod's port to a real address until withdraw is called.
func (n *PodNetwork) expose(pod netip.AddrPort, real string) (withdraw func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.exposed == nil {
		n.exposed = map[netip.AddrPort]string{}
	}
	n.exposed[pod] = real
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.exposed, pod)
	}
}

// resolveWith says how Services are found; nil: not at all.
func (n *PodNetwork) resolveWith(lookup func(service netip.Addr, port int32) ([]netip.AddrPort, error)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lookup = lookup
}

// Dial connects to a pod or to a Service by its cluster address. Where no player listens it is refused, as by a host without a
// listener, or by kube-proxy for a Service without endpoints.
func (n *PodNetwork) Dial(ctx context.Context, address string) (net.Conn, error) {
	refused := fmt.Errorf("dial tcp %s: %w", address, os.NewSyscallError("connect", syscall.ECONNREFUSED))
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("dial tcp %s: %w", address, err)
	}
	n.mu.Lock()
	lookup := n.lookup
	n.mu.Unlock()
	candidates := []netip.AddrPort{target}
	if lookup != nil {
		pods, err := lookup(target.Addr(), int32(target.Port()))
		if err != nil && !errors.Is(err, errNoService) {
			return nil, fmt.Errorf("dial tcp %s: %w", address, err)
		}
		candidates = append(candidates, pods...)
	}
	for _, pod := range candidates {
		n.mu.Lock()
		real, ok := n.exposed[pod]
		n.mu.Unlock()
		if !ok {
			continue
		}
		if conn, err := new(net.Dialer).DialContext(ctx, "tcp", real); err == nil {
			return conn, nil
		}
	}
	return nil, refused
}

var errNoService = errors.New("no service has the address")

// targets is what kube-proxy programs: the ready pods behind a Service's cluster address.
func (w *world) targets(address netip.Addr, port int32) ([]netip.AddrPort, error) {
	services, err := w.services.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(services, func(s *corev1.Service) bool { return slices.Contains(s.Spec.ClusterIPs, address.String()) })
	if at < 0 {
		return nil, errNoService
	}
	service := services[at]
	name := ""
	if at = slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == port }); at >= 0 {
		name = service.Spec.Ports[at].Name
	}
	var pods []netip.AddrPort
	for _, endpoint := range w.endpoints(service) {
		if target, ok := endpoint.ports[name]; ok && at >= 0 && endpoint.ready {
			pods = append(pods, netip.AddrPortFrom(endpoint.address, uint16(target)))
		}
	}
	return pods, nil
}

// endpoint is one pod behind a Service.
type endpoint struct {
	address netip.Addr
	node    string
	ready   bool
	ports   map[string]int32 // by the Service's port name
}

// endpoints are the pods behind a Service, by address.
func (w *world) endpoints(service *corev1.Service) []endpoint {
	ofService := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service.Name})
	list, err := w.slices.EndpointSlices(service.Namespace).List(ofService)
	if err != nil {
		return nil // a cache's lister has no errors
	}
	found := map[netip.Addr]endpoint{}
	for _, slice := range list {
		ports := map[string]int32{}
		for _, port := range slice.Ports {
			if port.Name != nil && port.Port != nil {
				ports[*port.Name] = *port.Port
			}
		}
		for _, e := range slice.Endpoints {
			for _, text := range e.Addresses {
				if address, err := netip.ParseAddr(text); err == nil {
					ready := e.Conditions.Ready == nil || *e.Conditions.Ready
					found[address] = endpoint{address: address, node: value(e.NodeName), ready: ready, ports: ports}
				}
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b endpoint) int { return a.address.Compare(b.address) })
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
