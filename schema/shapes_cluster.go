package schema

import (
	"strings"

	"github.com/zclconf/go-cty/cty"
)

func clusterShape() Shape {
	return Shape{
		Type:  "cluster",
		Root:  "cluster",
		Label: Label{Name: "NAME"},
		Doc: "The cluster as a whole: exactly one in a blueprint. The label is the cluster's name; nodes carry it as the label " +
			"`cxha.io/cluster`.",
		Example: "cluster \"cx\" {\n  version  = \"v1.35.7+rke2r1\"\n  endpoint = \"cp.cx.internal\"\n\n  ssh {\n    user = \"ops\"\n  }\n}",
		Attrs:   append(clusterAttrs(), clusterNodeAttrs()...),
		Blocks:  []Shape{sshShape(), installShape(), tokenCopyShape()},
	}
}

func clusterAttrs() []Attr {
	return []Attr{
		{Name: "version", Type: cty.String, Required: true, Rule: &Version,
			Doc: "RKE2's version on every node, exact: a restore needs the same or a newer minor version, so \"the latest\" is no answer.", Example: "\"v1.35.7+rke2r1\""},
		{Name: "endpoint", Type: cty.String, Rule: &HostName, DefaultDoc: "`cp.NAME.internal`",
			Derive: func(name string) string { return "cp." + strings.ToLower(name) + ".internal" },
			Doc: "The name by which workers find the control plane. cxha keeps it in `/etc/hosts` of every node and in the API's certificate, " +
				"so it needs no DNS. A name and not an address: when the control plane comes back on another machine, only the name has to move.", Example: "\"cp.cx.internal\""},
		{Name: "pod_cidr", Type: cty.String, Default: cty.StringVal("10.42.0.0/16"), Rule: &Network,
			Doc: "Addresses of pods; each node takes a /24 of it. It must not overlap the hosts' networks and cannot be changed once the cluster runs.", Example: "\"10.42.0.0/16\""},
		{Name: "service_cidr", Type: cty.String, Default: cty.StringVal("10.43.0.0/16"), Rule: &Network,
			Doc: "Addresses of services. As for `pod_cidr`: apart from all other networks, and final.", Example: "\"10.43.0.0/16\""},
		{Name: "cni", Type: cty.String, Default: cty.StringVal("canal"), Rule: &CNI,
			Doc: "The pod network: `canal`, `calico`, `cilium`, `flannel`, or `none` to bring your own; `multus,` before it puts Multus in front. It cannot be changed once the cluster runs.", Example: "\"canal\""},
		{Name: "firewall", Type: cty.String, Default: cty.StringVal(FirewallOff), Rule: &HostFirewall,
			Doc: "What happens to ufw and firewalld on the nodes: `off` switches a running one off, now and at every boot, because its rules and those of the pod network undo each other; " +
				"removing a node from the blueprint switches on again what cxha switched off there. `keep` leaves them as they are: you open the ports of RKE2 and of the pod network yourself.", Example: "\"keep\""},
		{Name: "token", Type: cty.String, Secrecy: Always, Rule: &Token, DefaultDoc: "made by cxha",
			Doc: "The secret that servers join with. It also encrypts the CA keys inside snapshots: without it, no snapshot can be restored. Leave it " +
				"out and cxha makes one, keeps it on the control plane and, if `token_copy` is given, encrypted beside the blueprint.", Example: "var.token"},
		{Name: "agent_token", Type: cty.String, Secrecy: Always, Rule: &Token, DefaultDoc: "made by cxha",
			Doc: "The secret that workers join with. It differs from `token`, so a lost worker does not give away the control plane.", Example: "var.agent_token"},
	}
}

// Defaults of modules and sysctl: domain.md §2.4 (modules of the units), §2.7 (inotify) and §1.3 (forwarding).
func clusterNodeAttrs() []Attr {
	sysctl := cty.MapVal(map[string]cty.Value{
		"fs.inotify.max_user_instances": cty.StringVal("8192"),
		"fs.inotify.max_user_watches":   cty.StringVal("524288"),
		"net.ipv4.ip_forward":           cty.StringVal("1"),
	})
	return []Attr{
		{Name: "modules", Type: cty.List(cty.String), Default: cty.ListVal([]cty.Value{cty.StringVal("br_netfilter"), cty.StringVal("overlay")}), Merge: true, Rule: &Module,
			Doc: "Kernel modules that every node loads, now and at each boot. Yours are added to the default.", Example: "[\"ip_vs\"]"},
		{Name: "sysctl", Type: cty.Map(cty.String), Default: sysctl, Merge: true, Rule: &OneLine, KeyRule: &SysctlName,
			Doc:     "Kernel settings of every node, in `/etc/sysctl.d/90-cxha.conf` and in the running kernel. Yours are added to the default; null takes one of it out.",
			Example: "{ \"vm.max_map_count\" = 262144 }"},
		{Name: "config", Type: cty.DynamicPseudoType, Secrecy: Keeps,
			Doc: "More options for `/etc/rancher/rke2/config.yaml` of every node, as RKE2 names them. A node's own `config` wins. Options that only " +
				"servers read belong into the `control_plane` block.", Example: "{ kubelet-arg = [\"container-log-max-size=10Mi\"] }"},
		uncheckedAttr(),
		{Name: "registries", Type: cty.DynamicPseudoType, Secrecy: Keeps,
			Doc:     "Content of `/etc/rancher/rke2/registries.yaml` on every node: mirrors of image registries, and how to log in to them.",
			Example: "{ mirrors = { \"docker.io\" = { endpoint = [\"https://registry.cx.internal\"] } } }"},
	}
}

