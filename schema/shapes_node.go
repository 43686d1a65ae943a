package schema

import "github.com/zclconf/go-cty/cty"

func sameName(name string) string { return name }

func siteShape() Shape {
	return Shape{
		Type:  "site",
		Root:  "site",
		Label: Label{Name: "NAME"},
		Doc: "A place whose machines fail together: a building, a power feed, a hypervisor cluster. Nodes carry its name as the label " +
			"`topology.kubernetes.io/zone`, so workloads can be spread over sites.",
		Example: "site \"a\" {\n  subnets = [\"10.10.1.0/24\"]\n}",
		Attrs: []Attr{
			{Name: "name", Type: cty.String, Rule: &LabelValue, Derive: sameName, DefaultDoc: "the label, or the key of `for_each`", Doc: "The zone's name in Kubernetes.", Example: "\"site-a\""},
			{Name: "subnets", Type: cty.List(cty.String), Default: cty.ListValEmpty(cty.String), Rule: &Network,
				Doc: "The site's networks. If given, an address of a node at this site that lies outside of them is refused: it is nearly always a slip.", Example: "[\"10.10.1.0/24\"]"},
			eachAttr("site"),
		},
	}
}

func controlPlaneShape() Shape {
	return Shape{
		Type:  "control_plane",
		Root:  "control_plane",
		Label: Label{Name: "NAME"},
		Doc: "The node that runs the control plane: exactly one in a blueprint. While it is down, the workers go on serving; nothing is " +
			"rescheduled until it is back.",
		Example: "control_plane \"cp1\" {\n  address = \"10.10.1.10\"\n  site    = site.a\n}",
		Attrs: append(nodeAttrs("the label"), Attr{Name: "schedulable", Type: cty.Bool, Default: cty.False,
			Doc: "Whether workload pods may run here. With false the node is tainted `node-role.kubernetes.io/control-plane:NoSchedule` and kept free of " +
				"them: a pod on a dead control plane cannot be moved, and its service goes on sending traffic to it.", Example: "true"}),
		Blocks: append(nodeBlocks(), manifestShape()),
		Later:  []string{"snapshots"},
	}
}

func workerShape() Shape {
	return Shape{
		Type:    "worker",
		Root:    "worker",
		Label:   Label{Name: "NAME"},
		Doc:     "A node that runs workloads. At least one; two sites need two.",
		Example: "worker \"w1\" {\n  address = \"10.10.1.11\"\n  site    = site.a\n}",
		Attrs:   append(nodeAttrs("the label, or the key of `for_each`"), eachAttr("worker")),
		Blocks:  nodeBlocks(),
	}
}

func standbyShape() Shape {
	return Shape{
		Type:  "standby",
		Root:  "standby",
		Label: Label{Name: "NAME"},
		Doc: "A machine that is ready to become the control plane when that one is lost. It does not belong to the running cluster: cxha " +
			"looks at it and leaves it alone.",
		Example: "standby \"s1\" {\n  address = \"10.10.2.10\"\n  site    = site.b\n}",
		Attrs:   append(nodeAttrs("the label, or the key of `for_each`"), eachAttr("standby")),
		Blocks:  nodeBlocks(),
	}
}

func nodeAttrs(defaultName string) []Attr {
	return []Attr{
		{Name: "address", Type: cty.String, Required: true, Rule: &Address,
			Doc: "The IP address by which the other nodes and cxha reach the host. RKE2 uses it as the node's address.", Example: "\"10.10.1.11\""},
		{Name: "name", Type: cty.String, Rule: &NodeName, Derive: sameName, DefaultDoc: defaultName,
			Doc: "The node's name in Kubernetes. A node that gets another name is another node: the old one is planned for removal.", Example: "\"cx-worker-1\""},
		{Name: "site", Form: FormBlock, Of: "site", Doc: "Where the host stands.", Example: "site.a"},
		{Name: "labels", Type: cty.Map(cty.String), Default: cty.MapValEmpty(cty.String), Rule: &LabelValue, KeyRule: &LabelKey,
			Doc: "Labels of the node, besides those that cxha sets itself (zone, role, cluster). A label that is taken out here is taken off the node; " +
				"labels that others set stay.", Example: "{ \"cx.example/tier\" = \"app\" }"},
		{Name: "config", Type: cty.DynamicPseudoType, Secrecy: Keeps,
			Doc: "More options for `/etc/rancher/rke2/config.yaml`, as RKE2 names them. What cxha sets from other attributes is refused here, and so are options that the " +
				"cluster's version of RKE2 does not have for this role, and values that it could not read. A change restarts RKE2.",
			Example: "{ kubelet-arg = [\"max-pods=200\"] }"},
		uncheckedAttr(),
		{Name: "depends_on", Form: FormBlocks, Roots: append(NodeTypes(), "cluster"), Doc: "Nodes that have to be done before this one. Only for what the other attributes do not say.", Example: "[worker.w1]"},
	}
}

