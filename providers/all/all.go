// Package all is the list of the providers that cxha has.
package all

import (
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/helm"
	"github.com/expertflow/cxha/providers/host"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/providers/rke2"
)

// Set is every provider: in a registry for the engine, and those by name that can do more than plan and apply.
type Set struct {
	Registry *providers.Registry
	Kube     *kube.Provider
}

// New returns the providers with their default options.
func New() (*Set, error) {
	k := kube.New(kube.Options{})
	reg, err := providers.NewRegistry(host.New(), rke2.New(rke2.Options{}), k, helm.New(k, helm.Options{}))
	if err != nil {
		return nil, err
	}
	return &Set{Registry: reg, Kube: k}, nil
}
