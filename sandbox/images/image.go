package images

import (
	"fmt"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
)

// Image is an image with one program in it.
type Image struct {
	Program    string   // the program's file name, in the image /PROGRAM, and the archive's, PROGRAM.tar
	References []string // every name that the image has, as charts and templates write it
	System     bool     // every node has it from RKE2's release; the others come from the internet's registries
	Optional   bool     // it is left out when the program was not built
}

// All are the images of the lab. Where a chart is published in two versions, the one program has both tags.
func All() []Image {
	return []Image{
		{Program: "pause", References: []string{"docker.io/rancher/mirrored-pause:3.6"}, System: true},
		{Program: "coredns", References: []string{"docker.io/rancher/hardened-coredns:v1.14.3"}},
		{Program: "traefik", References: []string{"docker.io/rancher/hardened-traefik:v3.7.13"}, Optional: true},
		{Program: "controller", References: []string{"quay.io/metallb/controller:v0.16.0", "quay.io/metallb/controller:v0.16.1"}},
		{Program: "speaker", References: []string{"quay.io/metallb/speaker:v0.16.0", "quay.io/metallb/speaker:v0.16.1"}},
		{Program: "local-path-provisioner", References: []string{"docker.io/rancher/local-path-provisioner:v0.0.37"}},
		{Program: "volume", References: []string{"registry.example/cx/volume:1.0.0"}},
		{Program: "web", References: []string{"registry.example/cx/web:1.0.0", "registry.example/cx/web:1.1.0", "registry.example/cx/db:17"}},
	}
}

// Unavailable are the images that charts and templates name and that the lab does not have, with the reason. sandbox/README.md
// tells it to people.
func Unavailable() map[string]string {
	const (
		nginx   = "nginx and its Lua modules are C programs"
		nfs     = "the kernel that the lab is made for has no NFS client, so its driver could mount nothing; the module proxy does not have it either"
		frr     = "FRR is a suite of C programs"
		network = "the stand-in makes the pod network on real hosts itself"
	)
	return map[string]string{
		"docker.io/rancher/nginx-ingress-controller:v1.14.5-hardened2":  nginx,
		"registry.k8s.io/ingress-nginx/controller:v1.15.0":              nginx,
		"registry.k8s.io/ingress-nginx/controller:v1.15.1":              nginx,
		"registry.k8s.io/ingress-nginx/kube-webhook-certgen:v1.6.9":     "it prepares the webhook of an ingress-nginx that is not there",
		"registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.16.0": nfs,
		"registry.k8s.io/sig-storage/csi-provisioner:v6.2.0":            nfs,
		"registry.k8s.io/sig-storage/nfsplugin:v4.13.3":                 nfs,
		"registry.k8s.io/sig-storage/nfsplugin:v4.13.4":                 nfs,
		"quay.io/frrouting/frr:10.4.1":                                  frr,
		"quay.io/metallb/frr-k8s:v0.0.22":                               frr,
		"docker.io/rancher/hardened-calico:v3.31.0":                     network,
		"docker.io/rancher/hardened-flannel:v0.27.0":                    network,
		"docker.io/rancher/hardened-k8s-metrics-server:v0.8.0":          "nothing in cxha asks for metrics; its module can be built",
		"docker.io/openebs/provisioner-localpv:4.4.0":                   "not tried: local-path-provisioner is the lab's storage on nodes",
	}
}

// tags are the image's references, sorted, each checked to name a registry and a tag.
func (i Image) tags() ([]string, error) {
	for _, reference := range i.References {
		if _, err := name.NewTag(reference, name.StrictValidation); err != nil {
			return nil, fmt.Errorf("image %s: %w", i.Program, err)
		}
	}
	return slices.Sorted(slices.Values(i.References)), nil
}
