package controlplane

import (
	_ "unsafe" // for go:linkname

	"k8s.io/component-base/version"
)

// Version is the version of Kubernetes that the components are: that of the module k8s.io/kubernetes.
const Version = "v1.36.3"

// builtVersion is the variable that Kubernetes' own build sets by the linker; as a library it says v0.0.0, and every chart that asks
// for a version of Kubernetes refuses it. A linker flag would have to be repeated for every test binary.
//
//go:linkname builtVersion k8s.io/component-base/version.gitVersion
var builtVersion string

// SayVersion makes this process' Kubernetes components say that they are of a version.
func SayVersion(said string) error {
	builtVersion = said
	return version.SetDynamicVersion(said)
}
