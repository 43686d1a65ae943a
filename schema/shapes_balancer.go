package schema

import "github.com/zclconf/go-cty/cty"

var loadBalancerKind = oneOf("Unknown load balancer", "load balancer that cxha knows", "metallb")

func loadBalancerShape() Shape {
	return Shape{
		Type:  "load_balancer",
		Root:  "load_balancer",
		Label: Label{Name: "KIND", Rule: &loadBalancerKind},
		Doc: "What gives Services of type LoadBalancer their addresses: `load_balancer \"metallb\"`. It comes after the workers, since its controller runs there, and its " +
			"pools come after its webhook answers. Pools that hold a node's address or lie outside of the workers' networks are refused.",
		Example: "load_balancer \"metallb\" {\n  pool \"first-pool\" {\n    addresses = [\"10.10.1.50/32\"]\n  }\n\n  l2 \"example\" {\n    pools = [\"first-pool\"]\n    nodes = [worker.w1, worker.w2]\n  }\n}",
		Attrs: append(defaultChartAttrs("load_balancer", "`\"metallb\"`, version 0.16.1 of https://metallb.github.io/metallb"),
			valuesAttr("More values for MetalLB's chart. They win over what cxha sets itself.", "{ speaker = { logLevel = \"debug\" } }"),
			timeoutAttr("10m"), keepAttr("load_balancer"), dependsAttr()),
		Blocks: []Shape{poolShape(), l2Shape(), bgpShape(), peerShape()},
	}
}

func poolShape() Shape {
	return Shape{
		Type:    "pool",
		Label:   Label{Name: "NAME", Rule: &ObjectName},
		Doc:     "Addresses for Services: an IPAddressPool. Somebody has to announce it: an `l2` or a `bgp` block.",
		Example: "pool \"first-pool\" {\n  addresses = [\"10.10.1.50/32\", \"10.10.1.60-10.10.1.69\"]\n}",
		Attrs: []Attr{
			{Name: "addresses", Type: cty.List(cty.String), Required: true, Rule: &PoolRange, Doc: "Addresses that nothing else uses.", Example: "[\"10.10.1.50/32\", \"10.10.1.60-10.10.1.69\"]"},
			{Name: "auto_assign", Type: cty.Bool, Default: cty.True, Doc: "Whether a Service that asks for no address gets one of these.", Example: "false"},
		},
	}
}

func l2Shape() Shape {
	return Shape{
		Type:  "l2",
		Label: Label{Name: "NAME", Rule: &ObjectName},
		Doc: "Announces pools in the nodes' own network by ARP and NDP: an L2Advertisement. One node at a time answers for an address, and another takes " +
			"over when it dies; so all of these nodes must share one network segment, over both sites.",
		Example: "l2 \"example\" {\n  pools = [\"first-pool\"]\n  nodes = [worker.w1, worker.w2]\n}",
		Attrs: []Attr{
			announcedPools(), announcingNodes(),
			{Name: "interfaces", Type: cty.List(cty.String), Default: cty.ListValEmpty(cty.String), Rule: &InterfaceName, DefaultDoc: "all", Doc: "Network interfaces to announce on.", Example: "[\"eth0\"]"},
		},
	}
}

func announcedPools() Attr {
	return Attr{Name: "pools", Type: cty.List(cty.String), Default: cty.ListValEmpty(cty.String), DefaultDoc: "all", Doc: "Names of the pools.", Example: "[\"first-pool\"]"}
}

func announcingNodes() Attr {
	return Attr{Name: "nodes", Form: FormBlocks, Roots: NodeTypes(), DefaultDoc: "all workers", Doc: "The nodes that announce. The control plane does only if it is named here.", Example: "[worker.w1, worker.w2]"}
}

func bgpShape() Shape {
	return Shape{
		Type:    "bgp",
		Label:   Label{Name: "NAME", Rule: &ObjectName},
		Doc:     "Announces pools to routers: a BGPAdvertisement. The sites then need no common network segment.",
		Example: "bgp \"upstream\" {\n  pools = [\"first-pool\"]\n  peers = [\"router-a\"]\n}",
		Attrs: []Attr{
			announcedPools(), announcingNodes(),
			{Name: "peers", Type: cty.List(cty.String), Default: cty.ListValEmpty(cty.String), DefaultDoc: "all", Doc: "Names of the `peer` blocks to announce to.", Example: "[\"router-a\"]"},
			{Name: "communities", Type: cty.List(cty.String), Default: cty.ListValEmpty(cty.String), Rule: &Community, Doc: "Communities of the announcements.", Example: "[\"65535:65281\"]"},
			{Name: "aggregation_length", Type: cty.Number, Default: cty.NumberIntVal(32), Rule: &PrefixLength, Doc: "Length of the announced IPv4 prefixes: 32 announces each address by itself.", Example: "32"},
			{Name: "local_pref", Type: cty.Number, Rule: &LocalPref, Doc: "BGP's local preference of the announcements.", Example: "100"},
		},
	}
}

func peerShape() Shape {
	return Shape{
		Type:    "peer",
		Label:   Label{Name: "NAME", Rule: &ObjectName},
		Doc:     "A router that `bgp` blocks announce to: a BGPPeer.",
		Example: "peer \"router-a\" {\n  address = \"10.10.1.1\"\n  asn     = 64501\n  my_asn  = 64500\n}",
		Attrs: []Attr{
			{Name: "address", Type: cty.String, Required: true, Rule: &SingleAddress, Doc: "The router's address.", Example: "\"10.10.1.1\""},
			{Name: "asn", Type: cty.Number, Required: true, Rule: &ASN, Doc: "The router's AS number.", Example: "64501"},
			{Name: "my_asn", Type: cty.Number, Required: true, Rule: &ASN, Doc: "The cluster's AS number.", Example: "64500"},
			{Name: "port", Type: cty.Number, Default: cty.NumberIntVal(179), Rule: &Port, Doc: "The router's port.", Example: "179"},
			{Name: "nodes", Form: FormBlocks, Roots: NodeTypes(), DefaultDoc: "all workers", Doc: "The nodes that connect to it.", Example: "[worker.w1]"},
			{Name: "hold_time", Type: cty.String, Rule: &HoldTime, DefaultDoc: "MetalLB's", Doc: "After how much silence the session counts as lost.", Example: "\"90s\""},
			{Name: "password", Type: cty.String, Secrecy: Always, Doc: "The session's TCP MD5 password.", Example: "var.bgp_password"},
		},
	}
}
