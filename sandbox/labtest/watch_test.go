package labtest_test

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podsOn are the watched pods on a node, by label.
func (c *cluster) podsOn(node string) (map[string][]corev1.Pod, error) {
	found := map[string][]corev1.Pod{}
	for _, app := range []string{"spread", "store", "each"} {
		pods, err := c.pods(app)
		if err != nil {
			return nil, err
		}
		for _, p := range pods {
			if p.Spec.NodeName == node {
				found[app] = append(found[app], p)
			}
		}
	}
	return found, nil
}

// each tells what is wrong with pods as they are now; nil stands for one that is gone, or whose name another has taken.
func (c *cluster) each(pods []corev1.Pod, wrong func(now *corev1.Pod) string) error {
	var errs []error
	for _, p := range pods {
		now, err := c.api.CoreV1().Pods(p.Namespace).Get(c.ctx, p.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) || err == nil && now.UID != p.UID:
			now = nil
		case err != nil:
			return err
		}
		if text := wrong(now); text != "" {
			errs = append(errs, fmt.Errorf("pod %s: %s", p.Name, text))
		}
	}
	return errors.Join(errs...)
}

// ending wants pods to be there and marked for deletion.
func (c *cluster) ending(pods []corev1.Pod) error {
	return c.each(pods, func(now *corev1.Pod) string {
		switch {
		case now == nil:
			return "it is gone"
		case now.DeletionTimestamp == nil:
			return "it is not marked for deletion"
		}
		return ""
	})
}

// staying wants pods to be there and not marked.
func (c *cluster) staying(pods []corev1.Pod) error {
	return c.each(pods, func(now *corev1.Pod) string {
		if now == nil || now.DeletionTimestamp != nil {
			return "it is gone or marked for deletion"
		}
		return ""
	})
}

// gone wants pods not to be there.
func (c *cluster) gone(pods []corev1.Pod) error {
	return c.each(pods, func(now *corev1.Pod) string {
		if now != nil {
			return "it is still there"
		}
		return ""
	})
}

// endpointsWithout wants the watched Service to have no ready endpoint on a node.
func (c *cluster) endpointsWithout(node string) error {
	list, err := c.api.DiscoveryV1().EndpointSlices(namespace).List(c.ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=spread"})
	if err != nil {
		return err
	}
	for _, slice := range list.Items {
		for _, e := range slice.Endpoints {
			if ready := e.Conditions.Ready == nil || *e.Conditions.Ready; ready && e.NodeName != nil && *e.NodeName == node {
				return fmt.Errorf("%s has the ready endpoint %v", node, e.Addresses)
			}
		}
	}
	return nil
}
