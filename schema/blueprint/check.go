package blueprint

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/mod/semver"

	"github.com/expertflow/cxha/schema"
)

// check reports what is wrong between values that are each right by themselves.
func (l *loader) check() {
	l.checkNumbers()
	l.checkNames()
	l.checkAddresses()
	l.checkSites()
	if l.cluster != nil {
		l.checkVersion()
		l.checkLock()
		l.checkEndpoint()
		l.checkTokens()
		l.checkNetworks()
		l.checkPortRange()
		l.checkRegistries()
		l.checkConfig(l.cluster, "every node")
	}
	for _, n := range l.nodes {
		l.checkNode(n)
	}
	for _, b := range l.balancers {
		l.checkBalancer(b)
	}
	l.checkReleases()
	l.checkIngresses()
	l.checkStorages()
}

// checkNumbers makes sure of one cluster, one control plane and a worker.
func (l *loader) checkNumbers() {
	l.checkOne("cluster", "A blueprint describes one cluster.")
	l.checkOne("control_plane", "This kind of cluster has one control plane; a machine that is to replace it is a standby.")
	workers := l.each("worker")
	failed := slices.ContainsFunc(workers, func(u *unit) bool { return u.failed })
	if len(l.bp.Workers) == 0 && !failed && l.complete() && !l.mentioned("worker") {
		where := l.start()
		if len(workers) > 0 {
			where = workers[0].header()
		}
		l.report(mistake(where, "No worker", "The blueprint has no worker, and without one nothing can run: the control plane is kept free of workloads. Add a block worker %q { address = ... }, for two sites one at each.", "w1"))
	}
}

func (l *loader) checkOne(root, reason string) {
	units := l.each(root)
	if len(units) == 0 && l.complete() && !l.mentioned(root) && len(l.hidden[root]) == 0 {
		shape, _ := l.shape(root)
		l.report(mistake(l.start(), "Missing block", "The blueprint has no block of type %s. %s Add one:\n\n%s", root, reason, indent(shape.Example)))
	}
	for _, u := range units[min(1, len(units)):] {
		l.report(mistake(u.header(), "Too many blocks", "There is %s at %s already. %s", units[0], at(units[0].header()), reason))
	}
}

// start is where a diagnostic about something that is nowhere points to: the first file's first line.
func (l *loader) start() hcl.Range {
	return hcl.Range{Filename: l.files[0].body.SrcRange.Filename, Start: hcl.InitialPos, End: hcl.InitialPos}
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.ReplaceAll(s, "\n", "\n  "), "\n  \n", "\n\n")
}

// checkNames reports nodes that share a name.
func (l *loader) checkNames() {
	first := map[string]*built{}
	for _, n := range l.nodes {
		if n.Name == "" {
			continue
		}
		if prev, dup := first[n.Name]; dup {
			l.report(n.sec.mistake("name", "Two nodes of one name", "%s and %s are both called %q. A node's name is its identity: the second to register would be refused, because the name is taken with another password. Give one of them another name.", prev.Addr, n.Addr, n.Name))
			continue
		}
		first[n.Name] = n
	}
	sites := map[string]Site{}
	for _, s := range l.bp.Sites {
		if prev, dup := sites[s.Name]; dup && s.Name != "" {
			l.report(mistake(s.Source.Attr("name"), "Two sites of one name", "%s and %s are both called %q, so nodes of the two could not be told apart by their zone.", prev.Addr, s.Addr, s.Name))
		}
		sites[s.Name] = s
	}
}

func (l *loader) checkAddresses() {
	first := map[netip.Addr]*built{}
	for _, n := range l.nodes {
		if !n.Address.IsValid() {
			continue
		}
		if prev, dup := first[n.Address]; dup {
			l.report(n.sec.mistake("address", "Two nodes of one address", "%s and %s both have the address %s. Two hosts cannot share one; one of the two is probably a copy whose address was not changed.", prev.Addr, n.Addr, n.Address))
			continue
		}
		first[n.Address] = n
	}
}

