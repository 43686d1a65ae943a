package rke2

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/expertflow/cxha/schema"
)

// identity are the attributes of a server's service that its cluster was made with. RKE2 changes none of them afterwards: nodes, pods
// and Services keep their addresses, the CNI's objects stay, and names under the domain stand in every pod (domain.md §2.5, §2.7).
var identity = []string{"ranges", "cni", "domain"}

// RKE2's defaults of options that are part of a cluster's identity.
const (
	defaultPods     = "10.42.0.0/16"
	defaultServices = "10.43.0.0/16"
	defaultCNI      = "canal"
	defaultDomain   = "cluster.local"
)

// identityOf returns the identity that a server with these options gives its cluster.
func identityOf(options map[string]cty.Value) map[string]string {
	domain := optionOr(options, "cluster-domain", defaultDomain)
	if dns := optionOr(options, "cluster-dns", ""); dns != "" {
		domain += ", resolved at " + dns
	}
	return map[string]string{
		"ranges": fmt.Sprintf("pods in %s and services in %s", optionOr(options, "cluster-cidr", defaultPods), optionOr(options, "service-cidr", defaultServices)),
		"cni":    primaryCNI(optionOr(options, "cni", defaultCNI)),
		"domain": domain,
	}
}

// primaryCNI leaves out multus, which can join another CNI at any time.
func primaryCNI(cni string) string {
	names := slices.DeleteFunc(strings.Split(cni, ","), func(s string) bool { return s == "multus" })
	return strings.Join(names, ",")
}

func optionOr(options map[string]cty.Value, name, otherwise string) string {
	v, ok := options[name]
	if !ok || v == cty.NilVal || !v.IsWhollyKnown() {
		return otherwise
	}
	var texts []string
	for _, e := range schema.Plain(v).AsValueSlice() {
		texts = append(texts, e.AsString())
	}
	if len(texts) == 0 {
		return otherwise
	}
	return strings.Join(texts, ",")
}

// identityRefusal says why an attribute of the identity cannot be another.
func identityRefusal(host, attr, from, to string) error {
	switch attr {
	case "ranges":
		return fmt.Errorf("host %s: the cluster runs with %s, and the blueprint asks for %s; nodes, pods and Services keep their addresses, "+
			"so RKE2 cannot change the ranges of a cluster that exists: put pod_cidr and service_cidr back, or build a new cluster", host, from, to)
	case "cni":
		return fmt.Errorf("host %s: the cluster was made with the CNI %s, and the blueprint asks for %s; RKE2 cannot exchange the network of a cluster that exists, "+
			"and its pods would lose theirs: put cni back, or build a new cluster", host, from, to)
	default:
		return fmt.Errorf("host %s: the cluster was made with the domain %s, and the blueprint asks for %s; every pod and certificate has names under the old one, "+
			"so RKE2 cannot change it: put cluster-domain and cluster-dns back in the control plane's config, or build a new cluster", host, from, to)
	}
}
