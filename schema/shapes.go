package schema

import "slices"

// Shapes returns the shapes of all top-level blocks in the order of the language reference.
func Shapes() []Shape {
	return slices.Concat(
		[]Shape{clusterShape(), siteShape(), controlPlaneShape(), workerShape(), standbyShape()},
		[]Shape{loadBalancerShape(), ingressShape(), storageShape(), helmReleaseShape(), manifestsShape(), kustomizationShape()},
		languageShapes(),
	)
}

// Planned lists the top-level block types that the design names and this version does not know.
func Planned() []string {
	return []string{"resilience"}
}
