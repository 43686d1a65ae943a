package providers

import "fmt"

// Registry is the providers that a program knows, and their kinds by name.
type Registry struct {
	providers []Provider
	kinds     map[string]Kind
	owner     map[string]Provider
}

// NewRegistry returns a registry of ps, in this order.
func NewRegistry(ps ...Provider) (*Registry, error) {
	r := &Registry{providers: ps, kinds: map[string]Kind{}, owner: map[string]Provider{}}
	for _, p := range ps {
		for _, k := range p.Kinds() {
			name := k.Type().Name
			if _, dup := r.kinds[name]; dup {
				return nil, fmt.Errorf("kind %s is registered twice; this is a bug in cxha", name)
			}
			r.kinds[name], r.owner[name] = k, p
		}
	}
	return r, nil
}

// Providers returns the providers in order of registration.
func (r *Registry) Providers() []Provider { return r.providers }

// Kind returns the kind of that name.
func (r *Registry) Kind(name string) (Kind, bool) {
	k, ok := r.kinds[name]
	return k, ok
}

// Owner returns the provider that has the kind.
func (r *Registry) Owner(kind string) Provider { return r.owner[kind] }
