// Package charts is the sandbox's chart sources: small Helm charts of its own making, packaged in the process, in an HTTP
// repository and in an OCI registry.
package charts