// checkSites resolves the sites of nodes and compares addresses with the sites' networks.
func (l *loader) checkSites() {
	var names []string
	for _, s := range l.bp.Sites {
		names = append(names, s.Name)
	}
	unsure := !l.complete() || len(l.hidden["site"]) > 0 || slices.ContainsFunc(l.each("site"), func(u *unit) bool { return u.failed }) || slices.Contains(names, "")
	outside, inside := map[string][]*built{}, map[string]bool{}
	for _, n := range l.nodes {
		i := slices.Index(names, n.Site)
		switch {
		case n.Site == "":
		case i < 0 && !unsure && !l.mentioned(n.Site):
			l.report(n.sec.mistake("site", "Unknown site", "There is no site called %q.%s", n.Site, didYouMeanOf(n.Site, names)))
		case i < 0 || !n.Address.IsValid() || len(l.bp.Sites[i].Subnets) == 0:
		case slices.ContainsFunc(l.bp.Sites[i].Subnets, func(p netip.Prefix) bool { return p.Contains(n.Address) }):
			inside[n.Site] = true
		default:
			outside[n.Site] = append(outside[n.Site], n)
		}
	}
	for _, s := range l.bp.Sites {
		l.reportOutside(s, outside[s.Name], inside[s.Name])
	}
}

// reportOutside tells which nodes have addresses outside of their site's networks: as one mistake where no node is inside, for then
// the networks are wrong.
func (l *loader) reportOutside(s Site, nodes []*built, others bool) {
	if len(nodes) > 1 && !others {
		texts := make([]string, len(nodes))
		for i, n := range nodes {
			texts[i] = fmt.Sprintf("%s (%s)", n.Addr, n.Address)
		}
		l.report(mistake(s.Source.Attr("subnets"), "Addresses outside of their site", "No node of %s has an address in its networks (%s): %s. Correct the networks, or the addresses.", s.Addr, join(s.Subnets), strings.Join(texts, ", ")))
		return
	}
	for _, n := range nodes {
		l.report(n.sec.mistake("address", "Address outside of its site", "%s has the address %s, which lies in none of the networks of %s (%s, at %s). Correct the address or the site, or add the network to the site.",
			n.Addr, n.Address, s.Addr, join(s.Subnets), at(s.Source.Attr("subnets"))))
	}
}

func join[T fmt.Stringer](list []T) string {
	texts := make([]string, len(list))
	for i, t := range list {
		texts[i] = t.String()
	}
	return strings.Join(texts, ", ")
}

// oldestMinor is the oldest minor version of RKE2 that still got releases in August 2026 (domain.md §2.1).
const oldestMinor = "v1.33"

func (l *loader) checkVersion() {
	v := l.bp.Cluster.Version
	if v != "" && semver.Compare(semver.MajorMinor(v), oldestMinor) < 0 {
		d := l.cluster.mistake("version", "Version without support", "RKE2 %s gets no more fixes: %s was the oldest line with releases in August 2026. cxha is made for the lines from there on; plan an upgrade, one minor version at a time.", v, oldestMinor)
		d.Severity = hcl.DiagWarning
		l.report(d)
	}
}

func (l *loader) checkEndpoint() {
	endpoint := address(l.bp.Cluster.Endpoint)
	if problem := schema.DNSLabel.Check(l.bp.Cluster.Name); problem != "" {
		l.report(mistake(l.cluster.scope.header, "Invalid cluster name", "The cluster's name is used in labels and host names. %s", problem))
	}
	if !endpoint.IsValid() {
		return
	}
	for _, n := range l.nodes {
		if n.Address == endpoint && n.Role != ControlPlane {
			l.report(l.cluster.mistake("endpoint", "Endpoint is not the control plane", "The endpoint %s is the address of %s. Agents look for the control plane there, and would never find it. Use a name such as cp.%s.internal, or the address of the control plane.", endpoint, n.Addr, l.bp.Cluster.Name))
			return
		}
	}
	d := l.cluster.mistake("endpoint", "Endpoint is an address", "With an address here, restoring the control plane on another machine means to edit the configuration of every worker and to restart it. With a name, such as cp.%s.internal, only the name has to move; cxha keeps it in every node's hosts file.", l.bp.Cluster.Name)
	d.Severity = hcl.DiagWarning
	l.report(d)
}

func (l *loader) checkTokens() {
	server, agent := l.cluster.str("token"), l.cluster.str("agent_token")
	if server != "" && server == agent {
		l.report(mistake(l.cluster.scope.header, "One token for servers and agents", "token and agent_token are the same. The token of servers makes an administrator of whoever reads it on a worker, and decrypts snapshots. Give agents another one, or leave agent_token out and cxha makes it."))
	}
}
