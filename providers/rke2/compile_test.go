package rke2_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/providertest"
	"github.com/expertflow/cxha/providers/rke2"
	"github.com/expertflow/cxha/schema/rke2options"
)

func TestCompile(t *testing.T) {
	t.Parallel()
	const want = `control_plane.cp1/rke2.config
control_plane.cp1/rke2.install
control_plane.cp1/rke2.manifest["rke2-canal-config.yaml"]
control_plane.cp1/rke2.manifest["rke2-coredns-config.yaml"]
control_plane.cp1/rke2.membership
control_plane.cp1/rke2.registries
control_plane.cp1/rke2.service <-
    agent_token=control_plane.cp1/rke2.token.agent_digest
    control_plane.cp1/host.endpoint
    control_plane.cp1/host.firewall
    control_plane.cp1/host.modules
    control_plane.cp1/host.network_manager
    control_plane.cp1/host.sysctl
    control_plane.cp1/rke2.config
    control_plane.cp1/rke2.install
    control_plane.cp1/rke2.manifest["rke2-canal-config.yaml"]
    control_plane.cp1/rke2.manifest["rke2-coredns-config.yaml"]
    control_plane.cp1/rke2.registries
    control_plane.cp1/rke2.token
    server_token=control_plane.cp1/rke2.token.server_digest
control_plane.cp1/rke2.token
worker.w1/rke2.agent_token <-
    token=control_plane.cp1/rke2.token.agent_token
worker.w1/rke2.config <-
    control_plane.cp1/rke2.token
worker.w1/rke2.drop_in["50-kubelet.yaml"] <-
    control_plane.cp1/rke2.token
worker.w1/rke2.install <-
    control_plane.cp1/rke2.token
worker.w1/rke2.membership
worker.w1/rke2.registries <-
    control_plane.cp1/rke2.token
worker.w1/rke2.service <-
    agent_token=control_plane.cp1/rke2.token.agent_digest
    cluster.cx/kube.inventory
    control_plane.cp1/rke2.service
    worker.w1/host.endpoint
    worker.w1/host.firewall
    worker.w1/host.modules
    worker.w1/host.network_manager
    worker.w1/host.sysctl
    worker.w1/rke2.agent_token
    worker.w1/rke2.config
    worker.w1/rke2.drop_in["50-kubelet.yaml"]
    worker.w1/rke2.install
    worker.w1/rke2.registries
`
	bp := sample()
	bp.Workers = bp.Workers[:1]
	rs := providertest.Compile(t, rke2.New(rke2.Options{}), bp)
	if d := cmp.Diff(want, providertest.Text(rs)); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
}

func TestEveryEdgeHasARange(t *testing.T) {
	t.Parallel()
	for addr, r := range providertest.Compile(t, rke2.New(rke2.Options{}), sample()) {
		if r.Range.Filename == "" {
			t.Errorf("%s has no range", addr)
		}
		for _, e := range r.After {
			if e.Range.Filename == "" {
				t.Errorf("the edge from %s to %s has no range", addr, e.To)
			}
		}
	}
}

func TestCompileIsDeterministic(t *testing.T) {
	t.Parallel()
	first, _ := rke2.New(rke2.Options{}).Compile(sample())
	for range 20 {
		again, _ := rke2.New(rke2.Options{}).Compile(sample())
		if !slices.EqualFunc(first, again, func(a, b providers.Resource) bool { return a.Addr == b.Addr && a.Desired.RawEquals(b.Desired) }) {
			t.Fatal("the same blueprint gave other resources, or another order")
		}
	}
}

// What cxha writes by itself is an option of the version and the role.
func TestOwnOptionsAreKnown(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"v1.33.13+rke2r1", "v1.34.10+rke2r1", "v1.35.7+rke2r1", "v1.36.3+rke2r1"} {
		bp := providertest.Blueprint()
		bp.Cluster.Version = version
		for addr, r := range providertest.Compile(t, rke2.New(rke2.Options{}), bp) {
			if r.Addr.Type != "rke2.config" {
				continue
			}
			role := rke2options.Agent
			if r.Addr.Block.Type == "control_plane" {
				role = rke2options.Server
			}
			for name := range r.Desired.GetAttr("options").AsValueMap() {
				if _, problem := rke2options.Of(name, role, version); problem != nil {
					t.Errorf("%s, %s: %s%s", addr, version, name, problem.Text)
				}
			}
		}
	}
}
