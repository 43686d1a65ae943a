package engine

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

// Commands returns, by address, the sh text that each change of the plan runs on its host, with secrets hidden. Changes that
// are made by calls of the Kubernetes API have none; those that need a value known only after another change are left out.
func (p *Planned) Commands() (map[string]string, error) {
	texts := map[string]string{}
	for _, c := range p.Plan.Changes {
		kind, _ := p.model.registry.Kind(c.Addr.Type)
		k, ok := kind.(providers.HostKind)
		if !ok || !c.Action.Changes() {
			continue
		}
		if !c.After.IsNull() && !c.After.IsWhollyKnown() {
			continue
		}
		script, err := k.Commands(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Addr, err)
		}
		texts[c.Addr.String()] = script.String()
	}
	return texts, nil
}

// Present reports whether the probe saw that the resource is there.
func (p *Planned) Present(addr schema.Addr) bool {
	live, ok := p.live[addr]
	return ok && live.Unknown == "" && live.Value != cty.NilVal && !live.Value.IsNull()
}
