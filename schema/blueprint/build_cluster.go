package blueprint

import (
	"path/filepath"
	"slices"

	"github.com/zclconf/go-cty/cty"
)

func (l *loader) buildCluster() {
	l.config = cty.NullVal(cty.DynamicPseudoType)
	l.bp.Cluster.SSH = l.ssh(SSH{}, nil)
	units := l.each("cluster")
	if len(units) == 0 {
		return
	}
	u := units[0]
	s := u.insts[0].sec
	l.cluster, l.config = s, ownConfig(s)
	modules := s.strs("modules")
	slices.Sort(modules)
	l.bp.Cluster = Cluster{
		Addr: u.addr(""), Source: s.source(), Name: u.name, Version: s.str("version"), Endpoint: s.str("endpoint"),
		PodCIDR: prefix(s.str("pod_cidr")), ServiceCIDR: prefix(s.str("service_cidr")), CNI: s.str("cni"), Firewall: s.str("firewall"),
		SSH: l.ssh(l.bp.Cluster.SSH, s), Install: install(s),
		Token: s.get("token"), AgentToken: s.get("agent_token"), TokenCopy: l.tokenCopy(s),
		Modules: modules, Sysctl: s.strMap("sysctl"), Registries: s.get("registries"),
	}
}

func install(s *section) Install {
	in, ok := s.section("install")
	if !ok {
		shape, _ := s.shape.Block("install")
		in = newSection(s.scope, shape)
		for i := range shape.Attrs {
			in.fields[shape.Attrs[i].Name] = absent(s.scope, &shape.Attrs[i])
		}
	}
	return Install{Script: in.str("script"), Artifacts: in.str("artifacts")}
}

func (l *loader) tokenCopy(s *section) TokenCopy {
	t, ok := s.section("token_copy")
	if !ok {
		return TokenCopy{}
	}
	return TokenCopy{Path: l.path(t, "path"), Recipients: t.strs("recipients")}
}

// ssh returns base with what the ssh block of a section sets. Without a section it returns the defaults of the shape.
func (l *loader) ssh(base SSH, s *section) SSH {
	if s == nil {
		known, err := l.env.path(l.dir, "~/.ssh/known_hosts")
		if err != nil {
			known = filepath.Join(l.dir, "known_hosts")
		}
		return SSH{User: "root", Port: 22, KnownHosts: known, Agent: true}
	}
	b, ok := s.section("ssh")
	if !ok {
		return base
	}
	out := base
	if b.fields["user"].given && b.usable("user") {
		out.User = b.str("user")
	}
	if b.fields["port"].given && b.usable("port") {
		out.Port = b.integer("port")
	}
	if b.usable("key") {
		out.Key, out.Agent = l.path(b, "key"), false
	}
	if b.fields["known_hosts"].given && b.usable("known_hosts") {
		out.KnownHosts = l.path(b, "known_hosts")
	}
	if b.usable("agent") {
		out.Agent = b.boolean("agent")
	}
	if bastion, ok := b.section("bastion"); ok {
		out.Bastion = l.bastion(bastion, out)
	}
	return out
}

func (l *loader) bastion(s *section, of SSH) *Bastion {
	b := &Bastion{Address: s.str("address"), User: s.str("user"), Port: s.integer("port"), Key: l.path(s, "key")}
	if b.User == "" {
		b.User = of.User
	}
	return b
}

// path returns an attribute that names a file of the machine that cxha runs on, absolute.
func (l *loader) path(s *section, name string) string {
	if !s.usable(name) || s.str(name) == "" {
		return ""
	}
	path, err := l.env.path(l.dir, s.str(name))
	if err != nil {
		l.report(mistake(s.fields[name].at, "Cannot resolve path", "%q cannot be made absolute: %s.", s.str(name), err))
	}
	return path
}
