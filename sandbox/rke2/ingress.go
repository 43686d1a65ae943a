package rke2

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The packaged ingress controllers, as ingress-controller names them.
const (
	traefik      = "traefik"
	ingressNginx = "ingress-nginx"
	noIngress    = "none"
)

// traefikSince is the minor version from which on new clusters have Traefik (domain.md §3.1).
const traefikSince = 36

// ingressControllers are the controllers that the cluster is to have; the first one's class is the default.
func (d *deployer) ingressControllers(ctx context.Context) ([]string, error) {
	given := d.config.Split("ingress-controller")
	for _, name := range given {
		if !slices.Contains([]string{traefik, ingressNginx, noIngress}, name) {
			return nil, fmt.Errorf("invalid value %q for --ingress-controller: it is %s, %s or %s", name, noIngress, ingressNginx, traefik)
		}
	}
	switch {
	case len(given) > 1 && slices.Contains(given, noIngress):
		return nil, fmt.Errorf("invalid values %q for --ingress-controller: %s stands alone", given, noIngress)
	case len(given) == 1 && given[0] == noIngress:
		return nil, nil
	case len(given) > 0:
		return given, nil
	}
	minor, err := minorOf(d.program.Version)
	if err != nil {
		return nil, err
	}
	if minor < traefikSince {
		return []string{ingressNginx}, nil
	}
	// A cluster that was made before keeps what it has.
	kept, err := d.hasChart(ctx, "rke2-ingress-nginx")
	if kept || err != nil {
		return []string{ingressNginx}, err
	}
	return []string{traefik}, nil
}

// minorOf is 35 for v1.35.7+rke2r1.
func minorOf(version string) (int, error) {
	parts := strings.Split(version, ".")
	if len(parts) < 3 {
		return 0, fmt.Errorf("version %q: not of the form v1.N.P", version)
	}
	return strconv.Atoi(parts[1])
}

// hasChart tells whether a packaged chart is deployed.
func (d *deployer) hasChart(ctx context.Context, name string) (bool, error) {
	_, err := d.applier.dynamic.Resource(helmResource("helmcharts")).Namespace(systemNamespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// ingressCharts are the charts of all ingress controllers with their default values (domain.md §3.2), and which of them the
// cluster is to have.
func (d *deployer) ingressCharts(ctx context.Context) (charts map[string]values, wanted map[string]bool, err error) {
	controllers, err := d.ingressControllers(ctx)
	if err != nil {
		return nil, nil, err
	}
	first := ""
	if len(controllers) > 0 {
		first = controllers[0]
	}
	hasTraefik := slices.Contains(controllers, traefik)
	return ingressDefaults(first), map[string]bool{
		"rke2-traefik": hasTraefik, "rke2-traefik-crd": hasTraefik, "rke2-ingress-nginx": slices.Contains(controllers, ingressNginx),
	}, nil
}

func ingressDefaults(defaultClass string) map[string]values {
	onLinux := values{"kubernetes.io/os": "linux"}
	return map[string]values{
		"rke2-traefik": {
			"deployment": values{"kind": "DaemonSet", "replicas": 1},
			"service": values{
				"enabled": true, "type": "ClusterIP", "annotations": values{}, "spec": values{"ipFamilyPolicy": "PreferDualStack"},
			},
			"ports": values{
				"web":       values{"port": 8000, "exposedPort": 80, "hostPort": 80},
				"websecure": values{"port": 8443, "exposedPort": 443, "hostPort": 443},
			},
			"ingressClass": values{"enabled": true, "name": "traefik", "isDefaultClass": defaultClass == traefik},
			"providers":    values{},
			"nodeSelector": onLinux, "tolerations": []any{}, "affinity": values{},
		},
		"rke2-traefik-crd": {"kinds": values{
			"ingressroutes": "IngressRoute", "ingressroutetcps": "IngressRouteTCP", "ingressrouteudps": "IngressRouteUDP",
			"middlewares": "Middleware", "middlewaretcps": "MiddlewareTCP", "serverstransports": "ServersTransport",
			"serverstransporttcps": "ServersTransportTCP", "tlsoptions": "TLSOption", "tlsstores": "TLSStore",
			"traefikservices": "TraefikService",
		}},
		"rke2-ingress-nginx": {"controller": values{
			"allowSnippetAnnotations": false, "config": values{}, "affinity": values{}, "tolerations": []any{}, "nodeSelector": onLinux,
			"service":              values{"enabled": false, "type": "ClusterIP", "annotations": values{}, "externalTrafficPolicy": ""},
			"ingressClassResource": values{"default": defaultClass == ingressNginx},
		}},
	}
}

// nginxArgs are Traefik's arguments for its provider that understands ingress-nginx's annotations; the chart knows both spellings.
func nginxArgs(chart values) []string {
	providers, _ := chart["providers"].(values)
	var arguments []string
	for _, spelling := range []string{"kubernetesIngressNGINX", "kubernetesIngressNginx"} {
		provider, _ := providers[spelling].(values)
		if provider["enabled"] != true {
			continue
		}
		arguments = append(arguments, "--providers.kubernetesingressnginx")
		for _, key := range slices.Sorted(maps.Keys(provider)) {
			if key != "enabled" {
				arguments = append(arguments, fmt.Sprintf("--providers.kubernetesingressnginx.%s=%v", strings.ToLower(key), provider[key]))
			}
		}
	}
	return arguments
}