func installShape() Shape {
	return Shape{
		Type:    "install",
		Single:  true,
		Doc:     "Where RKE2 comes from. Set both for a site without internet.",
		Example: "install {\n  script    = \"https://mirror.cx.internal/install.sh\"\n  artifacts = \"https://mirror.cx.internal/rke2\"\n}",
		Attrs: []Attr{
			{Name: "script", Type: cty.String, Default: cty.StringVal("https://get.rke2.io"), Rule: &WebAddress, Doc: "Address of the install script.", Example: "\"https://mirror.cx.internal/install.sh\""},
			{Name: "artifacts", Type: cty.String, Rule: &WebAddress, DefaultDoc: "RKE2's release page",
				Doc: "Address below which the script finds VERSION/rke2.linux-ARCH.tar.gz and its checksums (`INSTALL_RKE2_ARTIFACT_URL`).", Example: "\"https://mirror.cx.internal/rke2\""},
		},
	}
}

func tokenCopyShape() Shape {
	return Shape{
		Type:    "token_copy",
		Single:  true,
		Doc:     "An encrypted copy of the tokens outside of the cluster. A snapshot without its token cannot be restored, so keep one.",
		Example: "token_copy {\n  path       = \"tokens.age\"\n  recipients = [\"age1...\"]\n}",
		Attrs: []Attr{
			{Name: "path", Type: cty.String, Required: true, Doc: "The file, relative to the blueprint's directory.", Example: "\"tokens.age\""},
			{Name: "recipients", Type: cty.List(cty.String), Required: true, Rule: &Recipient,
				Doc: "Who can decrypt it: public keys of age (`age1...`) or SSH (`ssh-ed25519 ...`, `ssh-rsa ...`).", Example: "[\"age1...\", \"ssh-ed25519 AAAA... ops\"]"},
		},
	}
}

func sshShape() Shape {
	return Shape{
		Type:   "ssh",
		Single: true,
		Doc: "How hosts are reached. One connection for each host carries everything, the Kubernetes API included: 6443 needs no opening towards you. " +
			"The user needs sudo without password, or is root. Host keys are always checked.",
		Example: "ssh {\n  user = \"ops\"\n  key  = \"~/.ssh/cx\"\n}",
		Attrs: []Attr{
			{Name: "user", Type: cty.String, Default: cty.StringVal("root"), Rule: &UserName, Doc: "The user to log in as.", Example: "\"ops\""},
			{Name: "port", Type: cty.Number, Default: cty.NumberIntVal(22), Rule: &Port, Doc: "The port of the SSH server.", Example: "2222"},
			{Name: "key", Type: cty.String, DefaultDoc: "the agent's keys", Doc: "File with the private key. `~` is your home; other relative paths start at the blueprint's directory.", Example: "\"~/.ssh/cx\""},
			{Name: "known_hosts", Type: cty.String, Default: cty.StringVal("~/.ssh/known_hosts"),
				Doc: "File with the host keys. A host whose key is not in it is refused. Paths as for `key`.", Example: "\"known_hosts\""},
			{Name: "agent", Type: cty.Bool, DefaultDoc: "true where there is no `key`", Doc: "Use the keys of the running SSH agent.", Example: "true"},
		},
		Blocks: []Shape{{
			Type:    "bastion",
			Single:  true,
			Doc:     "The host through which all others are reached.",
			Example: "bastion {\n  address = \"bastion.cx.example\"\n}",
			Attrs: []Attr{
				{Name: "address", Type: cty.String, Required: true, Rule: &HostName, Doc: "Its name or address.", Example: "\"bastion.cx.example\""},
				{Name: "port", Type: cty.Number, Default: cty.NumberIntVal(22), Rule: &Port, Doc: "The port of its SSH server.", Example: "22"},
				{Name: "user", Type: cty.String, Rule: &UserName, DefaultDoc: "the user of `ssh`", Doc: "The user there.", Example: "\"jump\""},
				{Name: "key", Type: cty.String, DefaultDoc: "as for the hosts", Doc: "File with the private key for it.", Example: "\"~/.ssh/jump\""},
			},
		}},
	}
}
