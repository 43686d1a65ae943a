package kube

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// catalog is which kinds of objects the API has.
type catalog struct {
	kinds     map[schema.GroupVersionKind]servedKind
	preferred map[schema.GroupKind]schema.GroupVersionKind
	broken    map[string]error // groups that did not answer, such as those of an aggregated API server that is down
}

// servedKind is how objects of a kind are reached.
type servedKind struct {
	schema.GroupVersionResource
	namespaced bool
	listable   bool
}

// readCatalog costs two calls: for the core group and for all others.
func readCatalog(config *rest.Config) (*catalog, error) {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	groups, lists, failed, err := client.GroupsAndMaybeResources()
	if err != nil {
		return nil, err
	}
	c := &catalog{kinds: map[schema.GroupVersionKind]servedKind{}, preferred: map[schema.GroupKind]schema.GroupVersionKind{}, broken: map[string]error{}}
	for gv, err := range failed {
		c.broken[gv.Group] = err
	}
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			gv := schema.GroupVersion{Group: g.Name, Version: v.Version}
			if list := lists[gv]; list != nil {
				c.add(gv, list.APIResources, v.Version == g.PreferredVersion.Version)
			}
		}
	}
	return c, nil
}

func (c *catalog) add(gv schema.GroupVersion, resources []metav1.APIResource, preferred bool) {
	for _, r := range resources {
		if strings.Contains(r.Name, "/") {
			continue // status, scale and the like
		}
		gvk := gv.WithKind(r.Kind)
		c.kinds[gvk] = servedKind{GroupVersionResource: gv.WithResource(r.Name), namespaced: r.Namespaced, listable: slices.Contains(r.Verbs, "list")}
		if _, ok := c.preferred[gvk.GroupKind()]; !ok || preferred {
			c.preferred[gvk.GroupKind()] = gvk
		}
	}
}

// find returns how objects of a kind are reached; ok is false where the API does not have it.
func (c *catalog) find(gvk schema.GroupVersionKind) (k servedKind, ok bool) {
	k, ok = c.kinds[gvk]
	return k, ok
}
