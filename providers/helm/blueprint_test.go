package helm_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
	"github.com/expertflow/cxha/schema/blueprint"
)

// site is a blueprint with releases, in a directory of its own.
func site(t testing.TB, rs ...blueprint.Release) *blueprint.Blueprint {
	t.Helper()
	return &blueprint.Blueprint{
		Dir:     t.TempDir(),
		Cluster: blueprint.Cluster{Addr: schema.BlockAddr{Type: "cluster", Name: "cx"}, Name: "cx", Version: "v1.35.7+rke2r1"},
		ControlPlane: blueprint.Node{
			Addr: schema.BlockAddr{Type: "control_plane", Name: "cp1"}, Role: blueprint.ControlPlane, Name: "cp1",
			Address: netip.MustParseAddr("10.10.1.11"), Schedulable: true,
		},
		Releases: rs,
	}
}

// release is a helm_release block whose namespace is its name.
func release(name string, ref blueprint.Chart) blueprint.Release {
	at := func(line int) hcl.Range {
		return hcl.Range{Filename: "site.cxha.hcl", Start: hcl.Pos{Line: line, Column: 1}, End: hcl.Pos{Line: line, Column: 2}}
	}
	return blueprint.Release{
		Common: blueprint.Common{
			Addr: schema.BlockAddr{Type: "helm_release", Name: name}, Namespace: name, Timeout: 10 * time.Minute,
			Source: blueprint.Source{Block: at(1), Attrs: map[string]hcl.Range{"chart": at(2), "version": at(3)}},
		},
		Name: name, Chart: ref, Values: cty.NullVal(cty.DynamicPseudoType),
	}
}

func object(attrs map[string]cty.Value) cty.Value { return cty.ObjectVal(attrs) }
