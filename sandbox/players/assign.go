package players

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Annotations of Services (domain.md §4.2).
const (
	wantedAddresses = "loadBalancerIPs"
	wantedPool      = "address-pool"
	sharingKey      = "allow-shared-ip"
	allocatedFrom   = "metallb.io/ip-allocated-from-pool"
)

// annotation reads one of MetalLB's annotations by its name, with the new prefix or the old one.
func annotation(s *corev1.Service, name string) string {
	return cmp.Or(s.Annotations["metallb.io/"+name], s.Annotations["metallb.universe.tf/"+name])
}

// office knows who has which address.
type office struct {
	pools []*addressPool
	users map[netip.Addr][]*corev1.Service
}

// addressesOf are the addresses in a Service's status.
func addressesOf(s *corev1.Service) []netip.Addr {
	var has []netip.Addr
	for _, ingress := range s.Status.LoadBalancer.Ingress {
		if address, err := netip.ParseAddr(ingress.IP); err == nil {
			has = append(has, address)
		}
	}
	return has
}

// keep registers the addresses that a Service has, if they are still what it may have.
func (o *office) keep(s *corev1.Service) (assignment, bool) {
	has := addressesOf(s)
	if len(has) == 0 {
		return assignment{}, false
	}
	wanted, err := requested(s)
	if err != nil || len(wanted) > 0 && !slices.Equal(wanted, has) {
		return assignment{}, false
	}
	pool := o.poolOf(has[0], s)
	if pool == nil || annotation(s, wantedPool) != "" && annotation(s, wantedPool) != pool.Name {
		return assignment{}, false
	}
	if !slices.ContainsFunc(has, func(a netip.Addr) bool { return o.taken(a, s) != nil || o.poolOf(a, s) == nil }) {
		return o.register(s, pool, has), true
	}
	return assignment{}, false
}

func (o *office) register(s *corev1.Service, pool *addressPool, addresses []netip.Addr) assignment {
	for _, a := range addresses {
		o.users[a] = append(o.users[a], s)
	}
	return assignment{service: s, addresses: addresses, pool: pool}
}

// requested are the addresses that a Service asks for.
func requested(s *corev1.Service) ([]netip.Addr, error) {
	text := cmp.Or(annotation(s, wantedAddresses), s.Spec.LoadBalancerIP)
	if text == "" {
		return nil, nil
	}
	var wanted []netip.Addr
	for field := range strings.SplitSeq(text, ",") {
		address, err := netip.ParseAddr(strings.TrimSpace(field))
		if err != nil {
			return nil, fmt.Errorf("invalid loadBalancerIPs %q", text)
		}
		wanted = append(wanted, address)
	}
	return wanted, nil
}

func (o *office) poolOf(a netip.Addr, s *corev1.Service) *addressPool {
	for _, p := range o.pools {
		if _, ok := p.serves(s); ok && p.contains(a) {
			return p
		}
	}
	return nil
}

// taken is why a Service cannot have an address that others have; nil when it can. An address is shared by Services with the same
// key and different ports.
func (o *office) taken(a netip.Addr, s *corev1.Service) error {
	for _, other := range o.users[a] {
		key := annotation(s, sharingKey)
		if key == "" || key != annotation(other, sharingKey) {
			return fmt.Errorf("can't change sharing key for %q, address also in use by %s/%s", s.Namespace+"/"+s.Name, other.Namespace, other.Name)
		}
		for _, port := range s.Spec.Ports {
			if slices.ContainsFunc(other.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == port.Port && p.Protocol == port.Protocol }) {
				return fmt.Errorf("port %s/%d is already in use on %q", port.Protocol, port.Port, a)
			}
		}
	}
	return nil
}

