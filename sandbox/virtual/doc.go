// Package virtual is the sandbox's world: two sites' hosts behind a bastion, the release mirror and the charts, all inside one
// process, on a private network that no packet leaves.
package virtual
