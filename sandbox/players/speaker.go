package players

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// speakerNode is a node with a speaker that runs.
type speakerNode struct {
	*corev1.Node
	address netip.Addr
}

// announce lets one node answer ARP for each address, chosen as MetalLB does (domain.md §4.3): by a hash over the nodes with a
// speaker that an L2Advertisement of the address' pool selects, while the Service has a ready endpoint.
func (m *metalLB) announce(ctx context.Context, namespace string, pools []*addressPool, ads []l2Advertisement, assigned []assignment) error {
	nodes, err := m.speakerNodes()
	if err != nil {
		return err
	}
	announced := map[netip.Addr]netip.Addr{}
	statuses := map[string]map[string]any{}
	var errs []error
	for _, a := range assigned {
		for _, address := range a.addresses {
			pool := poolWith(pools, address)
			leader := m.leader(a.service, address, pool, ads, nodes)
			if leader == nil {
				continue
			}
			announced[address] = leader.address
			errs = append(errs, m.event(ctx, a.service, "Service", "metallb-speaker", corev1.EventTypeNormal, "nodeAssigned",
				fmt.Sprintf("announcing from node %q with protocol \"layer2\"", leader.Name)))
			statuses[string(a.service.UID)] = map[string]any{
				"node": leader.Name, "serviceName": a.service.Name, "serviceNamespace": a.service.Namespace,
			}
		}
	}
	m.Net.Network().Announce(announced)
	errs = append(errs, m.report(ctx, namespace, statuses))
	return errors.Join(errs...)
}

func poolWith(pools []*addressPool, a netip.Addr) *addressPool {
	if at := slices.IndexFunc(pools, func(p *addressPool) bool { return p.contains(a) }); at >= 0 {
		return pools[at]
	}
	return nil
}

// speakerNodes are the nodes that may announce: with a speaker, and without the label that keeps load balancers away.
func (m *metalLB) speakerNodes() ([]speakerNode, error) {
	var nodes []speakerNode
	for _, pod := range m.alive(m.speaker) {
		node, err := m.nodes.Get(pod.Spec.NodeName)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ignoresLabel := slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return slices.Contains(c.Args, "--ignore-exclude-lb=true") })
		_, excluded := node.Labels[corev1.LabelNodeExcludeBalancers]
		address, err := netip.ParseAddr(pod.Status.HostIP)
		if err == nil && (!excluded || ignoresLabel) {
			nodes = append(nodes, speakerNode{node, address})
		}
	}
	return nodes, nil
}

// leader is the node that announces an address; nil for none.
func (m *metalLB) leader(s *corev1.Service, a netip.Addr, pool *addressPool, ads []l2Advertisement, nodes []speakerNode) *speakerNode {
	if pool == nil {
		return nil
	}
	var ready []endpoint
	for _, e := range m.endpoints(s) {
		if e.ready {
			ready = append(ready, e)
		}
	}
	var best *speakerNode
	var lowest [sha256.Size]byte
	for n := range nodes {
		node := &nodes[n]
		local := slices.ContainsFunc(ready, func(e endpoint) bool { return e.node == node.Name })
		if len(ready) == 0 || s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal && !local {
			continue
		}
		if !slices.ContainsFunc(ads, func(ad l2Advertisement) bool { return ad.covers(pool, s, node.Labels) }) {
			continue
		}
		if hash := sha256.Sum256([]byte(node.Name + "#" + a.String())); best == nil || bytes.Compare(hash[:], lowest[:]) < 0 {
			best, lowest = node, hash
		}
	}
	return best
}

// covers tells whether the advertisement lets a node announce a Service's address of a pool.
func (ad l2Advertisement) covers(pool *addressPool, s *corev1.Service, node map[string]string) bool {
	named := len(ad.Spec.Pools) == 0 && len(ad.Spec.PoolSelectors) == 0 ||
		slices.Contains(ad.Spec.Pools, pool.Name) || selects(ad.Spec.PoolSelectors, pool.Labels)
	return named && (len(ad.Spec.NodeSelectors) == 0 || selects(ad.Spec.NodeSelectors, node)) &&
		(len(ad.Spec.ServiceSelectors) == 0 || selects(ad.Spec.ServiceSelectors, s.Labels))
}

// report keeps the ServiceL2Status objects, one per announced Service. As upstream's speakers do it, a node that takes over
// makes an object of its own: its definition lets nobody change the node of one. Clusters without the definition have none.
func (m *metalLB) report(ctx context.Context, namespace string, want map[string]map[string]any) error {
	resource := m.dynamic.Resource(metallbResource("servicel2statuses")).Namespace(namespace)
	if same(m.reported, want) {
		return nil
	}
	have, err := resource.List(ctx, metav1.ListOptions{LabelSelector: labels.Set{"metallb.io/played-by": "cxha-sandbox"}.String()})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, item := range have.Items {
		status := want[item.GetLabels()["metallb.io/service-uid"]]
		if status == nil || status["node"] != item.GetLabels()["metallb.io/node"] {
			errs = append(errs, ignoreNotFound(resource.Delete(ctx, item.GetName(), metav1.DeleteOptions{})))
		}
	}
	for uid, status := range want {
		object := &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "metallb.io/v1beta1", "kind": "ServiceL2Status",
			"metadata": map[string]any{"namespace": namespace, "name": statusName(uid, status["node"]), "labels": map[string]any{
				"metallb.io/played-by": "cxha-sandbox", "metallb.io/service-uid": uid, "metallb.io/node": status["node"],
				"metallb.io/service-name": status["serviceName"], "metallb.io/service-namespace": status["serviceNamespace"],
			}},
			"status": status,
		}}
		options := metav1.ApplyOptions{FieldManager: "metallb-speaker", Force: true}
		_, err := resource.Apply(ctx, object.GetName(), object, options)
		if err == nil {
			_, err = resource.ApplyStatus(ctx, object.GetName(), object, options)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	m.reported = want
	return nil
}

// statusName is the name of the object about a Service on a node.
func statusName(uid string, node any) string {
	return fmt.Sprintf("l2-%.4x", sha256.Sum256(fmt.Appendf(nil, "%s %v", uid, node)))
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func same(a, b map[string]map[string]any) bool {
	if a == nil || len(a) != len(b) {
		return false
	}
	for uid, status := range a {
		if b[uid] == nil || b[uid]["node"] != status["node"] {
			return false
		}
	}
	return true
}