// uncheckedAttr is the way through for what cxha does not know of RKE2.
func uncheckedAttr() Attr {
	return Attr{Name: "unchecked_config", Type: cty.DynamicPseudoType, Secrecy: Keeps,
		Doc: "Options as in `config` that are written as they are: for a release of RKE2 that has an option of which cxha does not know. RKE2 leaves out what it " +
			"does not know either, with a warning in its log only.",
		Example: "{ new-option = [\"value\"] }"}
}

func eachAttr(typ string) Attr {
	return Attr{Name: "for_each", Form: FormEach,
		Doc: "Makes one " + typ + " for each element, with `each.key` and `each.value` inside. Others refer to them as `" + typ + ".NAME[\"key\"]`.", Example: "var.extra"}
}

func nodeBlocks() []Shape {
	return []Shape{nodeSSHShape(), taintShape(), fileShape(), directoryShape(), dropInShape()}
}

// nodeSSHShape has no defaults of its own.
func nodeSSHShape() Shape {
	s := sshShape()
	s.Doc = "How this host is reached, where that differs from the cluster's `ssh`: attribute by attribute, the bastion as a whole."
	for i := range s.Attrs {
		s.Attrs[i].Default, s.Attrs[i].DefaultDoc = cty.NilVal, "the cluster's"
	}
	return s
}

func taintShape() Shape {
	return Shape{
		Type:    "taint",
		Doc:     "Keeps pods off the node that do not tolerate it. Taints that others set stay.",
		Example: "taint {\n  key    = \"cx.example/reporting\"\n  value  = \"true\"\n  effect = \"NoSchedule\"\n}",
		Attrs: []Attr{
			{Name: "key", Type: cty.String, Required: true, Rule: &LabelKey, Doc: "The taint's key.", Example: "\"cx.example/reporting\""},
			{Name: "value", Type: cty.String, Default: cty.StringVal(""), Rule: &LabelValue, Doc: "The taint's value.", Example: "\"true\""},
			{Name: "effect", Type: cty.String, Required: true, Rule: &TaintEffect, Doc: "`NoSchedule`, `PreferNoSchedule`, or `NoExecute`, which also evicts what runs there.", Example: "\"NoSchedule\""},
		},
	}
}

func fileShape() Shape {
	return Shape{
		Type:    "file",
		Label:   Label{Name: "PATH", Rule: &AbsolutePath},
		Doc:     "A file on the host. Taken out of the blueprint, it is removed from the host.",
		Example: "file \"/etc/motd\" {\n  content = \"Managed by cxha.\\n\"\n}",
		Attrs: append([]Attr{
			{Name: "content", Type: cty.String, Required: true, Secrecy: Keeps, Doc: "The whole content.", Example: "file(\"motd\")"},
		}, ownerAttrs("0644")...),
	}
}

func directoryShape() Shape {
	return Shape{
		Type:    "directory",
		Label:   Label{Name: "PATH", Rule: &AbsolutePath},
		Doc:     "A directory on the host. Taken out of the blueprint, it is removed if it is empty.",
		Example: "directory \"/srv/cx\" {\n  mode = \"0750\"\n}",
		Attrs:   ownerAttrs("0755"),
	}
}

func ownerAttrs(mode string) []Attr {
	return []Attr{
		{Name: "owner", Type: cty.String, Default: cty.StringVal("root:root"), Rule: &Owner, Doc: "User and group.", Example: "\"root:root\""},
		{Name: "mode", Type: cty.String, Default: cty.StringVal(mode), Rule: &Mode, Doc: "Permissions, octal.", Example: "\"0600\""},
	}
}

func dropInShape() Shape {
	return Shape{
		Type:  "drop_in",
		Label: Label{Name: "NAME", Rule: &YAMLName},
		Doc: "A file in `/etc/rancher/rke2/config.yaml.d`, which RKE2 reads after config.yaml, in the order of the names. For options as " +
			"a YAML text of its own; otherwise `config` is simpler. A change restarts RKE2.",
		Example: "drop_in \"50-kubelet.yaml\" {\n  content = \"kubelet-arg+: [max-pods=200]\\n\"\n}",
		Attrs: []Attr{
			{Name: "content", Type: cty.String, Required: true, Doc: "YAML with options of RKE2. It is shown in plans: options with secrets belong into `config`.", Example: "yamlencode({ kubelet-arg = [\"max-pods=200\"] })"},
		},
	}
}

func manifestShape() Shape {
	return Shape{
		Type:  "manifest",
		Label: Label{Name: "NAME", Rule: &YAMLName},
		Doc: "A file in RKE2's manifests directory. It is there before the first start, which is the only way to configure RKE2's own charts " +
			"(a HelmChartConfig) before they are installed.",
		Example: "manifest \"rke2-coredns-config.yaml\" {\n  content = file(\"coredns.yaml\")\n}",
		Attrs: []Attr{
			{Name: "content", Type: cty.String, Required: true, Doc: "YAML with Kubernetes objects. It is shown in plans.", Example: "file(\"coredns.yaml\")"},
		},
	}
}

// NodeTypes lists the block types that describe hosts.
func NodeTypes() []string { return []string{"control_plane", "worker", "standby"} }
