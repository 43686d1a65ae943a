package rke2_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/expertflow/cxha/sandbox/rke2"
)

func find(t *testing.T, objects []*unstructured.Unstructured, kind string) map[string]any {
	t.Helper()
	at := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind })
	if at < 0 {
		t.Fatalf("there is no %s", kind)
	}
	return objects[at].Object
}

// TestRenderTraefik lays the values of a HelmChartConfig over the packaged chart's, as domain.md §3.2 has them.
func TestRenderTraefik(t *testing.T) {
	t.Parallel()
	objects, err := rke2.RenderChart("rke2-traefik", rke2.IngressCharts("traefik")["rke2-traefik"], `
service: {type: LoadBalancer, annotations: {metallb.io/loadBalancerIPs: 10.10.1.50}, spec: {externalTrafficPolicy: Local}}
ports: {web: {hostPort: null}}
providers: {kubernetesIngressNGINX: {enabled: true, ingressClass: nginx, controllerClass: k8s.io/ingress-nginx}}`)
	if err != nil {
		t.Fatal(err)
	}
	service := find(t, objects, "Service")
	for path, want := range map[string]string{
		"spec type": "LoadBalancer", "spec externalTrafficPolicy": "Local", "spec ipFamilyPolicy": "PreferDualStack",
		"metadata annotations metallb.io/loadBalancerIPs": "10.10.1.50",
	} {
		if got, _, err := unstructured.NestedString(service, strings.Fields(path)...); got != want || err != nil {
			t.Errorf("service: %s: got %q, %v, want %q", path, got, err, want)
		}
	}
	containers, _, err := unstructured.NestedSlice(find(t, objects, "DaemonSet"), "spec", "template", "spec", "containers")
	if err != nil {
		t.Fatal(err)
	}
	container := containers[0].(map[string]any)
	if !slices.Contains(container["args"].([]any), any("--providers.kubernetesingressnginx.controllerclass=k8s.io/ingress-nginx")) {
		t.Errorf("arguments: %v", container["args"])
	}
	ports := container["ports"].([]any)
	if web, secure := ports[0].(map[string]any), ports[1].(map[string]any); web["hostPort"] != nil || secure["hostPort"] != int64(443) {
		t.Errorf("ports: %v", ports)
	}
	class, _, err := unstructured.NestedString(find(t, objects, "IngressClass"), "metadata", "annotations", "ingressclass.kubernetes.io/is-default-class")
	if err != nil || class != "true" {
		t.Errorf("class: default %q, %v", class, err)
	}
}

// TestRenderIngressCharts renders the other charts, the default class being another one.
func TestRenderIngressCharts(t *testing.T) {
	t.Parallel()
	charts := rke2.IngressCharts("ingress-nginx")
	for name, kinds := range map[string]string{
		"rke2-traefik":       "ServiceAccount ClusterRole ClusterRoleBinding DaemonSet Service IngressClass",
		"rke2-ingress-nginx": "ServiceAccount ConfigMap DaemonSet IngressClass",
		"rke2-traefik-crd":   strings.TrimSpace(strings.Repeat("CustomResourceDefinition ", 10)),
	} {
		objects, err := rke2.RenderChart(name, charts[name], "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []string
		for _, o := range objects {
			got = append(got, o.GetKind())
		}
		if strings.Join(got, " ") != kinds {
			t.Errorf("%s: %v, want %s", name, got, kinds)
		}
	}
	objects, err := rke2.RenderChart("rke2-ingress-nginx", charts["rke2-ingress-nginx"], "controller: {service: {enabled: true, type: LoadBalancer}}")
	if err != nil {
		t.Fatal(err)
	}
	if got, _, err := unstructured.NestedString(find(t, objects, "Service"), "spec", "type"); got != "LoadBalancer" || err != nil {
		t.Errorf("service: type %q, %v", got, err)
	}
}
