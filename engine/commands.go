package engine

import (
	"fmt"

	"github.com/expertflow/cxha/providers"
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
