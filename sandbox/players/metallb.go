package players

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// metalLB plays MetalLB's controller and speakers, as charts and manifests of MetalLB label them (domain.md §4.1).
type metalLB struct {
	*world
	kinds      *kinds
	controller labels.Selector
	speaker    labels.Selector
	hook       *webhook                  // nil while it does not listen
	seen       map[string]time.Time      // when a controller pod was first seen, by UID
	reported   map[string]map[string]any // the ServiceL2Status objects that were written last, by the Service's UID
}

func newMetalLB(w *world, k *kinds) *metalLB {
	return &metalLB{
		world: w, kinds: k, seen: map[string]time.Time{},
		controller: component("metallb", "controller"), speaker: component("metallb", "speaker"),
	}
}

// component selects the pods of a part of a program that was installed by Helm.
func component(name, part string) labels.Selector {
	selector := labels.NewSelector()
	for key, value := range map[string]string{"app.kubernetes.io/name": name, "app.kubernetes.io/component": part} {
		requirement, err := labels.NewRequirement(key, selection.Equals, []string{value})
		if err != nil {
			return labels.Nothing() // the values are constants; the tests would see it
		}
		selector = selector.Add(*requirement)
	}
	return selector
}

func (m *metalLB) name() string { return "MetalLB" }

func (m *metalLB) stop() error { return m.closeHook() }

func (m *metalLB) play(ctx context.Context) (again time.Duration, err error) {
	controllers, speakers := m.alive(m.controller), m.alive(m.speaker)
	if len(controllers) > 0 {
		again, err = m.serveHook(ctx, controllers[0])
	} else {
		clear(m.seen)
		err = m.closeHook()
	}
	pods := append(slices.Clone(controllers), speakers...)
	if len(pods) == 0 {
		m.Net.Network().Announce(nil)
		return again, err
	}
	ready, kindsErr := m.kinds.refresh()
	if err = errors.Join(err, kindsErr); !ready {
		return again, err
	}
	namespace := pods[0].Namespace
	pools, bad, listErr := m.pools(namespace)
	advertisements, adErr := list[l2Advertisement](m.kinds, "l2advertisements", namespace)
	if err = errors.Join(err, bad, listErr, adErr); listErr != nil || adErr != nil {
		return again, err
	}
	if len(controllers) == 0 { // the speakers go on
		assigned, currentErr := m.current()
		return again, errors.Join(err, currentErr, m.announce(ctx, namespace, pools, advertisements, assigned))
	}
	assigned, assignErr := m.assign(ctx, pools)
	return again, errors.Join(err, assignErr, m.announce(ctx, namespace, pools, advertisements, assigned), m.count(ctx, pools, assigned))
}

// pools are the pools that can be read, by name, and what is wrong with the others, which came in before the webhook was there.
func (m *metalLB) pools(namespace string) (good []*addressPool, bad, err error) {
	all, err := list[addressPool](m.kinds, "ipaddresspools", namespace)
	if err != nil {
		return nil, nil, err
	}
	var errs []error
	for n := range all {
		if err := all[n].parse(); err != nil {
			errs = append(errs, err)
			continue
		}
		good = append(good, &all[n])
	}
	slices.SortFunc(good, func(a, b *addressPool) int { return strings.Compare(a.Name, b.Name) })
	return good, errors.Join(errs...), nil
}

// assignment is the addresses of one Service.
type assignment struct {
	service   *corev1.Service
	addresses []netip.Addr
	pool      *addressPool
}

// current is the addresses that Services have.
func (m *metalLB) current() ([]assignment, error) {
	services, err := m.services.List(labels.Everything())
	var have []assignment
	for _, s := range services {
		if addresses := addressesOf(s); s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.DeletionTimestamp == nil && len(addresses) > 0 {
			have = append(have, assignment{service: s, addresses: addresses})
		}
	}
	return have, err
}

// assign gives every Service of type LoadBalancer its addresses, and takes them from those that are none any more. Who has
// valid addresses keeps them, the oldest Service first.
func (m *metalLB) assign(ctx context.Context, pools []*addressPool) ([]assignment, error) {
	services, err := m.services.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	services = slices.Clone(services)
	slices.SortFunc(services, func(a, b *corev1.Service) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name))
	})
	o := office{pools: pools, users: map[netip.Addr][]*corev1.Service{}}
	var given []assignment
	var waiting []*corev1.Service
	var errs []error
	for _, s := range services {
		if s.DeletionTimestamp != nil || s.Spec.LoadBalancerClass != nil {
			continue
		}
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer {
			if s.Annotations[allocatedFrom] != "" {
				errs = append(errs, m.write(ctx, s, nil, nil))
			}
			continue
		}
		if a, ok := o.keep(s); ok {
			given = append(given, a)
		} else {
			waiting = append(waiting, s)
		}
	}
	for _, s := range waiting {
		a, err := o.allocate(s)
		if err != nil {
			errs = append(errs, m.write(ctx, s, nil, nil),
				m.event(ctx, s, "Service", "metallb-controller", corev1.EventTypeWarning, "AllocationFailed", failedFor(s, err)))
			continue
		}
		given = append(given, a)
	}
	for _, a := range given {
		errs = append(errs, m.write(ctx, a.service, a.addresses, a.pool))
	}
	return given, errors.Join(errs...)
}

// count writes the pools' counters, as MetalLB does since 0.15.
func (m *metalLB) count(ctx context.Context, pools []*addressPool, assigned []assignment) error {
	var errs []error
	for _, p := range pools {
		var total, used [2]int64 // IPv4, IPv6
		for _, r := range p.ranges {
			total[family(r.first)] += r.size()
		}
		taken := map[netip.Addr]bool{}
		for _, a := range assigned {
			for _, address := range a.addresses {
				if p.contains(address) && !taken[address] {
					taken[address] = true
					used[family(address)]++
				}
			}
		}
		status := map[string]any{
			"assignedIPv4": used[0], "availableIPv4": total[0] - used[0], "assignedIPv6": used[1], "availableIPv6": total[1] - used[1],
		}
		if maps.Equal(status, p.Status) {
			continue
		}
		errs = append(errs, m.patchStatus(ctx, "ipaddresspools", p.Namespace, p.Name, status))
	}
	return errors.Join(errs...)
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}
