package kube

import (
	"context"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// endpointsOn returns the Services, as namespace/name, that have a ready endpoint in a pod of the node. The API server's own
// Service, whose endpoint is no pod, is not among them.
func endpointsOn(ctx context.Context, client *kubernetes.Clientset, node string) ([]string, error) {
	list, err := client.DiscoveryV1().EndpointSlices(metav1.NamespaceAll).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName})
	if err != nil {
		return nil, err
	}
	services := []string{}
	for _, slice := range list.Items {
		on := slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool {
			ready := e.Conditions.Ready == nil || *e.Conditions.Ready
			return ready && e.NodeName != nil && *e.NodeName == node && e.TargetRef != nil && e.TargetRef.Kind == "Pod"
		})
		if on {
			services = append(services, slice.Namespace+"/"+slice.Labels[discoveryv1.LabelServiceName])
		}
	}
	slices.Sort(services)
	return slices.Compact(services), nil
}
