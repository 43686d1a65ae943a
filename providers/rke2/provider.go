package rke2

import "github.com/expertflow/cxha/providers"

// Options are what can be set beside the blueprint. The zero value is what cxha uses.
type Options struct {
	// CopyCost is the binary logarithm of the work that guessing a weak token from the header of a token copy takes per try; 0
	// means 15, about 50 ms.
	CopyCost int
}

type provider struct {
	copy *tokenCopy
}

var (
	_ providers.Provider = (*provider)(nil)
	_ providers.Prober   = (*provider)(nil)
	_ providers.Guard    = (*provider)(nil)
)

// New returns the provider.
func New(o Options) providers.Provider {
	if o.CopyCost == 0 {
		o.CopyCost = 15
	}
	return &provider{copy: newTokenCopy(o.CopyCost)}
}

// Kinds lists the provider's kinds.
func (p *provider) Kinds() []providers.Kind {
	return []providers.Kind{install{}, token{}, agentToken, p.copy, configKind{config}, dropIn, registries, manifest, service{}, membership{}}
}
