// Package images is the lab's container images: docker archives of one static program each, made without a container engine,
// the same bytes for the same programs.
package images
