package addons

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
	"golang.org/x/mod/semver"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// addressAnnotation asks MetalLB for an address of a pool (domain.md §4.2).
const addressAnnotation = "metallb.io/loadBalancerIPs"

// ingressController is RKE2's option that chooses its own controller, where the blueprint wants that one.
func ingressController(bp *blueprint.Blueprint) map[string][]string {
	for _, i := range bp.Ingresses {
		if i.Kind == schema.TraefikIngress {
			return map[string][]string{"ingress-controller": {"traefik"}}
		}
	}
	return nil
}

// traefikValues put RKE2's Traefik behind the load balancer instead of on ports of the hosts (domain.md §3.2).
func traefikValues(bp *blueprint.Blueprint, i blueprint.Ingress) cty.Value {
	v := map[string]any{
		"service": map[string]any{
			"type": "LoadBalancer", "annotations": serviceAnnotations(i),
			"spec": map[string]any{"externalTrafficPolicy": i.TrafficPolicy},
		},
		"ports":        map[string]any{"web": map[string]any{"hostPort": nil}, "websecure": map[string]any{"hostPort": nil}},
		"ingressClass": map[string]any{"isDefaultClass": i.Default},
	}
	if i.NginxClass {
		v["providers"] = map[string]any{nginxProvider(bp.Cluster.Version): map[string]any{
			"enabled": true, "ingressClass": "nginx", "controllerClass": nginxController,
		}}
	}
	return values(v)
}

// The controller by whose name nginx's IngressClass is claimed.
const nginxController = "k8s.io/ingress-nginx"

// nginxClass is the IngressClass nginx, which names Traefik's provider of nginx's annotations as its controller. Nobody else makes
// it: nginx itself is not there.
func nginxClass(i blueprint.Ingress) blueprint.Manifest {
	return manifest(i.Common, "ingress class", map[string]any{
		"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass",
		"metadata": map[string]any{"name": "nginx"}, "spec": map[string]any{"controller": nginxController},
	})
}

// nginxProvider is the chart's name for Traefik's provider of nginx's annotations, which was respelt in these releases
// (domain.md §3.2).
func nginxProvider(version string) string {
	respelt := map[string]string{"v1.33": "v1.33.13", "v1.34": "v1.34.9", "v1.35": "v1.35.6", "v1.36": "v1.36.2"}
	first, ok := respelt[semver.MajorMinor(version)]
	if ok && semver.Compare(version, first) >= 0 || semver.Compare(version, "v1.37.0") >= 0 {
		return "kubernetesIngressNGINX"
	}
	return "kubernetesIngressNginx"
}

func serviceAnnotations(i blueprint.Ingress) map[string]any {
	a := map[string]any{}
	if i.Address.IsValid() {
		a[addressAnnotation] = i.Address.String()
	}
	return a
}

func nginxRelease(bp *blueprint.Blueprint, i blueprint.Ingress) blueprint.Release {
	c := i.Common
	c.After = append(slices.Clone(c.After), poolAddrs(bp)...)
	if i.Preset == schema.F5Preset {
		return blueprint.Release{Common: c, Name: "nginx-ingress", Chart: i.Chart, Values: merged(f5Values(i), i.Values)}
	}
	return blueprint.Release{Common: c, Name: "ingress-nginx", Chart: i.Chart, Values: merged(communityValues(i), i.Values)}
}

// poolAddrs are the objects that give a Service its address: without them a release would wait for one in vain.
func poolAddrs(bp *blueprint.Blueprint) (addrs []schema.Addr) {
	for _, lb := range bp.LoadBalancers {
		for _, p := range lb.Pools {
			addrs = append(addrs, objectAddr(lb.Addr, "IPAddressPool."+metallbGroup+"/"+lb.Namespace+"/"+p.Name))
		}
	}
	return addrs
}

// communityValues are those of the community's chart (domain.md §3.3). Snippets are refused by its own check of annotations
// unless their level of risk is allowed as well, so whoever allows them gets both.
func communityValues(i blueprint.Ingress) cty.Value {
	controller := map[string]any{
		"ingressClassResource": map[string]any{"name": i.Class, "enabled": true, "default": i.Default},
		"ingressClass":         i.Class,
		"service": map[string]any{
			"type": "LoadBalancer", "annotations": serviceAnnotations(i), "externalTrafficPolicy": i.TrafficPolicy,
		},
	}
	if v := lookup(i.Values, "controller", "allowSnippetAnnotations"); !v.IsNull() && v.Type() == cty.Bool && v.True() {
		controller["config"] = map[string]any{"annotations-risk-level": "Critical"}
	}
	return values(map[string]any{"controller": controller})
}

// f5Values are those of F5's chart (domain.md §3.4).
func f5Values(i blueprint.Ingress) cty.Value {
	return values(map[string]any{"controller": map[string]any{
		"ingressClass": map[string]any{"name": i.Class, "create": true, "setAsDefaultIngress": i.Default},
		"service": map[string]any{
			"type": "LoadBalancer", "annotations": serviceAnnotations(i), "externalTrafficPolicy": i.TrafficPolicy,
		},
	}})
}

// dnsValues keep CoreDNS off the control plane: with that node dead, its endpoint would stay in the DNS service, and about half
// of all lookups on the workers would wait for a timeout (domain.md §6.5). One for each host, as the chart has it.
func dnsValues() cty.Value {
	return values(map[string]any{"affinity": map[string]any{
		"nodeAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": map[string]any{"nodeSelectorTerms": []any{
			map[string]any{"matchExpressions": []any{map[string]any{"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"}}},
		}}},
		"podAntiAffinity": map[string]any{"requiredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{
			"topologyKey": "kubernetes.io/hostname",
			"labelSelector": map[string]any{"matchExpressions": []any{
				map[string]any{"key": "k8s-app", "operator": "In", "values": []any{"kube-dns"}},
			}},
		}}},
	}})
}
