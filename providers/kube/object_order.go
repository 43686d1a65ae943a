package kube

import (
	"slices"

	kschema "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/expertflow/cxha/providers"
	"github.com/expertflow/cxha/schema"
)

var (
	definitions = kschema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
	namespaces  = kschema.GroupKind{Kind: "Namespace"}
	webhooks    = []kschema.GroupKind{
		{Group: "admissionregistration.k8s.io", Kind: "MutatingWebhookConfiguration"},
		{Group: "admissionregistration.k8s.io", Kind: "ValidatingWebhookConfiguration"},
	}
)

// ordering knows what has to be there before an object: its namespace, the definition of its kind; for the configuration of
// webhooks all else of its block, whose pods answer them. Everything else finds its way in the cluster in any order.
type ordering struct {
	namespaces  map[string]schema.Addr
	definitions map[kschema.GroupKind]schema.Addr
	blocks      map[schema.BlockAddr][]schema.Addr // without webhooks' configurations
}

func newOrdering(ds []declared) ordering {
	o := ordering{namespaces: map[string]schema.Addr{}, definitions: map[kschema.GroupKind]schema.Addr{}, blocks: map[schema.BlockAddr][]schema.Addr{}}
	for _, d := range ds {
		gk := d.object.GroupVersionKind().GroupKind()
		if gk == namespaces {
			o.namespaces[d.object.GetName()] = d.addr()
		}
		if kind, ok := definedKind(d.object); ok {
			o.definitions[kind] = d.addr()
		}
		if !slices.Contains(webhooks, gk) {
			o.blocks[d.bundle.Addr] = append(o.blocks[d.bundle.Addr], d.addr())
		}
	}
	return o
}

func (o ordering) edges(d declared) []providers.Edge {
	var before []schema.Addr
	if ns := d.object.GetNamespace(); ns != "" {
		if a, ok := o.namespaces[ns]; ok {
			before = append(before, a)
		}
	}
	gk := d.object.GroupVersionKind().GroupKind()
	if a, ok := o.definitions[gk]; ok {
		before = append(before, a)
	}
	if slices.Contains(webhooks, gk) {
		before = append(before, o.blocks[d.bundle.Addr]...)
	}
	slices.SortFunc(before, schema.Addr.Compare)
	var edges []providers.Edge
	for _, a := range slices.Compact(before) {
		edges = append(edges, providers.Edge{To: a, Range: d.bundle.Source.Block})
	}
	return edges
}
