package rke2_test

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/plans"
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/host"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/providers/rke2"
	"github.com/expertflow/cxha/schema"
)

// fresh undoes what the cases do to a sandbox's host.
const fresh = `[ ! -x /usr/local/bin/rke2-uninstall.sh ] || /usr/local/bin/rke2-uninstall.sh > /dev/null 2>&1
rm -rf /usr/local/bin/rke2* /srv/n /var/lib/cxha /etc/rancher /var/lib/rancher
`

func TestIntegrationKindsKeepTheContract(t *testing.T) {
	t.Parallel()
	sandbox := providertest.StartSandbox(t)
	w1 := sandbox.Host(t, "w1")
	providertest.Converge(t, w1, providertest.Kind(t, host.New(), "host.endpoint"), // the mirror's name stands in the hosts file too
		providertest.Compile(t, host.New(), sandbox.Blueprint)["worker.w1/host.endpoint"])
	suite := providertest.HostSuite{
		Host: func(*testing.T) providertest.Runner { return w1 },
		Tree: "find /etc /var /srv /usr -type f | sort | xargs sha256sum\nfind / | sort | xargs ls -ld\n",
	}
	for name, c := range cases(t) {
		c.Reset = fresh
		switch name {
		case "service": // TestIntegrationBootAndJoin
			continue
		case "install":
			install := sandbox.Blueprint.Cluster.Install
			c.Prepare = ""
			c.Resource.Desired = withAttr(withAttr(c.Resource.Desired, "script", cty.StringVal(install.Script)), "artifacts", cty.StringVal(install.Artifacts))
		}
		t.Run(name, func(t *testing.T) { suite.Run(t, c) })
	}
}

// node is a host on which a blueprint's resources are made right one by one, as the engine does by the graph.
type node struct {
	t     *testing.T
	run   providertest.Runner
	block string
	rs    map[string]providers.Resource
	kinds map[string]providers.HostKind
}

func newNode(t *testing.T, s *providertest.Sandbox, block, name string) *node {
	t.Helper()
	n := &node{t: t, run: s.Host(t, name), block: block, rs: map[string]providers.Resource{}, kinds: map[string]providers.HostKind{}}
	for _, p := range []providers.Provider{host.New(), rke2.New(rke2.Options{})} {
		for addr, r := range providertest.Compile(t, p, s.Blueprint) {
			n.rs[addr] = r
		}
		for _, k := range p.Kinds() {
			if hk, ok := k.(providers.HostKind); ok {
				n.kinds[k.Type().Name] = hk
			}
		}
	}
	return n
}

func (n *node) resource(kind string, inputs map[string]cty.Value) (providers.HostKind, providers.Resource) {
	n.t.Helper()
	r, ok := n.rs[n.block+"/"+kind]
	if !ok {
		n.t.Fatalf("%s/%s was not compiled", n.block, kind)
	}
	for name, v := range inputs {
		r.Desired = withAttr(r.Desired, name, v)
	}
	return n.kinds[kind], r
}

func (n *node) converge(kind string, inputs map[string]cty.Value) cty.Value {
	n.t.Helper()
	k, r := n.resource(kind, inputs)
	return providertest.Converge(n.t, n.run, k, r)
}

func (n *node) must(script string) {
	n.t.Helper()
	reply, err := n.run(n.t.Context(), script)
	if err != nil || reply.Exit != 0 {
		n.t.Fatalf("%v, exit code %d: %s", err, reply.Exit, reply.Stderr)
	}
}