// allocate finds addresses for a Service that has none.
func (o *office) allocate(s *corev1.Service) (assignment, error) {
	wanted, err := requested(s)
	if err != nil {
		return assignment{}, err
	}
	if len(wanted) > 0 {
		var pool *addressPool
		for _, address := range wanted {
			if pool = o.poolOf(address, s); pool == nil {
				return assignment{}, fmt.Errorf("[%q] is not allowed in config", address)
			}
			if err := o.taken(address, s); err != nil {
				return assignment{}, err
			}
		}
		return o.register(s, pool, wanted), nil
	}
	named := annotation(s, wantedPool)
	pools := slices.Clone(o.pools)
	slices.SortStableFunc(pools, func(a, b *addressPool) int {
		first, _ := a.serves(s)
		second, _ := b.serves(s)
		return cmp.Compare(first, second)
	})
	for _, p := range pools {
		_, serves := p.serves(s)
		automatic := p.Spec.AutoAssign == nil || *p.Spec.AutoAssign
		if !serves || named != "" && named != p.Name || named == "" && !automatic {
			continue
		}
		if address, ok := o.free(p, s); ok {
			return o.register(s, p, []netip.Addr{address}), nil
		}
	}
	if named != "" {
		if !slices.ContainsFunc(o.pools, func(p *addressPool) bool { return p.Name == named }) {
			return assignment{}, fmt.Errorf("unknown pool %q", named)
		}
		return assignment{}, fmt.Errorf("no available IPs in pool %q", named)
	}
	return assignment{}, errors.New("no available IPs")
}

// free is the first free address of a pool for the Service's family of addresses.
func (o *office) free(p *addressPool, s *corev1.Service) (netip.Addr, bool) {
	v6 := len(s.Spec.IPFamilies) > 0 && s.Spec.IPFamilies[0] == corev1.IPv6Protocol
	for _, r := range p.ranges {
		if r.first.Is6() != v6 {
			continue
		}
		for a := r.first; r.contains(a); a = a.Next() {
			if p.contains(a) && o.taken(a, s) == nil {
				return a, true
			}
		}
	}
	return netip.Addr{}, false
}

func failedFor(s *corev1.Service, err error) string {
	return fmt.Sprintf("Failed to allocate IP for %q: %v", s.Namespace+"/"+s.Name, err)
}

// write puts the addresses into a Service's status, and says where they are from; no addresses clear both.
func (m *metalLB) write(ctx context.Context, s *corev1.Service, addresses []netip.Addr, pool *addressPool) error {
	var ingress []corev1.LoadBalancerIngress
	for _, a := range addresses {
		mode := corev1.LoadBalancerIPModeVIP
		ingress = append(ingress, corev1.LoadBalancerIngress{IP: a.String(), IPMode: &mode})
	}
	var from any // JSON null removes the annotation
	if pool != nil {
		from = pool.Name
	}
	text, _ := from.(string)
	if s.Annotations[allocatedFrom] != text {
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{allocatedFrom: from}}})
		if err != nil {
			return err
		}
		if err := m.patchService(ctx, s, patch); err != nil {
			return err
		}
	}
	if sameAddresses(s.Status.LoadBalancer.Ingress, ingress) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": ingress}}})
	if err != nil {
		return err
	}
	if err := m.patchService(ctx, s, patch, "status"); err != nil || len(addresses) == 0 {
		return err
	}
	return m.event(ctx, s, "Service", "metallb-controller", corev1.EventTypeNormal, "IPAllocated", fmt.Sprintf("Assigned IP %q", addresses))
}

func (m *metalLB) patchService(ctx context.Context, s *corev1.Service, patch []byte, sub ...string) error {
	_, err := m.client.CoreV1().Services(s.Namespace).Patch(ctx, s.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "metallb-controller"}, sub...)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func sameAddresses(a, b []corev1.LoadBalancerIngress) bool {
	return slices.EqualFunc(a, b, func(x, y corev1.LoadBalancerIngress) bool { return x.IP == y.IP })
}

// patchStatus writes the status of one of MetalLB's objects.
func (m *metalLB) patchStatus(ctx context.Context, plural, namespace, name string, status map[string]any) error {
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = m.dynamic.Resource(metallbResource(plural)).Namespace(namespace).
		Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "metallb-controller"}, "status")
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
