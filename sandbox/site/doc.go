// Package site is what the sandbox and the lab have in common: where hosts stand, the keys and the blueprint that lead to them, and the
// background server of a directory that is controlled through a socket.
package site