func TestIntegrationBootAndJoin(t *testing.T) {
	t.Parallel()
	sandbox := providertest.StartSandbox(t)
	cp, w1 := newNode(t, sandbox, "control_plane.cp1", "cp1"), newNode(t, sandbox, "worker.w1", "w1")
	for _, n := range []*node{cp, w1} {
		n.converge("host.endpoint", nil)
		n.converge("rke2.install", nil)
		n.converge("rke2.config", nil)
	}
	tokens := cp.converge("rke2.token", nil)
	digests := map[string]cty.Value{"server_token": tokens.GetAttr("server_digest"), "agent_token": tokens.GetAttr("agent_digest")}
	cp.converge("rke2.service", digests)

	k, r := cp.resource("rke2.token", nil)
	if change, ok := providertest.Changes(t, cp.run, k, r); ok || change.Before.GetAttr("bootstrapped").False() {
		t.Errorf("after the start the tokens are\n%#v\nwant no change, and the cluster bootstrapped", change.Before)
	}
	given := withAttr(r.Desired, "server_token", schema.Secret("another"))
	if _, err := k.(providers.Explainer).Explain(plans.Change{Addr: r.Addr, Host: "cp1", Before: tokensOf(t, cp), After: given}); err == nil {
		t.Error("another server token for a started cluster was not refused")
	}

	t.Run("wrong token", func(t *testing.T) {
		w1.converge("rke2.agent_token", map[string]cty.Value{"token": schema.Secret("wrong")})
		k, r := w1.resource("rke2.service", map[string]cty.Value{"agent_token": schema.Secret("digest of the wrong one")})
		change, _ := providertest.Changes(t, w1.run, k, r)
		s, err := k.Commands(change)
		if err != nil {
			t.Fatal(err)
		}
		w1.must(s.Text())
		err = providertest.Wait(t, w1.run, k.(providers.Awaiter).Await(change))
		if err == nil || !strings.Contains(err.Error(), "does not accept the token in /etc/rancher/rke2/agent-token") {
			t.Errorf("the wait ended with %v, want a hint at the token", err)
		}
	})
	w1.converge("rke2.agent_token", map[string]cty.Value{"token": tokens.GetAttr("agent_token")})
	agent := map[string]cty.Value{"agent_token": tokens.GetAttr("agent_digest")}
	w1.converge("rke2.service", agent)

	k, r = w1.resource("rke2.service", agent)
	t.Run("edited, not restarted", func(t *testing.T) {
		w1.must("echo 'selinux: true' >> /etc/rancher/rke2/config.yaml")
		if change, ok := providertest.Changes(t, w1.run, k, r); ok {
			t.Errorf("planned is %s (%s): the process knows nothing of the edit", change.Action, change.Reason.Text)
		}
		w1.converge("rke2.config", nil)
		w1.converge("rke2.service", agent)
	})
	t.Run("edited and restarted", func(t *testing.T) {
		w1.must("echo 'node-label: [a=b]' >> /etc/rancher/rke2/config.yaml.d/x.yaml || { mkdir -p /etc/rancher/rke2/config.yaml.d && echo 'node-label: [a=b]' > /etc/rancher/rke2/config.yaml.d/x.yaml; }\nsystemctl restart rke2-agent")
		if _, ok := providertest.Changes(t, w1.run, k, r); !ok {
			t.Error("a restart with another configuration is not seen")
		}
		w1.must("rm /etc/rancher/rke2/config.yaml.d/x.yaml")
		w1.converge("rke2.service", agent)
	})
	t.Run("restarted", func(t *testing.T) {
		w1.must("systemctl restart rke2-agent")
		if change, ok := providertest.Changes(t, w1.run, k, r); ok {
			t.Errorf("planned is %s (%s): it is the same configuration", change.Action, change.Reason.Text)
		}
	})
	t.Run("stopped and disabled", func(t *testing.T) {
		w1.must("systemctl disable --now rke2-agent 2> /dev/null")
		w1.converge("rke2.service", agent)
	})
	t.Run("uninstalled", func(t *testing.T) {
		k, r := w1.resource("rke2.install", nil)
		r.Desired = cty.NullVal(cty.DynamicPseudoType)
		change, ok := providertest.Changes(t, w1.run, k, r)
		if !ok || change.Action != plans.Delete {
			t.Fatalf("planned is %s, want delete", change.Action)
		}
		s, err := k.Commands(change)
		if err != nil {
			t.Fatal(err)
		}
		w1.must("set -eu\n" + s.Text())
		w1.must("set -eu\n" + s.Text())
		w1.must("[ ! -e /usr/local/bin/rke2 ] && [ ! -e /var/lib/cxha ] && [ ! -e /etc/rancher/rke2 ] && ! grep -q '# cxha' /etc/hosts")
	})
}

func tokensOf(t *testing.T, cp *node) cty.Value {
	t.Helper()
	k, r := cp.resource("rke2.token", nil)
	change, _ := providertest.Changes(t, cp.run, k, r)
	return change.Before
}
