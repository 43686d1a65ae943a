package schema

import "github.com/zclconf/go-cty/cty"

// The kinds of ingress blocks, which are their labels.
const (
	TraefikIngress = "traefik"
	NginxIngress   = "nginx"
)

var (
	ingressKind   = oneOf("Unknown ingress controller", "ingress controller that cxha knows", TraefikIngress, NginxIngress)
	ingressPreset = oneOf("Unknown preset", "preset of an ingress controller", CommunityPreset, F5Preset)
)

func ingressShape() Shape {
	return Shape{
		Type:  "ingress",
		Root:  "ingress",
		Label: Label{Name: "KIND", Rule: &ingressKind},
		Doc: "What serves Ingress objects. `ingress \"traefik\"` is RKE2's own, configured and put behind the load balancer; `ingress \"nginx\"` is a chart, of the " +
			"community or of F5, and RKE2's own controller is switched off.",
		Example: "ingress \"traefik\" {\n  address = \"10.10.1.50\"\n}",
		Attrs: append([]Attr{
			{Name: "address", Type: cty.String, Rule: &SingleAddress, DefaultDoc: "any of the load balancer's, if there is one", Doc: "The address that clients use: one of a pool of the `load_balancer`.", Example: "\"10.10.1.50\""},
			{Name: "class", Type: cty.String, Rule: &ObjectName, Kinds: []string{NginxIngress}, Derive: ingressClass, DefaultDoc: "`\"nginx\"`", Doc: "Name of the IngressClass; that of `traefik` is called `traefik`.", Example: "\"nginx\""},
			{Name: "default", Type: cty.Bool, Default: cty.True, Doc: "Whether it serves Ingress objects that name no class. One at most can.", Example: "false"},
			{Name: "traffic_policy", Type: cty.String, Default: cty.StringVal("Cluster"), Rule: &TrafficPolicy,
				Doc: "`Cluster`: the node that announces the address passes connections on to all nodes. `Local`: only to its own pods, and they see the clients' addresses.", Example: "\"Local\""},
			valuesAttr("More values for the controller's chart. They win over what cxha sets itself.", "{ controller = { allowSnippetAnnotations = true } }"),
			timeoutAttr("10m"), dependsAttr(),
		}, append(forKinds([]string{NginxIngress}, nginxAttrs()...), forKinds([]string{TraefikIngress}, Attr{Name: "nginx_class", Type: cty.Bool, Default: cty.True,
			Doc: "Serve Ingress objects of class `nginx` and their annotations `nginx.ingress.kubernetes.io/...` as well, so charts that were made for ingress-nginx go on working.", Example: "false"})...)...),
	}
}

func ingressClass(kind string) string {
	if ingressKind.Check(kind) != "" {
		return ""
	}
	return kind
}

func nginxAttrs() []Attr {
	preset := Attr{Name: "preset", Type: cty.String, Default: cty.StringVal(CommunityPreset), Rule: &ingressPreset,
		Doc: "Which chart it is, and so which values cxha sets: `community`, ingress-nginx 4.15.1, which is retired; or `f5`, nginx-ingress 2.6.4, which has other annotations " +
			"(`nginx.org/...`). With another `chart`, it says which of the two that chart is like.", Example: "\"f5\""}
	chart := defaultChartAttrs("ingress", "the preset's")
	for i := range chart {
		chart[i].Derive = nil // the preset decides
	}
	return append([]Attr{preset}, append(chart, keepAttr("ingress"))...)
}
