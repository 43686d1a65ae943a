// Package registry is a registry of container images that only reads: the OCI distribution API over docker archives of a directory.
package registry
