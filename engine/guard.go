package engine

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// refused asks the providers that look at several resources together whether what a probe saw may be changed to the blueprint.
func refused(m *Model, snap *Snapshot) hcl.Diagnostics {
	live := func(a schema.Addr) (cty.Value, bool) {
		l, seen := snap.Live[a]
		return l.Value, seen && l.Unknown == "" && l.Value != cty.NilVal
	}
	var diags hcl.Diagnostics
	for _, p := range m.registry.Providers() {
		if g, ok := p.(providers.Guard); ok {
			diags = append(diags, g.Guard(m.Blueprint, live)...)
		}
	}
	return diags
}
