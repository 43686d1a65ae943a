// Package site is a whole sandbox: two sites' hosts behind a bastion, the release mirror, the keys and the blueprint, in
// one server process that is controlled through a socket.
package site
