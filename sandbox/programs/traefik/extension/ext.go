// Package ext is where Traefik's dynamic configuration can be extended: a module of its own upstream, which the module proxy does
// not have. Nothing is extended here.
package ext

// HTTP would add to the configuration of HTTP.
type HTTP struct{}

// Router would add to the configuration of a router.
type Router struct{}
