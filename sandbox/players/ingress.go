package players

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

// ingresses plays ingress controllers as far as they write the address under which they are reached into Ingresses.
type ingresses struct{ *world }

func (i *ingresses) name() string { return "ingress controllers" }

func (i *ingresses) stop() error { return nil }

const (
	nginxController   = "k8s.io/ingress-nginx"
	traefikController = "traefik.io/ingress-controller"
)

// ingressPods are the programs that are played: their pods, and the controllers that they are by themselves.
func ingressPods() map[string][]string {
	return map[string][]string{"ingress-nginx": {nginxController}, "rke2-ingress-nginx": {nginxController}, "rke2-traefik": {traefikController}}
}

func (i *ingresses) play(ctx context.Context) (time.Duration, error) {
	all, err := i.ingressList.List(labels.Everything())
	if err != nil || len(all) == 0 {
		return 0, err
	}
	addresses, err := i.addresses()
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, ingress := range all {
		class, err := i.class(ingress)
		if err != nil || class == nil {
			errs = append(errs, err)
			continue
		}
		if want, played := addresses[class.Spec.Controller]; played {
			errs = append(errs, i.write(ctx, ingress, want))
		}
	}
	return 0, errors.Join(errs...)
}

// addresses are where the controllers that run are reached, by the controller's name in classes.
func (i *ingresses) addresses() (map[string][]corev1.LoadBalancerIngress, error) {
	services, err := i.services.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	found := map[string][]corev1.LoadBalancerIngress{}
	for program, controllers := range ingressPods() {
		for _, pod := range i.alive(labels.SelectorFromSet(labels.Set{"app.kubernetes.io/name": program})) {
			for _, container := range pod.Spec.Containers {
				for _, argument := range container.Args {
					if _, controller, ok := strings.Cut(argument, "kubernetesingressnginx.controllerclass="); ok {
						controllers = append(slices.Clone(controllers), controller)
					}
				}
			}
			at := slices.IndexFunc(services, func(s *corev1.Service) bool {
				return s.Namespace == pod.Namespace && len(s.Spec.Selector) > 0 && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod.Labels))
			})
			if at < 0 {
				continue
			}
			for _, controller := range controllers {
				found[controller] = services[at].Status.LoadBalancer.Ingress
			}
		}
	}
	return found, nil
}

// class is the Ingress' class, or the default one; nil when it has none.
func (i *ingresses) class(ingress *networkingv1.Ingress) (*networkingv1.IngressClass, error) {
	classes, err := i.ingressClasses.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	name := cmp.Or(value(ingress.Spec.IngressClassName), ingress.Annotations["kubernetes.io/ingress.class"])
	at := slices.IndexFunc(classes, func(c *networkingv1.IngressClass) bool { return c.Name == name })
	if at < 0 {
		return nil, nil
	}
	return classes[at], nil
}

func (i *ingresses) write(ctx context.Context, ingress *networkingv1.Ingress, want []corev1.LoadBalancerIngress) error {
	var status []networkingv1.IngressLoadBalancerIngress
	for _, a := range want {
		status = append(status, networkingv1.IngressLoadBalancerIngress{IP: a.IP, Hostname: a.Hostname})
	}
	have := ingress.Status.LoadBalancer.Ingress
	if slices.EqualFunc(have, status, func(a, b networkingv1.IngressLoadBalancerIngress) bool {
		return a.IP == b.IP && a.Hostname == b.Hostname
	}) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": status}}})
	if err != nil {
		return err
	}
	_, err = i.client.NetworkingV1().Ingresses(ingress.Namespace).
		Patch(ctx, ingress.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "ingress-controller"}, "status")
	return ignoreNotFound(err)
}
