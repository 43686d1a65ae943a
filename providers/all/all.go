// Package all is the list of the providers that cxha has.
package all

import (
	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/providers/host"
	"github.com/expertflow/cxha/providers/kube"
	"github.com/expertflow/cxha/providers/rke2"
)

// Registry returns the registry of all providers.
func Registry() (*providers.Registry, error) {
	return providers.NewRegistry(host.New(), rke2.New(rke2.Options{}), kube.New(kube.Options{}))
}
